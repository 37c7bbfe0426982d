//! Pixel flipping: how far the score falls, on average, while patches are taken away, the most relevant first.
//!
//! The frame is cut into patches of `patch` pixels a side from the top left, those at the right and lower edge smaller where
//! it does not divide; a patch's relevance is the sum of the map inside. With x_k the picture without its k most relevant
//! patches, L the smaller of `regions` and the number of patches, and f the target's score, the value is the area over the
//! perturbation curve
//!
//! ```text
//! AOPC = 1 / (L + 1) * sum over k = 0..L of f(x) - f(x_k)
//! ```
//!
//! Higher is better. Of equal patches the first is taken first. Samek et al., IEEE TNNLS 2017, DOI
//! 10.1109/TNNLS.2016.2599820, arXiv 1509.06321. Cost: L passes. The paper takes 100 regions; patches of 8 and black as the
//! default fill are Quantus' (the paper draws 9 x 9 pixels at random).

use std::sync::Arc;

use unmask_core::{ForwardError, Kind, LabelMap, Param, Perturbation, order};

use super::{About, Better, Case, FigureAbout, Measured, Metric, Need, Size, Wrong};
use crate::catalogue::Descriptor;

/// Side of a patch.
pub const PATCH: Param = Param {
    name: "patch",
    unit: "pixels",
    kind: Kind::Integer { default: 8, min: 1, max: 256 },
    paper: None,
    help: "Side of a patch.",
    source: "Quantus",
};
/// Most patches that are hidden.
pub const REGIONS: Param = Param {
    name: "regions",
    unit: "patches",
    kind: Kind::Integer { default: 100, min: 1, max: 10_000 },
    paper: None,
    help: "Most patches that are hidden.",
    source: "arXiv 1509.06321",
};

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "pixel_flipping",
        summary: "Mean fall of the score while patches are taken away, the most relevant first.",
        citation: "Samek et al., IEEE TNNLS 2017, arXiv 1509.06321",
        params: &[PATCH, REGIONS],
        passes: "at most regions",
    },
    figures: &[FigureAbout { name: "pixel_flipping", better: Better::Higher }],
    needs: &[Need::Fill],
    tells: &[Wrong::Shifted, Wrong::Inverted, Wrong::Random],
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelFlipping {
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Most patches that are hidden.
    pub regions: usize,
}

impl PixelFlipping {
    fn steps(&self, height: usize, width: usize) -> usize {
        self.regions.min(height.div_ceil(self.patch) * width.div_ceil(self.patch))
    }
}

impl Metric for PixelFlipping {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, size: &Size) -> u64 {
        self.steps(size.height, size.width) as u64
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let (height, width) = (case.map.height, case.map.width);
        let across = width.div_ceil(self.patch);
        let number = |i: usize| (i / width / self.patch * across + i % width / self.patch) as u32;
        let numbers: Vec<u32> = (0..height * width).map(number).collect();
        let patches = Arc::new(LabelMap::new(height, width, &numbers).expect("a number for each pixel"));
        let mut sums = vec![0.0f64; patches.count()];
        numbers.iter().zip(&case.map.data).for_each(|(patch, v)| sums[*patch as usize] += f64::from(*v));
        // Ranked as numbers of the map's own precision, so that equal sums are equal.
        let sums: Vec<f32> = sums.iter().map(|sum| *sum as f32).collect();
        let mut shown = vec![true; sums.len()];
        let labels = Arc::clone(&patches);
        let items = order(&sums).into_iter().take(self.steps(height, width)).map(move |patch| {
            shown[patch] = false;
            Perturbation::Segments { labels: Arc::clone(&labels), shown: shown.as_slice().into() }
        });
        let logits = case.ask(case.fill, items)?;
        let whole = case.target.value(case.logits);
        let scores: Vec<f64> =
            std::iter::once(whole).chain(logits.iter().map(|logits| case.target.value(logits))).collect();
        let value = scores.iter().map(|score| whole - score).sum::<f64>() / scores.len() as f64;
        let shares = (0..scores.len()).map(|k| k as f64 / sums.len() as f64).collect();
        Ok(Measured::of(&ABOUT, &[Ok(value)]).with("pixel_flipping", shares, scores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    #[test]
    fn the_value_is_the_mean_fall_over_the_steps_and_the_untouched_picture() {
        // Pairs of pixels 5, 3 and 1 of 9 in all, the last alone: falls 0, 5/9, 8/9, 1.
        let planted = Planted::linear(&[4.0, 1.0, 1.0, 2.0, 1.0]);
        let value = planted.value(&PixelFlipping { patch: 2, regions: 100 });
        assert!((value - (5.0 + 8.0 + 9.0) / 9.0 / 4.0).abs() < 1e-6, "{value}");
    }

    #[test]
    fn it_ends_after_as_many_patches_as_asked_for() {
        let planted = Planted::linear(&[4.0, 1.0, 1.0, 2.0, 1.0]);
        let measured = planted.measure(&PixelFlipping { patch: 1, regions: 2 });
        assert!((measured.figures[0].value.unwrap() - (4.0 + 6.0) / 9.0 / 3.0).abs() < 1e-6);
        assert_eq!(measured.curves[0].x, [0.0, 0.2, 0.4]);
        let size = Size { height: 1, width: 5, again: None };
        assert_eq!(PixelFlipping { patch: 2, regions: 100 }.announced(&size), 3);
    }
}
