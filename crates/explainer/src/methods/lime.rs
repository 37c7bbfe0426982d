//! LIME: a linear model of the score, fitted on random sets of segments.
//!
//! Ribeiro, Singh, Guestrin, "Why Should I Trust You?", KDD 2016, arXiv 1602.04938, as the image explainer of lime
//! 0.2.0.1 does it.
//!
//! Row i of N is a vector z `[d]` of independent fair bits, one for each of the d segments: 1 shows the segment, 0 hides
//! it under the fill; row 0 shows everything. With m the number of ones, a row is `D = 1 - sqrt(m / d)` away from row 0
//! (cosine distance; 1 for the row of zeros) and weighs `w = sqrt(exp(-D^2 / kernel_width^2))`. With y the score and bars
//! for weighted means, the weights `[d]` and the intercept are those of the ridge regression
//!
//! ```text
//! b = argmin sum_i w_i (y_i - a - z_i . b)^2 + ridge |b|^2
//!   = (Zc^T W Zc + ridge I)^-1 Zc^T W yc,   Zc = Z - zbar,   yc = y - ybar,   a = ybar - zbar . b
//! ```
//!
//! in the unit of the score: by how much a segment that shows raises it. A pixel `[H, W]` has its segment's weight. The
//! penalty is not scaled by N, so that it shrinks a weight by about `ridge / (ridge + sum(w) / 4)`: 0.4 % with the
//! defaults. Cost: N passes.
//!
//! Departures from lime: the score is the log-odds of the target instead of each class's probability; the fill is the
//! request's instead of always the mean colour of each segment; a row's bits are drawn from (seed, row number); and the
//! first regression, which selects features and keeps all of them, is left out.

use unmask_core::{Draws, Ended, ForwardError, Kind, Param, Preset, ROUND, Reading};

use super::linear::{self, Row, Sums, line};
use super::{Context, Errors, Explanation, Figures, paint};
use crate::catalogue::Descriptor;

