//! Total-order sensitivity indices.

/// Indices of every cell, and the variance that they are shares of.
#[derive(Clone, Debug, PartialEq)]
pub struct Indices {
    /// Total-order index of each cell, 0 or more.
    pub total: Vec<f64>,
    /// Variance of the scores.
    pub variance: f64,
}

/// Jansen's estimator over whole rows of scores: A, B, then one C for each of the `cells`. The variance is that of A with
/// N - 1 in the denominator, or, `pooled`, the mean of those of A and B. Without variance every index is 0.
pub fn jansen(scores: &[f64], cells: usize, pooled: bool) -> Indices {
    let rows = || scores.chunks_exact(cells + 2);
    let count = rows().len() as f64;
    let of = |place: usize| variance(&rows().map(|row| row[place]).collect::<Vec<_>>());
    let variance = if pooled { (of(0) + of(1)) / 2.0 } else { of(0) };
    if !(variance.is_finite() && variance > 0.0) {
        return Indices { total: vec![0.0; cells], variance: 0.0 };
    }
    let square = |cell: usize| rows().map(|row| (row[0] - row[cell + 2]).powi(2)).sum::<f64>();
    let total = (0..cells).map(|cell| square(cell) / (2.0 * count * variance)).collect();
    Indices { total, variance }
}

fn variance(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_by_hand() {
        // Two rows, one cell: A = 1, 3 (variance 2), B = 2, 2, C = 2, 1: (1 + 4) / (2 * 2 * 2).
        let scores = [1.0, 2.0, 2.0, 3.0, 2.0, 1.0];
        assert_eq!(jansen(&scores, 1, false), Indices { total: vec![0.625], variance: 2.0 });
        assert_eq!(jansen(&scores, 1, true), Indices { total: vec![1.25], variance: 1.0 });
    }

    #[test]
    fn without_variance_there_is_no_index() {
        for score in [0.0, 7.5, f64::NAN, f64::INFINITY] {
            assert_eq!(jansen(&[score; 9], 1, false).total, [0.0]);
        }
        assert_eq!(jansen(&[1.0, 1.0, 1.0], 1, true).total, [0.0], "one row has no variance");
    }
}
