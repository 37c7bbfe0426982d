//! Comprehensiveness: how far the score falls without the highest pixels.
//!
//! The mean over k = 1, 5, 10, 20 and 50 % of the pixels of f(x) - f(x without its k highest pixels), with f the target's
//! score. Higher is better. Of equal pixels the first is the higher. DeYoung et al., ACL 2020, arXiv 1911.03429 (ERASER),
//! where tokens are left out; here a fill stands in the place of pixels, by default the picture's mean colour. Cost: 5 passes.

use unmask_core::ForwardError;

use super::{About, Better, Case, FigureAbout, Measured, Metric, Need, Size, Wrong};
use crate::catalogue::Descriptor;

/// Shares of the pixels, those of ERASER.
pub(super) const SHARES: [f64; 5] = [0.01, 0.05, 0.1, 0.2, 0.5];

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "comprehensiveness",
        summary: "Fall of the score without the highest pixels.",
        citation: "DeYoung et al., ACL 2020, arXiv 1911.03429",
        params: &[],
        passes: "5",
    },
    figures: &[FigureAbout { name: "comprehensiveness", better: Better::Higher }],
    needs: &[Need::Fill],
    tells: &[Wrong::Shifted, Wrong::Inverted, Wrong::Random],
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Comprehensiveness {}

impl Metric for Comprehensiveness {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        SHARES.len() as u64
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        falls(case, &ABOUT, false)
    }
}

/// The mean fall without the highest pixels, or with them alone.
pub(super) fn falls(case: &Case<'_>, about: &About, alone: bool) -> Result<Measured, ForwardError> {
    let pixels = case.map.data.len();
    let tops = SHARES.map(|share| ((share * pixels as f64).round() as usize).max(1));
    let whole = case.target.value(case.logits);
    let logits = case.ranked(&tops, alone)?;
    let scores: Vec<f64> = logits.iter().map(|logits| case.target.value(logits)).collect();
    let value = scores.iter().map(|score| whole - score).sum::<f64>() / scores.len() as f64;
    Ok(Measured::of(about, &[Ok(value)]).with(about.entry.name, SHARES.into(), scores))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    #[test]
    fn the_value_is_the_mean_fall_without_the_highest_pixels() {
        // Of ten pixels 10, 9, ... 1 of 55: shares of 1, 1, 1, 2 and 5 pixels.
        let planted = Planted::linear(&[10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
        let expected = (10.0 + 10.0 + 10.0 + 19.0 + 40.0) / 55.0 / 5.0;
        assert!((planted.value(&Comprehensiveness {}) - expected).abs() < 1e-6);
    }
}
