//! Total variation: how much neighbours differ.
//!
//! The map is brought to 0..1 by its lowest and highest value; the value is the sum of the absolute differences of pixels beside
//! and below each other, over the number of pixels. 0 for a flat map; lower is smoother and better. After "visual quality" of
//! Baldassarre et al., BMVC 2022, whose own formula could not be read: this definition is ours. Cost: none.
//!
//! It says nothing of where the values lie, so that it cannot tell a right explanation from a wrong one.

use unmask_core::ForwardError;

use super::{About, Better, Case, FigureAbout, Measured, Metric, Size};
use crate::catalogue::Descriptor;

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "total_variation",
        summary: "Mean absolute difference of neighbours in the map, brought to 0..1.",
        citation: "after Baldassarre et al., BMVC 2022",
        params: &[],
        passes: "0",
    },
    figures: &[FigureAbout { name: "total_variation", better: Better::Lower }],
    needs: &[],
    tells: &[],
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct TotalVariation {}

impl Metric for TotalVariation {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        0
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let (width, values) = (case.map.width, &case.map.data);
        let ends = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(f64::from(*v)), high.max(f64::from(*v)))
        });
        let range = ends.1 - ends.0;
        let difference = |a: usize, b: usize| (f64::from(values[a]) - f64::from(values[b])).abs();
        let beside = (0..values.len()).filter(|at| at % width + 1 < width).map(|at| difference(at, at + 1));
        let below = (0..values.len().saturating_sub(width)).map(|at| difference(at, at + width));
        let sum: f64 = beside.chain(below).sum();
        let value = if range > 0.0 { sum / range / values.len() as f64 } else { 0.0 };
        Ok(Measured::of(&ABOUT, &[Ok(value)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    #[test]
    fn differences_beside_and_below_are_summed_on_the_maps_own_range() {
        let value = |map: &[f32]| {
            Planted::new(2, 2, &["real", "fake"], map.to_vec(), |_| vec![0.0, 0.0]).value(&TotalVariation {})
        };
        // Range 4: beside 4 and 2, below 2 and 4.
        assert!((value(&[0.0, 4.0, 2.0, 0.0]) - 12.0 / 4.0 / 4.0).abs() < 1e-12);
        assert_eq!(value(&[3.0; 4]), 0.0);
    }
}
