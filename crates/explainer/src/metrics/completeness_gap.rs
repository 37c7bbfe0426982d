//! Completeness gap: how far the values are from summing to what they explain.
//!
//! The distance between the sum of the attributions (over segments for a method whose values belong to segments, else over
//! pixels) and the score of the picture less that of the fill, both as the method read them. Lower is better; 0 for methods
//! of Shapley's kind (efficiency: Shapley 1953; completeness: Sundararajan et al., ICML 2017, arXiv 1703.01365). A method whose values
//! are no shares of the score, such as RISE, has a gap that says nothing. Cost: none.
//!
//! It cannot tell where the values lie: a map with the same sum anywhere has the same gap.

use unmask_core::{ForwardError, Reading};

use super::{About, Better, Case, FigureAbout, Measured, Metric, Size};
use crate::catalogue::Descriptor;

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "completeness_gap",
        summary: "Distance between the sum of the values and what they explain.",
        citation: "Sundararajan et al., ICML 2017, arXiv 1703.01365",
        params: &[],
        passes: "0",
    },
    figures: &[FigureAbout { name: "completeness_gap", better: Better::Lower }],
    needs: &[],
    tells: &[],
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct CompletenessGap {}

impl Metric for CompletenessGap {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        0
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let value = match (case.reading, case.total) {
            (Reading::Importance, _) => Err("values of importance have no sum to be held to"),
            (Reading::Evidence, None) => {
                Err("no method made this map, so that there is no sum to hold it to")
            }
            (Reading::Evidence, Some(total)) => Ok((total.sum - total.expected).abs()),
        };
        Ok(Measured::of(&ABOUT, &[value]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Total;
    use crate::metrics::planted::Planted;

    #[test]
    fn the_gap_is_the_distance_of_the_sums() {
        let total = Some(Total { expected: 2.0, sum: 1.5 });
        let planted = Planted { total, ..Planted::linear(&[1.0, 2.0]) };
        assert_eq!(planted.value(&CompletenessGap {}), 0.5);
        let importance = Planted { reading: Reading::Importance, ..planted };
        assert!(importance.measure(&CompletenessGap {}).figures[0].value.is_err());
        assert!(Planted::linear(&[1.0, 2.0]).measure(&CompletenessGap {}).figures[0].value.is_err());
    }
}
