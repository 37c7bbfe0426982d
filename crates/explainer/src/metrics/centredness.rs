//! Centredness: how far the evidence lies from the frame's centre.
//!
//! The distance of the mean position of the positive evidence from the middle of the frame, over the frame's diagonal: 0 in the
//! middle, at most 0.5. Neither way is better: it tells how much a map looks like the trivial one that knows nothing but that
//! faces lie in the middle. After Pino et al., arXiv 2105.05902, whose own formula could not be read: this definition is ours.
//! Cost: none.

use unmask_core::ForwardError;

use super::spread::{Centre, diagonal};
use super::{About, Better, Case, FigureAbout, Measured, Metric, NOTHING, Size};
use crate::catalogue::Descriptor;

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "centredness",
        summary: "How far the evidence lies from the frame's centre, of the diagonal.",
        citation: "after Pino et al., arXiv 2105.05902",
        params: &[],
        passes: "0",
    },
    figures: &[FigureAbout { name: "centredness", better: Better::Neither }],
    needs: &[],
    tells: &[],
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Centredness {}

impl Metric for Centredness {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        0
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let middle = |side: usize| (side as f64 - 1.0) / 2.0;
        let value = Centre::of(case).map(|centre| {
            let (y, x) = (centre.y.0 - middle(case.map.height), centre.x.0 - middle(case.map.width));
            y.hypot(x) / diagonal(case)
        });
        Ok(Measured::of(&ABOUT, &[value.ok_or(NOTHING)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    #[test]
    fn the_distance_is_from_the_middle_of_the_frame() {
        let value = |map: &[f32]| {
            Planted::new(3, 4, &["real", "fake"], map.to_vec(), |_| vec![0.0, 0.0]).value(&Centredness {})
        };
        assert!(value(&[1.0; 12]) < 1e-12);
        // The top left corner: 1 row and 1.5 columns from the middle, of a diagonal of 5.
        let mut map = [0.0; 12];
        map[0] = 2.0;
        assert!((value(&map) - 1f64.hypot(1.5) / 5.0).abs() < 1e-12);
    }
}
