//! A Gaussian blur.

use unmask_core::Tensor;

/// Blurs every channel: separable, kernel cut at four standard deviations, edges mirrored with the edge pixel repeated
/// (`scipy.ndimage.gaussian_filter` with its defaults).
pub(super) fn gaussian(image: &Tensor, sigma: f64) -> Tensor {
    let (height, width) = (image.height(), image.width());
    let kernel = kernel(sigma);
    let mut data = Vec::with_capacity(image.data().len());
    for c in 0..image.channels() {
        let down = along(image.channel(c), height, width, width, &kernel);
        data.extend(along(&down, width, height, 1, &kernel));
    }
    Tensor::new(image.channels(), height, width, data).expect("each channel keeps its size")
}

fn kernel(sigma: f64) -> Vec<f64> {
    let radius = (4.0 * sigma + 0.5) as i64;
    let weights: Vec<f64> = (-radius..=radius).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// Filters `lines` lines of `length` pixels that lie `step` apart in memory.
fn along(plane: &[f32], length: usize, lines: usize, step: usize, kernel: &[f64]) -> Vec<f32> {
    let line_step = if step == 1 { length } else { 1 };
    let mut out = vec![0.0; plane.len()];
    for i in 0..length {
        // Mirrored taps are gathered by pixel, so that a kernel wider than the line costs no more than the line.
        let mut weights = vec![0.0; length];
        let first = i as i64 - (kernel.len() / 2) as i64;
        for (weight, at) in kernel.iter().zip(first..) {
            weights[mirror(at, length)] += weight;
        }
        let taps: Vec<(usize, f64)> = weights.into_iter().enumerate().filter(|(_, w)| *w > 0.0).collect();
        for line in 0..lines {
            let start = line * line_step;
            let sum: f64 = taps.iter().map(|(at, w)| w * f64::from(plane[start + at * step])).sum();
            out[start + i * step] = sum as f32;
        }
    }
    out
}

/// ... 1 0 | 0 1 2 3 | 3 2 ...
fn mirror(at: i64, length: usize) -> usize {
    let period = 2 * length as i64;
    let at = at.rem_euclid(period);
    at.min(period - 1 - at) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_picture_stays_flat_even_under_a_kernel_wider_than_itself() {
        let flat = Tensor::constant(&[0.25, -3.0, 7.0], 5, 3);
        let blurred = gaussian(&flat, 50.0);
        for (a, b) in blurred.data().iter().zip(flat.data()) {
            assert!((a - b).abs() < 1e-6);
        }
    }

    // scipy 1.17.1: a = zeros((3, 4)); a[0, 1] = 1; gaussian_filter(a, 1.0), rounded to 7 digits.
    #[test]
    fn a_point_spreads_as_in_scipy() {
        let mut data = vec![0.0; 12];
        data[1] = 1.0;
        let blurred = gaussian(&Tensor::new(1, 3, 4, data).unwrap(), 1.0);
        let expected = [
            0.1896868, 0.2585293, 0.1552547, 0.0374442, 0.0876335, 0.119438, 0.0717261, 0.0172988, 0.0186423,
            0.0254081, 0.0152583, 0.00368,
        ];
        for (a, b) in blurred.data().iter().zip(expected) {
            assert!((f64::from(*a) - b).abs() < 1e-6, "{a} {b}");
        }
    }

    #[test]
    fn edges_are_mirrored() {
        assert_eq!((-3..7).map(|i| mirror(i, 3)).collect::<Vec<_>>(), [2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
    }
}
