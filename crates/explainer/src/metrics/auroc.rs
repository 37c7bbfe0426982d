//! Area under the receiver operating characteristic of the pixels' ranking against the mask.
//!
//! The probability that a pixel of the mask is higher than one outside, ties counted half; 0.5 for a flat map. Higher is better.
//! Fawcett, DOI 10.1016/j.patrec.2005.10.010. Cost: none.

use unmask_core::{ForwardError, order};

use super::{About, Better, Case, FigureAbout, Measured, Metric, NO_MASK, Need, Size, Wrong};
use crate::catalogue::Descriptor;

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "auroc",
        summary: "Area under the receiver operating characteristic of the pixels against the mask.",
        citation: "Fawcett, DOI 10.1016/j.patrec.2005.10.010",
        params: &[],
        passes: "0",
    },
    figures: &[FigureAbout { name: "auroc", better: Better::Higher }],
    needs: &[Need::Mask],
    tells: &[Wrong::Shifted, Wrong::Inverted, Wrong::Random],
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Auroc {}

impl Metric for Auroc {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        0
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let value = case.mask.ok_or(NO_MASK);
        let value = value.and_then(|mask| area(&case.map.data, mask).ok_or("the mask is empty or full"));
        Ok(Measured::of(&ABOUT, &[value]))
    }
}

/// The area by mid-ranks; `None` where the mask is empty or full.
pub fn area(values: &[f32], mask: &[bool]) -> Option<f64> {
    let inside = mask.iter().filter(|m| **m).count();
    let outside = mask.len() - inside;
    if inside == 0 || outside == 0 {
        return None;
    }
    let (mut ranks, mut above) = (0.0, 0);
    for ties in order(values).chunk_by(|a, b| values[*a] == values[*b]) {
        // Ranks count from the lowest.
        let middle = (values.len() - above) as f64 - (ties.len() as f64 - 1.0) / 2.0;
        ranks += middle * ties.iter().filter(|at| mask[**at]).count() as f64;
        above += ties.len();
    }
    let inside = inside as f64;
    Some((ranks - inside * (inside + 1.0) / 2.0) / (inside * outside as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [bool; 4] = [true, false, true, false];

    #[test]
    fn pairs_in_order_count_and_ties_half() {
        assert_eq!(area(&[4.0, 1.0, 3.0, 2.0], &MASK), Some(1.0));
        assert_eq!(area(&[1.0, 4.0, 2.0, 3.0], &MASK), Some(0.0));
        // Pairs: 3 over 2, 3 over 1, 2 with 2 (half), 2 over 1.
        assert_eq!(area(&[3.0, 2.0, 2.0, 1.0], &MASK), Some(3.5 / 4.0));
        assert_eq!(area(&[7.0; 4], &MASK), Some(0.5));
        assert_eq!(area(&[-0.0, 0.0, -0.0, 0.0], &MASK), Some(0.5));
        assert_eq!((area(&[1.0; 2], &[true; 2]), area(&[1.0; 2], &[false; 2])), (None, None));
    }
}
