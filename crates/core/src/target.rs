//! The scalar that an explanation explains.

use crate::log_sum_exp;

/// Which classes speak for the explained decision and which against it.
///
/// The explained scalar of a row of logits z is `logsumexp(z[for]) - logsumexp(z[against])`: for one class against all
/// others it is that class's log-odds, `ln(p / (1 - p))`. It is unbounded, so it does not saturate where the
/// probability does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pro: Vec<usize>,
    contra: Vec<usize>,
}

impl Target {
    /// One class against all others, out of `classes`.
    pub fn class(class: usize, classes: usize) -> Self {
        Self { pro: vec![class], contra: (0..classes).filter(|c| *c != class).collect() }
    }

    /// The explained scalar of one row of logits, in nats of log-odds.
    pub fn value(&self, logits: &[f32]) -> f64 {
        let side = |classes: &[usize]| log_sum_exp(classes.iter().map(|c| logits[*c]));
        side(&self.pro) - side(&self.contra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_class_against_the_others_is_its_log_odds() {
        let logits = [0.3f32, -1.2, 2.0];
        let p = crate::softmax(&logits)[2] as f64;
        assert!((Target::class(2, 3).value(&logits) - (p / (1.0 - p)).ln()).abs() < 1e-5);
    }

    #[test]
    fn two_classes_differ_by_their_logits() {
        assert_eq!(Target::class(1, 2).value(&[0.5, 3.0]), 2.5);
    }
}
