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
//! `paired` lets every mask be followed by its complement at the same offset (antithetic variates: Hammersley and Morton, 1956,
//! DOI 10.1017/S0305004100031455; for sets of segments, Covert and Lee, arXiv 2012.01536), where `keep_probability` is 0.5, so that
//! complements are as likely as masks. The mean of the scores then cancels within a pair, and what each cell does alone counts as one
//! draw and not as two. The centred fold has taken the mean off already, so that its errors grow with pairs, by up to the root of two;
//! without it they shrink where the score's mean is large beside what moves it. The default is independent masks.
//!
//! `centred = false` is the fold of the code of arXiv 2502.03957, `sum_i s_i M_i(x) / (0.1 N)`: importance, in which a constant
//! score times the mean mask is left, so that only differences within the map mean something.

use std::collections::BTreeMap;

use unmask_core::{Cells, Draws, Filter, ForwardError, Kind, Map, Param, Preset, ROUND, Reading, Tap, Value};

use super::{Context, Explanation, Figures};
use crate::catalogue::Descriptor;

mod error;
mod masked;

pub(crate) use masked::{Masked, Masking};

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

/// Whether each mask is followed by its complement.
pub const PAIRED: Param = Param {
    name: "paired",
    unit: "",
    kind: Kind::Flag(false),
    paper: None,
    help: "Whether each mask is followed by its complement; only with a keep_probability of 0.5.",
    source: "Petsiuk et al., arXiv 1806.07421: independent masks",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "rise",
    summary: "Random masks: how much higher the score is, on average, when a pixel shows.",
    citation: "Petsiuk et al., BMVC 2018, arXiv 1806.07421",
    params: &[MASKS, GRID, KEEP_PROBABILITY, CENTRED, PAIRED],
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
    /// Whether each mask is followed by its complement; `keep_probability` is 0.5 then.
    pub paired: bool,
}

impl Rise {
    pub(super) fn announced(&self) -> u64 {
        self.masks
    }

    pub(super) fn least(&self) -> u64 {
        self.masks.min(ROUND as u64)
    }

    pub(super) fn explain(&self, context: &Context<'_>) -> Result<Explanation, ForwardError> {
        let masking = Masking {
            image: context.image,
            fill: context.fill,
            shape: (context.image.height(), context.image.width()),
            segments: context.segments,
            seed: context.seed,
            round: ROUND,
            forward: context.forward,
        };
        // The score of the untouched image is taken off first: a model that never changes its mind then adds
        // exact zeros.
        let untouched = if self.centred { context.image_score } else { 0.0 };
        let masked = self.masked(
            &masking,
            |row| context.target.value(row) - untouched,
            |folded, so_far| context.shown(folded, || so_far().map(|masked| self.explanation(masked))),
        )?;
        Ok(self.explanation(masked))
    }

    fn explanation(&self, Masked { map, errors, ended, .. }: Masked) -> Explanation {
        let reading = if self.centred { Reading::Evidence } else { Reading::Importance };
        Explanation { map, reading, figures: Figures::default(), errors, ended }
    }

    /// Masks that are one draw.
    fn together(&self) -> usize {
        if self.paired { 2 } else { 1 }
    }

