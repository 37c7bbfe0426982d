//! RISE: random masks, folded by score.
//!
//! Petsiuk, Das, Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018,
//! arXiv 1806.07421.
//!
//! A mask is a `grid` x `grid` lattice of independent bits, 1 with probability `keep_probability`, stretched bilinearly
//! to a plane one cell larger than the picture and cut at a random offset. With M_i the mask `[H, W]`, s_i the explained
//! scalar of `M_i * image + (1 - M_i) * fill` and s its mean over the N masks, the map `[H, W]` is
//!
//! ```text
//! S(x) = sum_i (s_i - s) M_i(x) / sum_i M_i(x)
//! ```
//!
//! in the unit of the score: how much higher the score is, on average, when pixel x shows. Cost: N passes.
//!
//! Departures from the paper: the score is the log-odds of the target instead of its probability, so that a confident
//! model does not saturate; its mean is taken off and the sum is divided by the shown weight of each pixel instead of
//! `N * keep_probability`, so that the map is signed and uneven coverage adds no noise; each mask has an offset of its
//! own, drawn from (seed, mask number), so that batch size cannot change the map.
//!
//! `centred = false` is the fold of the code of arXiv 2502.03957, `sum_i s_i M_i(x) / (0.1 N)`: importance, in which a constant
//! score times the mean mask is left, so that only differences within the map mean something.

use std::ops::ControlFlow;

use unmask_core::{
    Cells, Draws, Filter, ForwardError, Kind, Map, Param, Perturbation, Preset, ROUND, Reading, Value,
};

use super::{Context, Explanation, Figures};
use crate::catalogue::Descriptor;

/// Number of masks.
pub const MASKS: Param = Param {
    name: "masks",
    unit: "masks",
    kind: Kind::Integer { default: 4000, min: 128, max: 100_000 },
    paper: None,
    help: "Number of random masks; the error falls with its square root.",
    source: "Petsiuk et al., arXiv 1806.07421 (VGG16)",
};
/// Rows and columns of the lattice.
pub const GRID: Param = Param {
    name: "grid",
    unit: "cells",
    kind: Kind::Integer { default: 7, min: 2, max: 32 },
    paper: None,
    help: "Rows and columns of the random lattice; more cells find smaller regions and need more masks.",
    source: "Petsiuk et al., arXiv 1806.07421",
};
/// Probability that a cell shows the image.
pub const KEEP_PROBABILITY: Param = Param {
    name: "keep_probability",
    unit: "probability",
    kind: Kind::Real { default: 0.5, min: 0.01, max: 0.99 },
    paper: Some(Value::Real(0.539_827_837_277_029)),
    help: "Probability that a cell shows the picture.",
    source: "Petsiuk et al., arXiv 1806.07421",
};

/// How scores are folded.
pub const CENTRED: Param = Param {
    name: "centred",
    unit: "",
    kind: Kind::Flag(true),
    paper: Some(Value::Flag(false)),
    help: "Whether scores are folded less their mean and divided by each pixel's shown weight.",
    source: "ours: the map is signed and uneven coverage adds no noise",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "rise",
    summary: "Random masks: how much higher the score is, on average, when a pixel shows.",
    citation: "Petsiuk et al., BMVC 2018, arXiv 1806.07421",
    params: &[MASKS, GRID, KEEP_PROBABILITY, CENTRED],
    passes: "masks",
};

/// Parameters of RISE.
#[derive(Clone, Debug, PartialEq)]
pub struct Rise {
    /// Number of masks.
    pub masks: u64,
    /// Rows and columns of the lattice.
    pub grid: usize,
    /// Probability that a cell shows the image.
    pub keep_probability: f64,
    /// Whether scores are folded less their mean and divided by each pixel's shown weight.
    pub centred: bool,
}

impl Rise {
    pub(super) fn announced(&self) -> u64 {
        self.masks
    }

    pub(super) fn least(&self) -> u64 {
        self.masks.min(ROUND as u64)
    }

    pub(super) fn explain(&self, context: &Context<'_>) -> Result<Explanation, ForwardError> {
        let (height, width) = (context.image.height(), context.image.width());
        let mut fold = Fold::new(height, width);
        let mask = |index| Perturbation::Cells(self.mask(context.seed, index, height, width));
        let mut rounds = context.rounds(self.masks, mask);
        let ended = context.forward.run(&mut rounds, &mut |round, scores| {
            for (index, row) in (round as u64 * ROUND as u64..).zip(scores.rows()) {
                // The score of the untouched image is taken off first: a model that never changes its mind then adds
                // exact zeros.
                let score = context.target.value(row) - if self.centred { context.image_score } else { 0.0 };
                fold.add(score, &self.mask(context.seed, index, height, width));
            }
            ControlFlow::Continue(())
        })?;
        if fold.masks == 0.0 {
            return Err(ForwardError::Unanswered(ended));
        }
        let reading = if self.centred { Reading::Evidence } else { Reading::Importance };
        Ok(Explanation { map: fold.finish(self.centred), reading, figures: Figures::default(), ended })
    }

