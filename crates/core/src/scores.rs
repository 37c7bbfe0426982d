//! What the model answers, and the two pure functions that read it.

/// Logits of every class, one row per perturbation of a round, in the round's order.
///
/// A graph that ends in probabilities is read through their logarithms, so that a softmax over a row always gives the
/// model's own probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    classes: usize,
    data: Vec<f32>,
}

impl Scores {
    /// Rows of `classes` logits each; a rest that fills no row is dropped.
    pub fn new(classes: usize, mut data: Vec<f32>) -> Self {
        data.truncate(data.len() / classes.max(1) * classes);
        Self { classes, data }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.data.len() / self.classes.max(1)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The logits of row `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.classes..(i + 1) * self.classes]
    }

    /// All rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact(self.classes.max(1))
    }
}

/// `ln(sum(exp(x)))` without overflow; minus infinity for no value at all.
pub fn log_sum_exp(values: impl Iterator<Item = f32> + Clone) -> f64 {
    let top = values.clone().fold(f64::NEG_INFINITY, |a, b| a.max(f64::from(b)));
    if !top.is_finite() {
        return top;
    }
    top + values.map(|v| (f64::from(v) - top).exp()).sum::<f64>().ln()
}

/// Probabilities of a row of logits; they sum to 1.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().fold(f64::NEG_INFINITY, |a, b| a.max(f64::from(*b)));
    let shares: Vec<f64> = logits.iter().map(|v| (f64::from(*v) - top).exp()).collect();
    let whole: f64 = shares.iter().sum();
    shares.iter().map(|share| (share / whole) as f32).collect()
}

/// The class with the highest logit; the first of equals.
pub fn highest(logits: &[f32]) -> usize {
    (0..logits.len()).rev().max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_survives_extreme_logits() {
        assert_eq!(softmax(&[-100.0, 0.0]), [3.8e-44, 1.0]);
        assert_eq!(softmax(&[1e30, 1e30]), [0.5, 0.5]);
        assert_eq!(softmax(&[-87.0, -87.0, -87.0, -87.0]), [0.25; 4]);
    }

    #[test]
    fn log_sum_exp_of_nothing_is_minus_infinity() {
        assert_eq!(log_sum_exp(std::iter::empty()), f64::NEG_INFINITY);
        assert!((log_sum_exp([0.0, 0.0].into_iter()) - 2f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn the_first_of_equal_classes_is_the_highest() {
        assert_eq!(highest(&[1.0, 3.0, 3.0, -1.0]), 1);
    }

    #[test]
    fn rows_keep_their_order() {
        let scores = Scores::new(2, vec![1.0, 2.0, 3.0, 4.0]);
        assert_eq!(scores.len(), 2);
        assert_eq!(scores.row(1), [3.0, 4.0]);
    }
}
