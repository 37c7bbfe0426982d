//! The scalar that an explanation explains.

use crate::{log_sum_exp, softmax};

/// The scale of the explained scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Log-odds, in nats: unbounded, so that it does not saturate where the probability does.
    LogOdds,
    /// Probability.
    Probability,
    /// Probability after a second softmax over the probabilities, as the code of arXiv 2502.03957 has it.
    DoubleSoftmax,
}

/// Which classes speak for the explained decision, which against it, and on which scale.
///
/// On the scale of log-odds the scalar of a row of logits z is `logsumexp(z[pro]) - logsumexp(z[contra])`: for one class
/// against all others it is that class's log-odds, `ln(p / (1 - p))`. On the other two it is the mean probability of `pro`,
/// less the mean probability of `contra` where that was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pro: Vec<usize>,
    contra: Vec<usize>,
    named: bool,
    scale: Scale,
}

impl Target {
    /// One class against all others, out of `classes`, in log-odds.
    pub fn class(class: usize, classes: usize) -> Self {
        Self::new(vec![class], None, classes, Scale::LogOdds)
    }

    /// Some classes against others, or against all the rest out of `classes`.
    pub fn new(pro: Vec<usize>, contra: Option<Vec<usize>>, classes: usize, scale: Scale) -> Self {
        let named = contra.is_some();
        let rest = || (0..classes).filter(|c| !pro.contains(c)).collect();
        let contra = contra.unwrap_or_else(rest);
        Self { pro, contra, named, scale }
    }

    /// All classes but `real` against `real`, in log-odds: how sure a detector is that a picture is manipulated.
    pub fn manipulated(real: usize, classes: usize) -> Self {
        Self::new((0..classes).filter(|c| *c != real).collect(), Some(vec![real]), classes, Scale::LogOdds)
    }

    /// Classes that speak for it.
    pub fn pro(&self) -> &[usize] {
        &self.pro
    }

    /// Classes that speak against it.
    pub fn contra(&self) -> &[usize] {
        &self.contra
    }

    /// Its scale.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// The explained scalar of one row of logits.
    pub fn value(&self, logits: &[f32]) -> f64 {
        match self.scale {
            Scale::LogOdds => {
                let side = |classes: &[usize]| log_sum_exp(classes.iter().map(|c| logits[*c]));
                side(&self.pro) - side(&self.contra)
            }
            Scale::Probability => self.mean(&softmax(logits)),
            Scale::DoubleSoftmax => self.mean(&softmax(&softmax(logits))),
        }
    }

    fn mean(&self, probabilities: &[f32]) -> f64 {
        let mean = |classes: &[usize]| {
            let sum: f64 = classes.iter().map(|c| f64::from(probabilities[*c])).sum();
            sum / classes.len().max(1) as f64
        };
        mean(&self.pro) - if self.named { mean(&self.contra) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 4] = [0.3, -1.2, 2.0, 0.5];

    fn probability(class: usize) -> f64 {
        f64::from(softmax(&LOGITS)[class])
    }

    #[test]
    fn one_class_against_the_others_is_its_log_odds() {
        let p = probability(2);
        assert!((Target::class(2, 4).value(&LOGITS) - (p / (1.0 - p)).ln()).abs() < 1e-5);
    }

    #[test]
    fn two_classes_differ_by_their_logits() {
        assert_eq!(Target::class(1, 2).value(&[0.5, 3.0]), 2.5);
        let pair = Target::new(vec![2], Some(vec![1]), 4, Scale::LogOdds);
        assert!((pair.value(&LOGITS) - 3.2).abs() < 1e-6);
    }

    #[test]
    fn groups_are_held_by_the_probability_of_their_classes_together() {
        let group = Target::new(vec![1, 2], Some(vec![0, 3]), 4, Scale::LogOdds);
        let expected = ((probability(1) + probability(2)) / (probability(0) + probability(3))).ln();
        assert!((group.value(&LOGITS) - expected).abs() < 1e-6);
    }

    #[test]
    fn on_the_scale_of_probabilities_only_a_named_contrast_is_taken_off() {
        let of = |contra: Option<Vec<usize>>| {
            Target::new(vec![1, 2], contra, 4, Scale::Probability).value(&LOGITS)
        };
        let mean = (probability(1) + probability(2)) / 2.0;
        assert!((of(None) - mean).abs() < 1e-6);
        assert!((of(Some(vec![0])) - (mean - probability(0))).abs() < 1e-6);
    }

    #[test]
    fn a_second_softmax_brings_five_classes_between_0_149_and_0_405() {
        let target = Target::new(vec![0], None, 5, Scale::DoubleSoftmax);
        assert!((target.value(&[50.0, 0.0, 0.0, 0.0, 0.0]) - 0.4046).abs() < 1e-4);
        assert!((target.value(&[0.0, 50.0, 0.0, 0.0, 0.0]) - 0.1488).abs() < 1e-4);
    }
}
