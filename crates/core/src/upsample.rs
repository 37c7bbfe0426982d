//! A coarse grid brought to the size of a picture.

/// Cubic between cell centres (a = -0.75), edges repeated, as OpenCV's `INTER_CUBIC`: `[rows, cols]` to `[height, width]`.
///
/// # Panics
/// When there are not `rows * cols` values, or none at all.
pub fn cubic(values: &[f32], cells: (usize, usize), pixels: (usize, usize)) -> Vec<f32> {
    let mut out = Vec::with_capacity(pixels.0 * pixels.1);
    Cubic::new(cells, pixels).each_row(values, |_, row| out.extend_from_slice(row));
    out
}

/// The way from one size to another, for any number of grids.
pub(crate) struct Cubic {
    across: Vec<Tap>,
    down: Vec<Tap>,
    cells: (usize, usize),
}

/// The four cells around a pixel, and their weights, which sum to 1.
type Tap = [(usize, f32); 4];

impl Cubic {
    pub(crate) fn new(cells: (usize, usize), pixels: (usize, usize)) -> Self {
        Self { across: taps(cells.1, pixels.1), down: taps(cells.0, pixels.0), cells }
    }

    /// Calls `each` with every pixel row's number and values, from the top.
    pub(crate) fn each_row(&self, values: &[f32], mut each: impl FnMut(usize, &[f32])) {
        let (rows, width) = (self.cells.0, self.across.len());
        assert_eq!(values.len(), rows * self.cells.1, "one value per cell");
        // Columns lie in one piece here, so that a whole column is stretched at a time.
        let columns = transposed(values, self.cells.1);
        let mut tall = vec![0.0f32; width * rows];
        for (out, tap) in tall.chunks_exact_mut(rows).zip(&self.across) {
            mix(tap, &columns, out);
        }
        let wide = transposed(&tall, rows);
        let mut line = vec![0.0f32; width];
        for (y, tap) in self.down.iter().enumerate() {
            mix(tap, &wide, &mut line);
            each(y, &line);
        }
    }
}

/// The weighted sum of four lines of `lines`.
fn mix(tap: &Tap, lines: &[f32], out: &mut [f32]) {
    let len = out.len();
    let [a, b, c, d] = tap.map(|(at, weight)| (&lines[at * len..(at + 1) * len], weight));
    let values = a.0.iter().zip(b.0).zip(c.0).zip(d.0);
    for (out, (((va, vb), vc), vd)) in out.iter_mut().zip(values) {
        *out = va * a.1 + vb * b.1 + vc * c.1 + vd * d.1;
    }
}

/// Rows of `cols` values as columns.
fn transposed(values: &[f32], cols: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(values.len());
    for col in 0..cols {
        out.extend(values[col..].iter().step_by(cols));
    }
    out
}

/// One tap for each pixel.
fn taps(cells: usize, pixels: usize) -> Vec<Tap> {
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
