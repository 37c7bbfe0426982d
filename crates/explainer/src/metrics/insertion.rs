//! Insertion: how fast the score rises when the highest pixels are put in.
//!
//! With s(n) the target's score on the fill into which the n highest pixels of the picture are put, and n = 0, `step`,
//! 2 `step`, ... up to all pixels, the value is the mean height of the curve by the trapezoid rule: the area over the share of
//! pixels, which lies in 0..1 where the score is a probability. Higher is better. Of equal pixels the first is put in first.
//!
//! Petsiuk et al., BMVC 2018, arXiv 1806.07421. Cost: pixels / step, rounded up; the whole picture is known. The default fill
//! is a Gaussian blur of sigma 5, as there, where the kernel is cut off at 11 pixels. Points stand where they lie, as for
//! deletion.

use unmask_core::{ForwardError, Kind, Param};

use super::{About, Better, Case, FigureAbout, Measured, Metric, Need, Size, Wrong, area};
use crate::catalogue::Descriptor;

/// Pixels that are shown at a time.
pub const STEP: Param = Param {
    name: "step",
    unit: "pixels",
    kind: Kind::Integer { default: 224, min: 1, max: 1_000_000 },
    paper: None,
    help: "Pixels that are shown at a time.",
    source: "arXiv 1806.07421",
};

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "insertion",
        summary: "Area under the score while the highest pixels are put in.",
        citation: "Petsiuk et al., BMVC 2018, arXiv 1806.07421",
        params: &[STEP],
        passes: "pixels / step",
    },
    figures: &[FigureAbout { name: "insertion", better: Better::Higher }],
    needs: &[Need::Fill],
    tells: &[Wrong::Shifted, Wrong::Inverted, Wrong::Random],
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Insertion {
    /// Pixels that are shown at a time.
    pub step: usize,
}

impl Metric for Insertion {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, size: &Size) -> u64 {
        super::removal::passes(size.height * size.width, self.step)
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let (shares, mut tops) = super::removal::points(case.map.data.len(), self.step);
        // The last point is the picture itself; the first is the fill.
        tops.pop();
        tops.insert(0, 0);
        let asked = case.ranked(&tops, true)?;
        let mut scores: Vec<f64> = asked.iter().map(|logits| case.target.value(logits)).collect();
        scores.push(case.target.value(case.logits));
        Ok(Measured::of(&ABOUT, &[Ok(area(&shares, &scores))]).with("insertion", shares, scores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    #[test]
    fn the_area_is_that_of_the_curve() {
        // The score is the sum of the shown pixels 4, 3, 2, 1 of 10: 0, 0.4, 0.7, 0.9, 1 when put in in order.
        let measured = Planted::linear(&[4.0, 3.0, 2.0, 1.0]).measure(&Insertion { step: 1 });
        assert!((measured.figures[0].value.unwrap() - (0.5 + 0.4 + 0.7 + 0.9) / 4.0).abs() < 1e-6);
        let expected = [0.0, 0.4, 0.7, 0.9, 1.0];
        assert!(measured.curves[0].y.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn a_step_over_all_pixels_leaves_the_two_ends() {
        let measured = Planted::linear(&[4.0, 6.0]).measure(&Insertion { step: 9 });
        assert!((measured.figures[0].value.unwrap() - 0.5).abs() < 1e-6);
    }
}
