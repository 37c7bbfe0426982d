//! Intersection over union of the highest pixels and the mask.
//!
//! The highest pixels are a `share` of the frame, or as many as the mask has where it is 0; of equal pixels the first is the
//! higher. 0 to 1, higher is better. Cost: none.

use unmask_core::{ForwardError, Kind, Param};

use super::relevance_rank::shared;
use super::{About, Better, Case, FigureAbout, Measured, Metric, NO_MASK, Need, Size, Wrong};
use crate::catalogue::Descriptor;

/// Share of the frame that the highest pixels make up.
pub const SHARE: Param = Param {
    name: "share",
    unit: "",
    kind: Kind::Real { default: 0.0, min: 0.0, max: 1.0 },
    paper: None,
    help: "Share of the frame that the highest pixels make up; 0 stands for as many as the mask has.",
    source: "ours: no share fits masks of all sizes",
};

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "iou",
        summary: "Intersection over union of the highest pixels and the mask.",
        citation: "",
        params: &[SHARE],
        passes: "0",
    },
    figures: &[FigureAbout { name: "iou", better: Better::Higher }],
    needs: &[Need::Mask],
    tells: &[Wrong::Shifted, Wrong::Inverted, Wrong::Random],
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Iou {
    /// Share of the frame that the highest pixels make up; 0 stands for as many as the mask has.
    pub share: f64,
}

impl Metric for Iou {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        0
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let value = case.mask.map(|mask| overlap(&case.map.data, mask, self.share));
        Ok(Measured::of(&ABOUT, &[value.ok_or(NO_MASK)]))
    }
}

/// Intersection over union of the mask with the highest values: a share of them, or as many as the mask has where it is 0.
pub fn overlap(values: &[f32], mask: &[bool], share: f64) -> f64 {
    let area = mask.iter().filter(|m| **m).count();
    let top = if share > 0.0 { (share * values.len() as f64).round() as usize } else { area };
    let shared = shared(values, mask, top);
    let union = area + top - shared;
    if union == 0 { 0.0 } else { shared as f64 / union as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [bool; 4] = [true, false, true, false];

    #[test]
    fn as_many_pixels_are_taken_as_the_mask_has() {
        assert_eq!(overlap(&[4.0, 1.0, 3.0, 2.0], &MASK, 0.0), 1.0);
        // The two highest share one with the mask: one of three.
        assert_eq!(overlap(&[4.0, 3.0, 1.0, 2.0], &MASK, 0.0), 1.0 / 3.0);
        assert_eq!((overlap(&[7.0; 4], &MASK, 0.0), overlap(&[1.0; 2], &[false; 2], 0.0)), (1.0 / 3.0, 0.0));
        assert_eq!(overlap(&[-0.0, 0.0, -0.0, 0.0], &MASK, 0.0), 1.0 / 3.0);
    }

    #[test]
    fn or_a_share_of_the_frame() {
        assert_eq!(overlap(&[4.0, 3.0, 1.0, 2.0], &MASK, 0.25), 0.5);
        assert_eq!(overlap(&[4.0, 3.0, 1.0, 2.0], &MASK, 1.0), 0.5);
    }
}
