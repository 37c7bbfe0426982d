//! Sufficiency: how far the score falls with the highest pixels alone.
//!
//! The mean over k = 1, 5, 10, 20 and 50 % of the pixels of f(x) - f(the k highest pixels over the fill), with f the target's
//! score. Lower is better. Of equal pixels the first is the higher. DeYoung et al., ACL 2020, arXiv 1911.03429 (ERASER);
//! what arXiv 2404.18649 calls sufficiency is `adversarial_sufficiency`, of which more is better. The default fill is the
//! picture's mean colour. Cost: 5 passes.

use unmask_core::ForwardError;

use super::comprehensiveness::{SHARES, falls};
use super::{About, Better, Case, FigureAbout, Measured, Metric, Need, Size, Wrong};
use crate::catalogue::Descriptor;

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "sufficiency",
        summary: "Fall of the score with the highest pixels alone.",
        citation: "DeYoung et al., ACL 2020, arXiv 1911.03429",
        params: &[],
        passes: "5",
    },
    figures: &[FigureAbout { name: "sufficiency", better: Better::Lower }],
    needs: &[Need::Fill],
    tells: &[Wrong::Shifted, Wrong::Inverted, Wrong::Random],
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Sufficiency {}

impl Metric for Sufficiency {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        SHARES.len() as u64
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        falls(case, &ABOUT, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    #[test]
    fn the_value_is_the_mean_fall_with_the_highest_pixels_alone() {
        let planted = Planted::linear(&[10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
        let expected = (45.0 + 45.0 + 45.0 + 36.0 + 15.0) / 55.0 / 5.0;
        assert!((planted.value(&Sufficiency {}) - expected).abs() < 1e-6);
    }
}
