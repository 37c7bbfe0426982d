//! Deletion: how fast the score falls when the highest pixels are taken away.
//!
//! With s(n) the target's score on the picture whose n highest pixels are hidden, and n = 0, `step`, 2 `step`, ... up to all
//! pixels, the value is the mean height of the curve by the trapezoid rule: the area over the share of pixels, which lies in
//! 0..1 where the score is a probability. Lower is better. Of equal pixels the first is hidden first.
//!
//! Petsiuk et al., BMVC 2018, arXiv 1806.07421. Cost: pixels / step, rounded up; the untouched picture is known. The
//! reference code spaces its points evenly although the last step may be shorter; here a point stands where it lies, so that
//! the two differ where `step` does not divide the number of pixels. The default fill is 0 in the model's units, as there.
//!
//! On a detector of manipulation hold a smooth map against smooth ones: a random map strews its pixels over the whole face, which
//! undoes the traces that such a detector looks for at once, and does best whatever it knows.

use unmask_core::{ForwardError, Kind, Param};

use super::{About, Better, Case, FigureAbout, Measured, Metric, Need, Size, Wrong, area};
use crate::catalogue::Descriptor;

/// Pixels that are hidden at a time.
pub const STEP: Param = Param {
    name: "step",
    unit: "pixels",
    kind: Kind::Integer { default: 224, min: 1, max: 1_000_000 },
    paper: None,
    help: "Pixels that are hidden at a time.",
    source: "arXiv 1806.07421",
};

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "deletion",
        summary: "Area under the score while the highest pixels are taken away.",
        citation: "Petsiuk et al., BMVC 2018, arXiv 1806.07421",
        params: &[STEP],
        passes: "pixels / step",
    },
    figures: &[FigureAbout { name: "deletion", better: Better::Lower }],
    needs: &[Need::Fill],
    tells: &[Wrong::Shifted, Wrong::Inverted, Wrong::Random],
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Deletion {
    /// Pixels that are hidden at a time.
    pub step: usize,
}

impl Metric for Deletion {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, size: &Size) -> u64 {
        super::removal::passes(size.height * size.width, self.step)
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let pixels = case.map.data.len();
        let (shares, tops) = super::removal::points(pixels, self.step);
        let mut scores = vec![case.target.value(case.logits)];
        scores.extend(case.ranked(&tops, false)?.iter().map(|logits| case.target.value(logits)));
        Ok(Measured::of(&ABOUT, &[Ok(area(&shares, &scores))]).with("deletion", shares, scores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    #[test]
    fn the_area_is_that_of_the_curve() {
        // The score is the mean of the shown pixels 4, 3, 2, 1 of 10: 1, 0.6, 0.3, 0.1, 0 when taken in order.
        let planted = Planted::linear(&[4.0, 3.0, 2.0, 1.0]);
        let measured = planted.measure(&Deletion { step: 1 });
        assert!((measured.figures[0].value.unwrap() - (0.5 + 0.6 + 0.3 + 0.1) / 4.0).abs() < 1e-6);
        assert_eq!(measured.curves[0].x, [0.0, 0.25, 0.5, 0.75, 1.0]);
    }
}
