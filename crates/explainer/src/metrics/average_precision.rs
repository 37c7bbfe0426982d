//! Average precision of the pixels' ranking against the mask.
//!
//! The sum over the map's values, from the highest, of the precision at the value times the recall that it adds; equal pixels
//! are one value, as scikit-learn has it. Higher is better; a flat map has the share of the frame that the mask covers. Cost:
//! none.

use unmask_core::{ForwardError, order};

use super::{About, Better, Case, FigureAbout, Measured, Metric, NO_MASK, Need, Size, Wrong};
use crate::catalogue::Descriptor;

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "average_precision",
        summary: "Average precision of the pixels against the mask.",
        citation: "",
        params: &[],
        passes: "0",
    },
    figures: &[FigureAbout { name: "average_precision", better: Better::Higher }],
    needs: &[Need::Mask],
    tells: &[Wrong::Shifted, Wrong::Inverted, Wrong::Random],
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct AveragePrecision {}

impl Metric for AveragePrecision {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        0
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let value = case.mask.map(|mask| precision(&case.map.data, mask));
        Ok(Measured::of(&ABOUT, &[value.ok_or(NO_MASK)]))
    }
}

fn precision(values: &[f32], mask: &[bool]) -> f64 {
    let area = mask.iter().filter(|m| **m).count().max(1) as f64;
    let (mut taken, mut found, mut sum) = (0.0, 0.0, 0.0);
    for ties in order(values).chunk_by(|a, b| values[*a] == values[*b]) {
        let own = ties.iter().filter(|at| mask[**at]).count() as f64;
        taken += ties.len() as f64;
        found += own;
        sum += own / area * (found / taken);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_is_weighed_by_the_recall_that_is_added() {
        let mask = [true, false, true, false];
        assert_eq!(precision(&[4.0, 1.0, 3.0, 2.0], &mask), 1.0);
        // Found as the second and the fourth: (1/2 + 2/4) / 2.
        assert_eq!(precision(&[3.0, 4.0, 1.0, 2.0], &mask), 0.5);
        // The first alone, then three ties of which one is in the mask: 1/2 + 1/2 * 2/4.
        assert_eq!(precision(&[4.0, 2.0, 2.0, 2.0], &mask), 0.75);
        assert_eq!(precision(&[7.0; 4], &mask), 0.5);
    }
}
