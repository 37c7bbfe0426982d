//! A box blur.

use unmask_core::Tensor;

/// Blurs every channel with a square box whose anchor is at `width / 2`, edges mirrored without repeating the edge pixel
/// (OpenCV's `blur` with its defaults).
pub(super) fn box_blur(image: &Tensor, width: usize) -> Tensor {
    let shape = (image.height(), image.width());
    let mut data = Vec::with_capacity(image.data().len());
    for c in 0..image.channels() {
        let plane: Vec<f64> = image.channel(c).iter().map(|v| f64::from(*v)).collect();
        let down = along(&plane, shape.0, shape.1, shape.1, width);
        data.extend(along(&down, shape.1, shape.0, 1, width).iter().map(|v| *v as f32));
    }
    Tensor::new(image.channels(), shape.0, shape.1, data).expect("each channel keeps its size")
}

/// Means along `lines` lines of `length` pixels that lie `step` apart in memory.
fn along(plane: &[f64], length: usize, lines: usize, step: usize, width: usize) -> Vec<f64> {
    let line_step = if step == 1 { length } else { 1 };
    let mut out = vec![0.0; plane.len()];
    for line in 0..lines {
        let at = |i: i64| plane[line * line_step + mirror(i, length) * step];
        let first = -((width / 2) as i64);
        let mut sum: f64 = (first..first + width as i64).map(at).sum();
        for i in 0..length {
            out[line * line_step + i * step] = sum / width as f64;
            let leaving = first + i as i64;
            sum += at(leaving + width as i64) - at(leaving);
        }
    }
    out
}

/// ... 2 1 | 0 1 2 3 | 2 1 ...
fn mirror(at: i64, length: usize) -> usize {
    let last = length as i64 - 1;
    if last == 0 {
        return 0;
    }
    let at = at.rem_euclid(2 * last);
    at.min(2 * last - at) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_of_even_width_reaches_further_back() {
        // cv2.blur of 0, 4, 8, 12 with a box of 1 x 2: each pixel and the one before it, 4 mirrored before 0.
        assert_eq!(along(&[0.0, 4.0, 8.0, 12.0], 4, 1, 1, 2), [2.0, 2.0, 6.0, 10.0]);
    }

    #[test]
    fn a_flat_picture_stays_flat_even_under_a_box_wider_than_itself() {
        let flat = Tensor::constant(&[0.25, -3.0, 7.0], 5, 3);
        for (a, b) in box_blur(&flat, 128).data().iter().zip(flat.data()) {
            assert!((a - b).abs() < 1e-6);
        }
    }

    #[test]
    fn edges_are_mirrored_without_the_edge() {
        assert_eq!((-3..7).map(|i| mirror(i, 3)).collect::<Vec<_>>(), [1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(mirror(-5, 1), 0);
    }
}
