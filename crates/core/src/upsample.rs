//! A coarse grid brought to the size of a picture.

/// Cubic between cell centres (a = -0.75), edges repeated, as OpenCV's `INTER_CUBIC`: `[rows, cols]` to `[height, width]`.
///
/// # Panics
/// When there are not `rows * cols` values, or none at all.
pub fn cubic(values: &[f32], (rows, cols): (usize, usize), (height, width): (usize, usize)) -> Vec<f32> {
    assert_eq!(values.len(), rows * cols, "one value per cell");
    let (across, down) = (taps(cols, width), taps(rows, height));
    let mut wide = vec![0.0f32; rows * width];
    for (line, out) in values.chunks_exact(cols).zip(wide.chunks_exact_mut(width)) {
        for (out, tap) in out.iter_mut().zip(&across) {
            *out = tap.iter().map(|(at, weight)| line[*at] * weight).sum();
        }
    }
    let mut out = vec![0.0f32; height * width];
    for (out, tap) in out.chunks_exact_mut(width).zip(&down) {
        for (at, weight) in tap {
            let line = &wide[at * width..(at + 1) * width];
            out.iter_mut().zip(line).for_each(|(out, value)| *out += value * weight);
        }
    }
    out
}

/// The four cells around each pixel, and their weights, which sum to 1.
fn taps(cells: usize, pixels: usize) -> Vec<[(usize, f32); 4]> {
    const A: f64 = -0.75;
    let near = |x: f64| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f64| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    (0..pixels)
        .map(|pixel| {
            let centre = (pixel as f64 + 0.5) * cells as f64 / pixels as f64 - 0.5;
            let first = centre.floor();
            let part = centre - first;
            let weights = [far(part + 1.0), near(part), near(1.0 - part), far(2.0 - part)];
            std::array::from_fn(|i| {
                let at = (first as i64 + i as i64 - 1).clamp(0, cells as i64 - 1) as usize;
                (at, weights[i] as f32)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // cv2.resize(np.float32([[0, 1], [2, 4]]), (4, 3), interpolation=cv2.INTER_CUBIC), OpenCV 5.0.0.
    #[test]
    fn a_small_grid_is_brought_up_as_by_opencv() {
        let expected = [
            -0.269_924_52,
            0.033_284_59,
            0.532_687_8,
            0.835_896_9,
            0.841_796_9,
            1.339_843_8,
            2.160_156_3,
            2.658_203_1,
            1.953_518_4,
            2.646_403,
            3.787_624_8,
            4.480_51,
        ];
        for (got, expected) in cubic(&[0.0, 1.0, 2.0, 4.0], (2, 2), (3, 4)).iter().zip(expected) {
            assert!((got - expected).abs() < 1e-5, "{got} {expected}");
        }
    }

    #[test]
    fn a_flat_grid_stays_flat() {
        assert!(cubic(&[0.7; 20], (4, 5), (19, 33)).iter().all(|v| (v - 0.7).abs() < 1e-6));
    }

    #[test]
    fn the_same_size_keeps_every_value() {
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        assert_eq!(cubic(&values, (3, 4), (3, 4)), values);
    }
}