    /// Mask number `index`: a function of the seed and its number alone.
    fn mask(&self, seed: u64, index: u64, height: usize, width: usize) -> Cells {
        let together = self.together() as u64;
        let mut draws = Draws::new(seed, index / together);
        let turned = index % together == 1;
        let cell = (height.div_ceil(self.grid), width.div_ceil(self.grid));
        let offset = (draws.below(cell.0 as u32) as usize, draws.below(cell.1 as u32) as usize);
        let keep = self.keep_probability as f32;
        let bits =
            (0..self.grid * self.grid).map(|_| if (draws.unit() < keep) != turned { 1.0 } else { 0.0 });
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
            paired: PAIRED.flag(None, preset),
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

/// Running sums over masks of one shape, in float64 and in the order of the masks.
///
/// A mask is linear in its lattice, and masks cut at the same offset are stretched by the same weights: they are summed on the
/// lattice, and each offset is stretched once, at the end.
pub struct Fold {
    shape: (usize, usize),
    /// By column and row of the offset.
    offsets: BTreeMap<(usize, usize), Sums>,
    /// Any mask, of which only the shape is of interest.
    mask: Option<Cells>,
    total: f64,
    masks: f64,
}

/// Sums on the lattice, each cell's weighted and plain.
struct Sums(Vec<[f64; 2]>);

impl Fold {
    /// Nothing yet, for pictures of this size.
    pub fn new(height: usize, width: usize) -> Self {
        Self { shape: (height, width), offsets: BTreeMap::new(), mask: None, total: 0.0, masks: 0.0 }
    }

    /// Takes in a mask and its score. All masks have the shape of the first.
    pub fn add(&mut self, score: f64, mask: &Cells) {
        let (row, col) = mask.offset;
        let sums = self.offsets.entry((col, row)).or_insert_with(|| Sums(vec![[0.0; 2]; mask.values.len()]));
        for ([weighted, shown], value) in sums.0.iter_mut().zip(&mask.values) {
            *weighted += score * f64::from(*value);
            *shown += f64::from(*value);
        }
        self.mask.get_or_insert_with(|| mask.clone());
        self.total += score;
        self.masks += 1.0;
    }

    /// The mean of the scores so far.
    fn mean(&self) -> f64 {
        self.total / self.masks
    }

    /// The map of the masks so far.
    pub fn finish(&self, centred: bool) -> Map {
        self.map(&self.stretched(), centred)
    }

    /// The map, of the sums of every pixel. A pixel that no mask has shown says nothing: 0.
    fn map(&self, sums: &[[f64; 2]], centred: bool) -> Map {
        let mean = self.mean();
        let value = |[weighted, shown]: &[f64; 2]| match centred {
            false => (weighted / (self.masks * PAPER_SHOWN)) as f32,
            true if *shown > 0.0 => (weighted / shown - mean) as f32,
            true => 0.0,
        };
        Map { height: self.shape.0, width: self.shape.1, data: sums.iter().map(value).collect() }
    }

    /// Weighted and plain sum of every pixel: down for each offset, then across for each column that an offset begins at.
    fn stretched(&self) -> Vec<[f64; 2]> {
        let (height, width) = self.shape;
        let mut frame = vec![[0.0; 2]; height * width];
        let Some(mask) = &self.mask else { return frame };
        let mut offsets = self.offsets.iter().peekable();
        while let Some(col) = offsets.peek().map(|((col, _), _)| *col) {
            let mut tall = vec![[0.0; 2]; height * mask.cols];
            let mut placed = mask.clone();
            while let Some(((_, row), sums)) = offsets.next_if(|((own, _), _)| *own == col) {
                placed.offset = (*row, col);
                for (y, out) in tall.chunks_exact_mut(mask.cols).enumerate() {
                    let tap = placed.down(y);
                    let line = |row: usize| &sums.0[row * mask.cols..(row + 1) * mask.cols];
                    let pairs = line(tap.first).iter().zip(line(tap.second));
                    out.iter_mut().zip(pairs).for_each(|(out, (a, b))| mix(out, a, b, tap.weight));
                }
            }
            let across: Vec<Tap> = (0..width).map(|x| placed.across(x)).collect();
            for (line, out) in tall.chunks_exact(mask.cols).zip(frame.chunks_exact_mut(width)) {
                for (out, tap) in out.iter_mut().zip(&across) {
                    mix(out, &line[tap.first], &line[tap.second], tap.weight);
                }
            }
        }
        frame
    }
}

fn mix(out: &mut [f64; 2], first: &[f64; 2], second: &[f64; 2], weight: f32) {
    let weight = f64::from(weight);
    for i in 0..2 {
        out[i] += first[i] + weight * (second[i] - first[i]);
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
    fn a_pair_shows_every_pixel_exactly_once() {
        let rise = Rise { paired: true, ..Rise::default() };
        let (mut first, mut second) = (vec![0.0; 64 * 64], vec![0.0; 64 * 64]);
        for pair in 0..20 {
            rise.mask(3, 2 * pair, 64, 64).shares(64, 64, &mut first);
            rise.mask(3, 2 * pair + 1, 64, 64).shares(64, 64, &mut second);
            assert!(first.iter().zip(&second).all(|(a, b)| (a + b - 1.0).abs() < 1e-6), "{pair}");
        }
        assert!(rise.mask(3, 0, 64, 64) != rise.mask(3, 2, 64, 64));
    }

    #[test]
    fn pairs_are_nearer_where_the_mean_is_not_taken_off_and_farther_where_it_is() {
        let error = |centred, paired| {
            let rise = Rise { masks: 512, grid: 4, centred, paired, ..Rise::default() };
            let model = |x: &[f32]| vec![0.0, 5.0 + x[17] - x[30] + 2.0 * x[200]];
            let errors = planted::explain(&Method::Rise(rise), 3, model).errors.unwrap().regions;
            errors.iter().sum::<f64>() / errors.len() as f64
        };
        let (plain, pairs) = (error(true, false), error(true, true));
        assert!((1.2..1.6).contains(&(pairs / plain)), "{plain} {pairs}");
        let (plain, pairs) = (error(false, false), error(false, true));
        assert!(pairs < 0.6 * plain, "{plain} {pairs}");
    }

    #[test]
    fn sums_on_the_lattice_are_those_over_pixels() {
        let rise = Rise { grid: 5, ..Rise::default() };
        let (height, width) = (33, 26);
        let (mut fold, mut shares) = (Fold::new(height, width), vec![0.0; height * width]);
        let mut sums = vec![[0.0; 2]; height * width];
        for index in 0..300 {
            let (mask, score) = (rise.mask(3, index, height, width), (index as f64 * 0.7).sin());
            fold.add(score, &mask);
            mask.shares(height, width, &mut shares);
            for (sum, share) in sums.iter_mut().zip(&shares) {
                sum[0] += score * f64::from(*share);
                sum[1] += f64::from(*share);
            }
        }
        for (got, expected) in fold.stretched().iter().zip(&sums) {
            assert!((0..2).all(|i| (got[i] - expected[i]).abs() < 1e-4), "{got:?} {expected:?}");
        }
    }

    #[test]
    fn regions_of_a_linear_model_are_ranked_exactly() {
        // The lattice is finer than the regions: a coarse one blurs neighbours into each other, which no number of
        // masks undoes.
        let method = Method::Rise(Rise { masks: 40_000, grid: 16, ..Rise::default() });
        planted::assert_ranks_a_linear_model(&method);
    }
}
