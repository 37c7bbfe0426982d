//! Relevance mass: the share of the evidence that lies in the mask.
//!
//! The sum of what speaks for the target inside the mask over the sum of it everywhere, 0 to 1. Higher is better; a map that
//! knows nothing has the share of the frame that the mask covers. Of a map that reads as importance the lowest value is taken
//! off first. Arras et al., Information Fusion 2022, DOI 10.1016/j.inffus.2021.11.008, arXiv 2003.07258 (relevance mass
//! accuracy); the energy-based pointing game of Wang et al., arXiv 1910.01279, is the same. Cost: none.

use unmask_core::ForwardError;

use super::{About, Better, Case, FigureAbout, Measured, Metric, NO_MASK, NOTHING, Need, Size, Wrong};
use crate::catalogue::Descriptor;

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "relevance_mass",
        summary: "Share of the evidence that lies in the mask.",
        citation: "Arras et al., arXiv 2003.07258",
        params: &[],
        passes: "0",
    },
    figures: &[FigureAbout { name: "relevance_mass", better: Better::Higher }],
    needs: &[Need::Mask],
    tells: &[Wrong::Shifted, Wrong::Inverted, Wrong::Random],
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct RelevanceMass {}

impl Metric for RelevanceMass {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        0
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let share = |mask: &[bool]| share(case.evidence().into_iter(), mask).ok_or(NOTHING);
        Ok(Measured::of(&ABOUT, &[case.mask.ok_or(NO_MASK).and_then(share)]))
    }
}

/// Share of the positive values that lies in the mask; `None` where nothing is positive.
fn share(values: impl Iterator<Item = f64>, mask: &[bool]) -> Option<f64> {
    let (mut all, mut inside) = (0.0, 0.0);
    for (value, inner) in values.zip(mask) {
        all += value.max(0.0);
        inside += if *inner { value.max(0.0) } else { 0.0 };
    }
    (all > 0.0).then(|| inside / all)
}

#[cfg(test)]
mod tests {
    use unmask_core::Reading;

    use super::*;
    use crate::metrics::planted::Planted;

    const MASK: [bool; 4] = [true, false, true, false];

    fn planted(map: &[f32], reading: Reading) -> Planted {
        let mask = Some(MASK.to_vec());
        Planted { mask, reading, ..Planted::new(1, 4, &["real", "fake"], map.to_vec(), |_| vec![0.0, 0.0]) }
    }

    #[test]
    fn the_share_is_of_what_is_positive() {
        let value = |map: &[f32], reading| planted(map, reading).measure(&RelevanceMass {}).figures[0].value;
        assert_eq!(value(&[3.0, 1.0, -9.0, 0.0], Reading::Evidence), Ok(0.75));
        // Less the lowest value: 2, 0, 1, 1.
        assert_eq!(value(&[5.0, 3.0, 4.0, 4.0], Reading::Importance), Ok(0.75));
        assert_eq!(value(&[-1.0; 4], Reading::Evidence), Err(NOTHING));
        let blind = Planted { mask: None, ..planted(&[1.0; 4], Reading::Evidence) };
        assert_eq!(blind.measure(&RelevanceMass {}).figures[0].value, Err(NO_MASK));
    }

    #[test]
    fn above_the_mean_is_what_rises_above_it() {
        // Mean 1: above it 3 inside and 1 outside.
    }
}
