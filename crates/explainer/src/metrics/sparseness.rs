//! Sparseness: the Gini index of the values.
//!
//! With a the absolute evidence, as shares of the largest plus 1e-7, in ascending order and n the number of pixels,
//! `sum (2 i - n - 1) a_i / (n sum a)` for i = 1..n: 0 for a flat map, near 1 where one pixel has everything; the map's scale
//! has no part in it. Higher is better. Chalasani et al., ICML 2020, arXiv 1810.06583; Hurley and Rickard, arXiv 0811.4706.
//! Cost: none.
//!
//! It says nothing of where the values lie, so that it cannot tell a right explanation from a wrong one.

use unmask_core::ForwardError;

use super::{About, Better, Case, FigureAbout, Measured, Metric, Size};
use crate::catalogue::Descriptor;

/// Keeps the sum above 0 (Quantus).
const LEAST: f64 = 1e-7;

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "sparseness",
        summary: "Gini index of the values.",
        citation: "Chalasani et al., ICML 2020, arXiv 1810.06583",
        params: &[],
        passes: "0",
    },
    figures: &[FigureAbout { name: "sparseness", better: Better::Higher }],
    needs: &[],
    tells: &[],
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparseness {}

impl Metric for Sparseness {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        0
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let mut values: Vec<f64> = case.evidence().iter().map(|v| v.abs()).collect();
        let largest = values.iter().copied().fold(0.0, f64::max);
        let unit = if largest > 0.0 { largest } else { 1.0 };
        values.iter_mut().for_each(|v| *v = *v / unit + LEAST);
        values.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let sum: f64 = values.iter().sum();
        let ranked: f64 =
            values.iter().enumerate().map(|(i, v)| (2.0 * (i as f64 + 1.0) - n - 1.0) * v).sum();
        Ok(Measured::of(&ABOUT, &[Ok(ranked / (n * sum))]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    #[test]
    fn the_index_is_that_of_the_definition() {
        let value = |map: &[f32]| {
            Planted::new(1, 4, &["real", "fake"], map.to_vec(), |_| vec![0.0, 0.0]).value(&Sparseness {})
        };
        assert!(value(&[2.0; 4]).abs() < 1e-12 && value(&[0.0; 4]).abs() < 1e-12);
        // 0, 0, 0, 1: (2 * 4 - 4 - 1) / 4.
        assert!((value(&[0.0, -1.0, 0.0, 0.0]) - 0.75).abs() < 1e-6);
        // 1, 2, 3, 4: (-3 - 2 + 3 + 12) / 40.
        assert!((value(&[1.0, -4.0, 3.0, 2.0]) - 0.25).abs() < 1e-6);
        // As faint as a share of the score for each of many pixels.
        assert!((value(&[1e-8, -4e-8, 3e-8, 2e-8]) - 0.25).abs() < 1e-6);
    }
}