    /// Mask number `index`: a function of the seed and its number alone.
    fn mask(&self, seed: u64, index: u64, height: usize, width: usize) -> Cells {
        let mut draws = Draws::new(seed, index);
        let cell = (height.div_ceil(self.grid), width.div_ceil(self.grid));
        let offset = (draws.below(cell.0 as u32) as usize, draws.below(cell.1 as u32) as usize);
        let keep = self.keep_probability as f32;
        let bits = (0..self.grid * self.grid).map(|_| if draws.unit() < keep { 1.0 } else { 0.0 });
        Cells {
            rows: self.grid,
            cols: self.grid,
            values: bits.collect(),
            plane: ((self.grid + 1) * cell.0, (self.grid + 1) * cell.1),
            offset,
            filter: Filter::Bilinear,
        }
    }
}

impl Rise {
    /// The parameters of a preset.
    pub fn preset(preset: Preset) -> Self {
        let ignored = &mut Vec::new();
        Self {
            masks: MASKS.integer(None, preset, "", ignored),
            grid: GRID.integer(None, preset, "", ignored) as usize,
            keep_probability: KEEP_PROBABILITY.real(None, preset, "", ignored),
            centred: CENTRED.flag(None, preset),
        }
    }
}

impl Default for Rise {
    fn default() -> Self {
        Self::preset(Preset::Clean)
    }
}

/// What the code of arXiv 2502.03957 divides by, per mask, though its masks show more.
const PAPER_SHOWN: f64 = 0.1;

/// Running sums over masks, in float64 and in the order of the masks.
pub struct Fold {
    shares: Vec<f32>,
    weighted: Vec<f64>,
    shown: Vec<f64>,
    total: f64,
    masks: f64,
    shape: (usize, usize),
}

impl Fold {
    /// Nothing yet, for pictures of this size.
    pub fn new(height: usize, width: usize) -> Self {
        let pixels = height * width;
        Self {
            shares: vec![0.0; pixels],
            weighted: vec![0.0; pixels],
            shown: vec![0.0; pixels],
            total: 0.0,
            masks: 0.0,
            shape: (height, width),
        }
    }

    /// Takes in a mask and its score.
    pub fn add(&mut self, score: f64, mask: &Cells) {
        mask.shares(self.shape.0, self.shape.1, &mut self.shares);
        for ((share, weighted), shown) in self.shares.iter().zip(&mut self.weighted).zip(&mut self.shown) {
            *weighted += score * f64::from(*share);
            *shown += f64::from(*share);
        }
        self.total += score;
        self.masks += 1.0;
    }

    /// The map. A pixel that no mask has shown says nothing: 0.
    pub fn finish(self, centred: bool) -> Map {
        let mean = self.total / self.masks;
        let value = |(weighted, shown): (&f64, &f64)| match centred {
            false => (weighted / (self.masks * PAPER_SHOWN)) as f32,
            true if *shown > 0.0 => (weighted / shown - mean) as f32,
            true => 0.0,
        };
        Map {
            height: self.shape.0,
            width: self.shape.1,
            data: self.weighted.iter().zip(&self.shown).map(value).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::{Method, common_checks as planted};

    #[test]
    fn masks_show_half_of_the_picture_on_average() {
        let rise = Rise::default();
        let mut shares = vec![0.0; 64 * 64];
        let mut mean = 0.0;
        for index in 0..500 {
            rise.mask(1, index, 64, 64).shares(64, 64, &mut shares);
            mean += shares.iter().map(|s| f64::from(*s)).sum::<f64>() / (64.0 * 64.0 * 500.0);
        }
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
    }

    #[test]
    fn every_mask_has_an_offset_of_its_own() {
        let rise = Rise::default();
        let offsets: std::collections::BTreeSet<_> =
            (0..128).map(|i| rise.mask(0, i, 128, 128).offset).collect();
        assert!(offsets.len() > 80, "{}", offsets.len());
    }

    #[test]
    fn regions_of_a_linear_model_are_ranked_exactly() {
        // The lattice is finer than the regions: a coarse one blurs neighbours into each other, which no number of
        // masks undoes.
        let method = Method::Rise(Rise { masks: 40_000, grid: 16, ..Rise::default() });
        planted::assert_ranks_a_linear_model(&method);
    }
}