/// Random sets of segments, the first of them all segments.
pub const SAMPLES: Param = Param {
    name: "samples",
    unit: "sets",
    kind: Kind::Integer { default: 2000, min: 128, max: 20_000 },
    paper: None,
    help: "Random sets of segments, the first of them all segments.",
    source: "arXiv 2502.03957",
};
/// Width of the exponential kernel over the cosine distance.
pub const KERNEL_WIDTH: Param = Param {
    name: "kernel_width",
    unit: "",
    kind: Kind::Real { default: 0.25, min: 0.01, max: 100.0 },
    paper: None,
    help: "Width of the exponential kernel over the cosine distance.",
    source: "lime 0.2.0.1",
};
/// Penalty of the ridge regression.
pub const RIDGE: Param = Param {
    name: "ridge",
    unit: "",
    kind: Kind::Real { default: 1.0, min: 0.0, max: 1000.0 },
    paper: None,
    help: "Penalty of the ridge regression.",
    source: "lime 0.2.0.1",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "lime",
    summary: "A linear model of the score, fitted on random sets of segments.",
    citation: "Ribeiro et al., KDD 2016, arXiv 1602.04938",
    params: &[SAMPLES, KERNEL_WIDTH, RIDGE],
    passes: "samples",
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Lime {
    /// Random sets of segments.
    pub samples: u64,
    /// Width of the kernel over the cosine distance.
    pub kernel_width: f64,
    /// Penalty of the ridge.
    pub ridge: f64,
}

impl Lime {
    pub(super) fn announced(&self) -> u64 {
        self.samples
    }

    pub(super) fn least(&self) -> u64 {
        self.samples.min(ROUND as u64)
    }

    pub(super) fn explain(&self, context: &Context<'_>) -> Result<Explanation, ForwardError> {
        let segments = context.segments.count();
        let set = |index| context.segments_shown(shown(context.seed, index, segments));
        let mut rounds = context.rounds(self.samples, set);
        let mut sums = Sums::new(segments);
        let mut folded = Vec::new();
        let ended = context.forward.run(&mut rounds, &mut |_, scores| {
            let first = folded.len();
            // The score of the untouched image is taken off first: a model that never changes its mind then adds exact zeros.
            folded.extend(scores.rows().map(|row| context.target.value(row) - context.image_score));
            sums.add(&self.rows(context, first, &folded[first..]));
            context.shown(folded.len() as u64, || self.found(&sums, &folded, context, Ended::Budget))
        })?;
        self.found(&sums, &folded, context, ended).ok_or(ForwardError::Unanswered(ended))
    }

    /// Rows from number `first` on, with their scores.
    fn rows(&self, context: &Context<'_>, first: usize, scores: &[f64]) -> Vec<Row> {
        let bits = |index: usize| shown(context.seed, index as u64, context.segments.count());
        (first..).zip(scores).map(|(index, score)| self.row(&bits(index), *score)).collect()
    }

    /// What the rows so far come to, whose scores are `folded`.
    fn found(&self, sums: &Sums, folded: &[f64], context: &Context<'_>, ended: Ended) -> Option<Explanation> {
        if sums.weight == 0.0 {
            return None;
        }
        let fit = self.finish(sums, context.image_score);
        let errors = self
            .errors(&fit, sums, folded, context)
            .map(|regions| Errors { map: paint(&regions, context.segments), regions });
        Some(Explanation {
            map: paint(&fit.weights, context.segments),
            reading: Reading::Evidence,
            figures: Figures { intercept: Some(fit.intercept), r2: Some(fit.r2), ..Figures::default() },
            errors,
            ended,
        })
    }

    /// Standard errors of the weights: row i moves them by `(C + ridge I)^-1 w_i e_i (z_i - z)`, with e_i what the model leaves of its
    /// score, z the weighted mean row and C the weighted scatter of rows. None where there are hardly more rows than weights.
    fn errors(&self, fit: &Fit, sums: &Sums, folded: &[f64], context: &Context<'_>) -> Option<Vec<f64>> {
        let (size, count) = (sums.bits.len(), folded.len());
        let free = count.checked_sub(size + 1).filter(|free| *free > size / 4)?;
        let mut scatter = Sums::new(size);
        let intercept = fit.intercept - context.image_score;
        for first in (0..count).step_by(ROUND) {
            let mut rows = self.rows(context, first, &folded[first..count.min(first + ROUND)]);
            for row in &mut rows {
                // The bits are turned round: those that are set hide.
                let shown = row.bits.iter().zip(&fit.weights).filter(|(hidden, _)| !**hidden);
                let rest = row.score - intercept - shown.map(|(_, weight)| weight).sum::<f64>();
                row.weight = (row.weight * rest).powi(2);
            }
            scatter.add(&rows);
        }
        let means: Vec<f64> = sums.bits.iter().map(|bit| bit / sums.weight).collect();
        for i in 0..size {
            for (j, pair) in scatter.pairs[line(i)].iter_mut().enumerate() {
                *pair -= means[i] * scatter.bits[j] + means[j] * scatter.bits[i]
                    - scatter.weight * means[i] * means[j];
            }
        }
        let factor = (count as f64 / free as f64).sqrt();
        let errors = linear::errors(&self.matrix(sums), &scatter.pairs, size)?;
        Some(errors.into_iter().map(|error| factor * error).collect())
    }

    /// The weighted scatter of rows, and the penalty.
    fn matrix(&self, sums: &Sums) -> Vec<f64> {
        // Rows that all weigh nothing say nothing, and their zeros stay zeros over any divisor.
        let total = sums.weight.max(f64::MIN_POSITIVE);
        let mut matrix = sums.pairs.clone();
        for i in 0..sums.bits.len() {
            let triangle = &mut matrix[line(i)];
            triangle
                .iter_mut()
                .zip(&sums.bits)
                .for_each(|(pair, other)| *pair -= sums.bits[i] * (other / total));
            triangle[i] += self.ridge;
        }
        matrix
    }

    /// A row as it is summed: bits are turned round, so that row 0, which outweighs all others where the kernel is
    /// narrow, adds zeros and drowns nothing.
    fn row(&self, shown: &[bool], score: f64) -> Row {
        let ones = shown.iter().filter(|shown| **shown).count();
        let distance = 1.0 - (ones as f64 / shown.len() as f64).sqrt();
        let weight = (-(distance / self.kernel_width).powi(2)).exp().sqrt();
        Row { bits: shown.iter().map(|shown| !shown).collect(), weight, score }
    }

    /// The regression, for scores from which `offset` was taken off.
    fn finish(&self, sums: &Sums, offset: f64) -> Fit {
        let total = sums.weight.max(f64::MIN_POSITIVE);
        let mean = sums.score / total;
        let means: Vec<f64> = sums.bits.iter().map(|bit| bit / total).collect();
        let right: Vec<f64> =
            sums.products.iter().zip(&sums.bits).map(|(product, bit)| product - bit * mean).collect();
        let hiding = linear::solve(&self.matrix(sums), &right);
        // The sum of squares that the model explains, 2 b.r - b.Cb, without a second look at the rows: Cb is r - ridge b.
        let explained: f64 = hiding.iter().zip(&right).map(|(b, r)| b * r + self.ridge * b * b).sum();
        Fit {
            // Plus zero: a weight of zero has no sign.
            weights: hiding.iter().map(|b| 0.0 - b).collect(),
            // Every segment hidden is every turned bit set.
            intercept: offset + mean + hiding.iter().zip(&means).map(|(b, bit)| b * (1.0 - bit)).sum::<f64>(),
            r2: share(explained, sums.square - sums.score * mean, sums.square),
        }
    }
}

/// A linear model of the score: `intercept + sum(weights of the segments that show)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// By how much each segment raises the score when it shows.
    pub weights: Vec<f64>,
    /// The model's score when no segment shows.
    pub intercept: f64,
    /// Weighted coefficient of determination on the rows themselves, at most 1; 1 where the score never changes.
    pub r2: f64,
}

