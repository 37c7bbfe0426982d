//! Relevance rank: the share of the highest pixels that lie in the mask.
//!
//! Of as many of the highest pixels as the mask has, the share that lies in it, 0 to 1; of equal pixels the first is the
//! higher. Higher is better; a map that knows nothing has the share of the frame that the mask covers. Arras et al., Information
//! Fusion 2022, DOI 10.1016/j.inffus.2021.11.008, arXiv 2003.07258 (relevance rank accuracy). Cost: none.

use unmask_core::{ForwardError, order};

use super::{About, Better, Case, FigureAbout, Measured, Metric, NO_MASK, Need, Size, Wrong};
use crate::catalogue::Descriptor;

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "relevance_rank",
        summary: "Share of the highest pixels that lie in the mask, as many as it has.",
        citation: "Arras et al., arXiv 2003.07258",
        params: &[],
        passes: "0",
    },
    figures: &[FigureAbout { name: "relevance_rank", better: Better::Higher }],
    needs: &[Need::Mask],
    tells: &[Wrong::Shifted, Wrong::Inverted, Wrong::Random],
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct RelevanceRank {}

impl Metric for RelevanceRank {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        0
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let value = case.mask.map(|mask| {
            let area = mask.iter().filter(|m| **m).count();
            shared(&case.map.data, mask, area) as f64 / area.max(1) as f64
        });
        Ok(Measured::of(&ABOUT, &[value.ok_or(NO_MASK)]))
    }
}

/// How many of the `top` highest values lie in the mask.
pub(super) fn shared(values: &[f32], mask: &[bool], top: usize) -> usize {
    order(values).into_iter().take(top).filter(|at| mask[*at]).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    #[test]
    fn the_share_is_of_as_many_pixels_as_the_mask_has() {
        let map = vec![4.0, 3.0, 1.0, 2.0];
        let mask = Some(vec![true, false, true, false]);
        let planted = Planted { mask, ..Planted::new(1, 4, &["real", "fake"], map, |_| vec![0.0, 0.0]) };
        assert_eq!(planted.value(&RelevanceRank {}), 0.5);
    }
}
