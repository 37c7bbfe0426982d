//! Pointing game: whether the highest pixel lies in the mask.
//!
//! 1 where the highest pixel lies within `tolerance` pixels of a pixel of the mask, else 0; of equal pixels the first is the
//! highest. Higher is better. Zhang et al., ECCV 2016, arXiv 1608.00507, with a tolerance of 15 pixels; without one by default,
//! as Quantus has it. Cost: none.

use unmask_core::{ForwardError, Kind, Param, order};

use super::{About, Better, Case, FigureAbout, Measured, Metric, NO_MASK, Need, Size, Wrong};
use crate::catalogue::Descriptor;

/// How far outside of the mask still counts.
pub const TOLERANCE: Param = Param {
    name: "tolerance",
    unit: "pixels",
    kind: Kind::Integer { default: 0, min: 0, max: 64 },
    paper: None,
    help: "How far outside of the mask still counts.",
    source: "Quantus; 15 in arXiv 1608.00507",
};

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "pointing_game",
        summary: "Whether the highest pixel lies in the mask.",
        citation: "Zhang et al., ECCV 2016, arXiv 1608.00507",
        params: &[TOLERANCE],
        passes: "0",
    },
    figures: &[FigureAbout { name: "pointing_game", better: Better::Higher }],
    needs: &[Need::Mask],
    tells: &[Wrong::Shifted, Wrong::Inverted],
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct PointingGame {
    /// How far outside of the mask still counts.
    pub tolerance: usize,
}

impl Metric for PointingGame {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        0
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let hit =
            |mask: &[bool]| if hit(&case.map.data, mask, case.map.width, self.tolerance) { 1.0 } else { 0.0 };
        Ok(Measured::of(&ABOUT, &[case.mask.map(hit).ok_or(NO_MASK)]))
    }
}

/// Whether the highest of `values` lies within `tolerance` pixels of the mask, both row-major in rows of `width`.
pub fn hit(values: &[f32], mask: &[bool], width: usize, tolerance: usize) -> bool {
    let Some(best) = order(values).first().copied() else { return false };
    let (y, x) = (best / width, best % width);
    let near = |at: usize| {
        let (dy, dx) = (y.abs_diff(at / width), x.abs_diff(at % width));
        dy * dy + dx * dx <= tolerance * tolerance
    };
    (0..mask.len()).any(|at| mask[at] && near(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [bool; 4] = [true, false, true, false];

    #[test]
    fn the_first_of_the_highest_is_looked_at() {
        assert!(hit(&[1.0, 0.0, 1.0, 1.0], &MASK, 4, 0));
        assert!(!hit(&[0.0, 2.0, 1.0, 2.0], &MASK, 4, 0));
        assert!(hit(&[-0.0, 0.0, -0.0, 0.0], &MASK, 4, 0));
        assert!(!hit(&[], &[], 4, 0));
    }

    #[test]
    fn the_tolerance_is_a_radius() {
        // Three rows of three; the mask is the top left corner and the highest pixel the one below right of the middle.
        let mut mask = [false; 9];
        mask[0] = true;
        let mut values = [0.0; 9];
        values[8] = 1.0;
        assert!(!hit(&values, &mask, 3, 2) && hit(&values, &mask, 3, 3));
    }
}