/// Fits rows of `bits`, each with its score; the regression of [`Lime`] without the passes.
///
/// ```
/// use unmask_explainer::methods::lime::fit;
///
/// // The score is 1 with nothing shown, and segment 1 adds 2.
/// let bits = [vec![true, true], vec![true, false], vec![false, true], vec![false, false]];
/// let found = fit(&bits, &[3.0, 1.0, 3.0, 1.0], 0.25, 0.0);
/// assert!(found.weights[0].abs() < 1e-12 && (found.weights[1] - 2.0).abs() < 1e-12);
/// assert!((found.intercept - 1.0).abs() < 1e-12 && (found.r2 - 1.0).abs() < 1e-12);
/// ```
pub fn fit(bits: &[Vec<bool>], scores: &[f64], kernel_width: f64, ridge: f64) -> Fit {
    let lime = Lime { samples: bits.len() as u64, kernel_width, ridge };
    let offset = scores.first().copied().unwrap_or(0.0);
    let rows = bits.iter().zip(scores).map(|(bits, score)| lime.row(bits, score - offset));
    let mut sums = Sums::new(bits.first().map_or(0, Vec::len));
    sums.add(&rows.collect::<Vec<_>>());
    lime.finish(&sums, offset)
}

/// The segments that show in row `index`: a function of the seed and its number alone.
fn shown(seed: u64, index: u64, segments: usize) -> Box<[bool]> {
    let mut draws = Draws::new(seed, index);
    let mut word = 0;
    let bit = |i| {
        word = if i % 32 == 0 { draws.word() } else { word >> 1 };
        index == 0 || word & 1 == 1
    };
    (0..segments).map(bit).collect()
}

/// The explained share of `total`, which is what is left of `square` when the mean is taken off. What rounding leaves of
/// a score that never changes is not worth explaining: 1, as scikit-learn has it.
fn share(explained: f64, total: f64, square: f64) -> f64 {
    if total > 1e-14 * square { (explained / total).min(1.0) } else { 1.0 }
}

impl Default for Lime {
    fn default() -> Self {
        Self::preset(Preset::Clean)
    }
}

