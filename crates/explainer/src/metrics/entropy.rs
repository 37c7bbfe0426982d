//! Entropy of the values: how many pixels one would have to look at.
//!
//! With p the absolute evidence brought to sum 1, `-sum p ln(p + 1e-12)` in nats, 0 to ln n; `entropy_share` is of ln n. Lower is
//! better. Bhatt et al., IJCAI 2020, arXiv 2005.00631 (complexity). Cost: none.
//!
//! It says nothing of where the values lie, so that it cannot tell a right explanation from a wrong one.

use unmask_core::ForwardError;

use super::{About, Better, Case, FLAT, FigureAbout, Measured, Metric, Size};
use crate::catalogue::Descriptor;

/// Keeps the logarithm finite.
const LEAST: f64 = 1e-12;

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "entropy",
        summary: "Entropy of the values.",
        citation: "Bhatt et al., IJCAI 2020, arXiv 2005.00631",
        params: &[],
        passes: "0",
    },
    figures: &[
        FigureAbout { name: "entropy", better: Better::Lower },
        FigureAbout { name: "entropy_share", better: Better::Lower },
    ],
    needs: &[],
    tells: &[],
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Entropy {}

impl Metric for Entropy {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        0
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let values: Vec<f64> = case.evidence().iter().map(|v| v.abs()).collect();
        let sum: f64 = values.iter().sum();
        if sum == 0.0 {
            return Ok(Measured::of(&ABOUT, &[Err(FLAT), Err(FLAT)]));
        }
        let entropy = -values.iter().map(|v| v / sum).map(|p| p * (p + LEAST).ln()).sum::<f64>();
        let most = (values.len() as f64).ln();
        Ok(Measured::of(&ABOUT, &[Ok(entropy), Ok(if most > 0.0 { entropy / most } else { 0.0 })]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    #[test]
    fn the_entropy_is_that_of_the_shares() {
        let planted = |map: &[f32]| Planted::new(1, 4, &["real", "fake"], map.to_vec(), |_| vec![0.0, 0.0]);
        let flat = planted(&[3.0; 4]).measure(&Entropy {}).figures;
        assert!(
            (flat[0].value.unwrap() - 4f64.ln()).abs() < 1e-9 && (flat[1].value.unwrap() - 1.0).abs() < 1e-9
        );
        // Shares 1/2, 1/4, 1/4, 0.
        let value = planted(&[2.0, -1.0, 1.0, 0.0]).value(&Entropy {});
        assert!((value - 1.5 * 2f64.ln()).abs() < 1e-9, "{value}");
        assert_eq!(planted(&[0.0; 4]).measure(&Entropy {}).figures[0].value, Err(FLAT));
    }
}
