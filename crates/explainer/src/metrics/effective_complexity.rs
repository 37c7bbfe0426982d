//! Effective complexity: how many values are not 0.
//!
//! The number of pixels whose absolute evidence is above `threshold` of the largest; the share is of all pixels. 0 for a map of
//! zeros, and for a flat one that reads as importance. Lower is better. Nguyen and Martinez, arXiv 2007.07584, as Quantus
//! counts it, with its threshold. Cost: none.
//!
//! It says nothing of where the values lie, so that it cannot tell a right explanation from a wrong one. A map from random
//! masks has a value almost everywhere.

use unmask_core::{ForwardError, Kind, Param};

use super::{About, Better, Case, FigureAbout, Measured, Metric, Size};
use crate::catalogue::Descriptor;

/// Smallest absolute value that counts, of the largest.
pub const THRESHOLD: Param = Param {
    name: "threshold",
    unit: "",
    kind: Kind::Real { default: 0.000_01, min: 0.0, max: 1.0 },
    paper: None,
    help: "Smallest absolute value that counts, of the largest.",
    source: "Quantus",
};

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "effective_complexity",
        summary: "Number of values that are not 0.",
        citation: "Nguyen and Martinez, arXiv 2007.07584",
        params: &[THRESHOLD],
        passes: "0",
    },
    figures: &[
        FigureAbout { name: "effective_complexity", better: Better::Lower },
        FigureAbout { name: "effective_complexity_share", better: Better::Lower },
    ],
    needs: &[],
    tells: &[],
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectiveComplexity {
    /// Smallest absolute value that counts, of the largest.
    pub threshold: f64,
}

impl Metric for EffectiveComplexity {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        0
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let values: Vec<f64> = case.evidence().iter().map(|v| v.abs()).collect();
        let least = self.threshold * values.iter().copied().fold(0.0, f64::max);
        let count = values.iter().filter(|v| **v > least).count() as f64;
        Ok(Measured::of(&ABOUT, &[Ok(count), Ok(count / values.len().max(1) as f64)]))
    }
}

#[cfg(test)]
mod tests {
    use unmask_core::Reading;

    use super::*;
    use crate::metrics::planted::Planted;

    #[test]
    fn values_above_the_threshold_are_counted_whatever_their_sign() {
        let map = vec![0.0, -0.5, 0.25, 2.0];
        let planted = Planted::new(1, 4, &["real", "fake"], map, |_| vec![0.0, 0.0]);
        let values = planted.measure(&EffectiveComplexity { threshold: 0.125 }).figures;
        assert_eq!((values[0].value, values[1].value), (Ok(2.0), Ok(0.5)));
    }

    #[test]
    fn of_an_importance_only_differences_count() {
        for floor in [0.0, 0.5] {
            let map = [0.0, 1.0, 0.0, 4.0].map(|v: f32| v + floor).to_vec();
            let mut planted = Planted::new(1, 4, &["real", "fake"], map, |_| vec![0.0, 0.0]);
            planted.reading = Reading::Importance;
            assert_eq!(planted.value(&EffectiveComplexity { threshold: 0.125 }), 2.0);
        }
    }
}