impl Lime {
    /// The parameters of a preset.
    pub fn preset(preset: Preset) -> Self {
        let ignored = &mut Vec::new();
        Self {
            samples: SAMPLES.integer(None, preset, "", ignored),
            kernel_width: KERNEL_WIDTH.real(None, preset, "", ignored),
            ridge: RIDGE.real(None, preset, "", ignored),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::{Method, common_checks as planted};

    /// Bits of the method's own rows.
    fn bits(rows: u64, segments: usize) -> Vec<Vec<bool>> {
        (0..rows).map(|index| shown(9, index, segments).into()).collect()
    }

    fn fitted(rows: u64, segments: usize, ridge: f64, score: impl Fn(&[bool]) -> f64) -> Fit {
        let bits = bits(rows, segments);
        let scores: Vec<f64> = bits.iter().map(|shown| score(shown)).collect();
        fit(&bits, &scores, 0.25, ridge)
    }

    fn sum(shown: &[bool], weight: impl Fn(usize) -> f64) -> f64 {
        shown.iter().enumerate().filter(|(_, shown)| **shown).map(|(i, _)| weight(i)).sum()
    }

    #[test]
    fn the_first_row_shows_everything_and_the_others_half() {
        let bits = bits(2000, 100);
        assert!(bits[0].iter().all(|shown| *shown));
        for segment in 0..100 {
            let share = bits.iter().filter(|row| row[segment]).count() as f64 / 2000.0;
            assert!((share - 0.5).abs() < 0.05, "{segment}: {share}");
        }
        let pairs = bits.iter().filter(|row| row[3] == row[67]).count() as f64 / 2000.0;
        assert!((pairs - 0.5).abs() < 0.05, "{pairs}");
    }

    #[test]
    fn weights_of_an_additive_model_are_found_within_a_hundredth() {
        // The default penalty shrinks by 1 / (1 + 2000 * 0.5 / 4), 0.4 %, and leaks as much into its neighbours.
        let method = Method::Lime(Lime::default());
        let map = planted::explain_linear(&method, 3).map;
        for (value, weight) in map.data.iter().zip(planted::weights_per_pixel()) {
            assert!((value - weight).abs() < 0.01 * 17.0, "{value} {weight}");
            assert!((value / weight - 1.0).abs() < 0.01 || weight.abs() < 8.0, "{value} {weight}");
        }
        planted::assert_ranks_a_linear_model(&method);
    }

    #[test]
    fn without_a_penalty_an_additive_model_is_found_exactly() {
        let found = fitted(400, 30, 0.0, |shown| -2.5 + sum(shown, |i| i as f64 - 7.0));
        for (i, weight) in found.weights.iter().enumerate() {
            assert!((weight - (i as f64 - 7.0)).abs() < 1e-9, "{i}: {weight}");
        }
        assert!((found.intercept + 2.5).abs() < 1e-8, "{}", found.intercept);
        assert!((found.r2 - 1.0).abs() < 1e-12, "{}", found.r2);
    }

    #[test]
    fn a_kernel_so_narrow_that_only_the_whole_picture_counts_still_has_the_weights_of_its_neighbours() {
        // The rows nearest to the whole picture weigh e^-90 of it.
        let bits: Vec<Vec<bool>> = (0..16).rev().map(|n| (0..4).map(|i| n >> i & 1 == 1).collect()).collect();
        let scores: Vec<f64> = bits.iter().map(|shown| 1.0 + sum(shown, |i| i as f64)).collect();
        let found = fit(&bits, &scores, 0.01, 0.0);
        for (i, weight) in found.weights.iter().enumerate() {
            assert!((weight - i as f64).abs() < 1e-12, "{i}: {weight}");
        }
        assert!((found.intercept - 1.0).abs() < 1e-12 && (found.r2 - 1.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn a_model_of_one_segment_and_a_flat_one_are_finite() {
        let found = fitted(200, 1, 1.0, |shown| if shown[0] { 3.0 } else { 1.0 });
        assert!(found.weights[0] > 0.0 && found.weights[0] < 2.0, "{found:?}");
        assert!(found.r2.is_finite() && found.intercept.is_finite());
        let flat = fitted(200, 40, 1.0, |_| 0.7);
        assert_eq!(flat, Fit { weights: vec![0.0; 40], intercept: 0.7, r2: 1.0 });
        assert!(flat.weights.iter().all(|weight| weight.is_sign_positive()));
        assert_eq!(fit(&[], &[], 0.25, 1.0), Fit { weights: vec![], intercept: 0.0, r2: 1.0 });
        assert_eq!(fit(&[vec![false; 3]], &[2.0], 0.01, 0.0).weights, [0.0; 3]);
    }

    #[test]
    fn fewer_rows_than_segments_give_a_finite_answer() {
        for ridge in [0.0, 1.0] {
            let found = fitted(128, 700, ridge, |shown| sum(shown, |i| (i % 5) as f64));
            let finite = found.weights.iter().chain([&found.intercept, &found.r2]).all(|x| x.is_finite());
            assert!(finite && found.r2 > 0.5 && found.r2 <= 1.0, "{ridge}: {}", found.r2);
        }
    }

    #[test]
    fn r2_falls_where_the_score_is_not_linear() {
        let linear = fitted(2000, 12, 0.0, |shown| sum(shown, |i| i as f64)).r2;
        let odd = fitted(2000, 12, 0.0, |shown| (sum(shown, |_| 1.0) as u64 % 2) as f64).r2;
        assert!(linear > 0.999_999 && (0.0..0.1).contains(&odd), "{linear} {odd}");
    }
}
