//! HSIC: how far the score depends on whether each cell shows.
//!
//! Novello, Fel, Vigouroux, "Making Sense of Dependence: Efficient Black-box Explanations Using Dependence Measure", NeurIPS 2022,
//! arXiv 2206.06219; the Hilbert-Schmidt independence criterion by Gretton et al., ALT 2005, DOI 10.1007/11564089_7.
//!
//! A mask shows or hides each of the `grid` x `grid` cells; p masks `[p, cells]` have the explained scalars y `[p]`. With K_i the
//! kernel of cell i over the masks, 1 where it shows in both or in neither and else 0, and L that of the scores,
//! `exp(-(y_a - y_b)^2 / (2 w^2))`, both `[p, p]`,
//!
//! ```text
//! HSIC_i = tr(K_i H L H) / p^2        H = I - 1 1^T / p
//! ```
//!
//! is 0 where the scores have nothing to do with the cell and grows with any dependence, however it bends: importance without
//! direction, never negative, and 0 for every cell where the score never changes. The map `[H, W]` has no unit. Cost: p passes for all
//! cells together, where SOBOL asks for each cell anew; what two cells do only together, so that neither alone tells anything, is not
//! seen.
//!
//! Departures from the paper and its code (xplique 2.0.2, whose values are p times these): each cell shows in half of the masks of
//! every round of questions, drawn from the seed, in place of a Latin hypercube over all of them, so that an early end is balanced too;
//! not Sobol's points cut at a half, of which p have only p / 2 different columns. The width w is the median distance of two scores that
//! differ, in place of the median of the scores, which may be 0 or negative on a scale of log-odds. The grid is brought to the frame
//! linearly, as that of SOBOL.

use unmask_core::{
    Cells, Draws, Ended, Filter, ForwardError, Kind, Param, Perturbation, Preset, ROUND, Reading,
};

use super::{Context, Explanation, Figures};
use crate::catalogue::Descriptor;

/// Rows and columns of the grid.
pub const GRID: Param = Param {
    name: "grid",
    unit: "cells",
    kind: Kind::Integer { default: 8, min: 2, max: 16 },
    paper: None,
    help: "Rows and columns of the grid.",
    source: "xplique 2.0.2",
};
/// Number of masks.
pub const MASKS: Param = Param {
    name: "masks",
    unit: "masks",
    kind: Kind::Integer { default: 500, min: 128, max: 2048 },
    paper: None,
    help: "Number of random masks, for all cells together.",
    source: "xplique 2.0.2",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "hsic",
    summary: "How far the score depends on whether each cell shows; importance without direction.",
    citation: "Novello et al., NeurIPS 2022, arXiv 2206.06219",
    params: &[GRID, MASKS],
    passes: "masks",
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Hsic {
    /// Rows and columns of the grid.
    pub grid: usize,
    /// Number of masks.
    pub masks: u64,
}

impl Hsic {
    pub(super) fn announced(&self) -> u64 {
        self.masks
    }

    pub(super) fn least(&self) -> u64 {
        self.masks.min(ROUND as u64)
    }

    pub(super) fn explain(&self, context: &Context<'_>) -> Result<Explanation, ForwardError> {
        let plane = (context.image.height(), context.image.width());
        let design = self.design(context.seed);
        let mask = |index| {
            let row = index as usize * self.cells()..(index as usize + 1) * self.cells();
            let shares: Vec<f32> = design[row].iter().map(|shown| f32::from(*shown)).collect();
            Perturbation::Cells(Cells::square(self.grid, shares, plane, Filter::Nearest))
        };
        let mut rounds = context.rounds(self.masks, mask);
        let mut scores = Vec::new();
        let ended = context.forward.run(&mut rounds, &mut |_, round| {
            scores.extend(round.rows().map(|row| context.target.value(row)));
            context.shown(scores.len() as u64, || self.found(&design, &scores, context, Ended::Budget))
        })?;
        self.found(&design, &scores, context, ended).ok_or(ForwardError::Unanswered(ended))
    }

    /// What the masks so far come to, whose scores these are.
    fn found(
        &self,
        design: &[bool],
        scores: &[f64],
        context: &Context<'_>,
        ended: Ended,
    ) -> Option<Explanation> {
        if scores.is_empty() {
            return None;
        }
        let shape = (context.image.height(), context.image.width());
        let values = dependence(&design[..scores.len() * self.cells()], scores);
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        Some(Explanation {
            map: Cells::square(self.grid, values, shape, Filter::Bilinear).map(),
            reading: Reading::Importance,
            figures: Figures::default(),
            errors: None,
            ended,
        })
    }

    fn cells(&self) -> usize {
        self.grid * self.grid
    }

    /// Whether each cell shows in each mask, `[masks, cells]`: in half of those of every round, or half of them but one.
    fn design(&self, seed: u64) -> Vec<bool> {
        let cells = self.cells();
        let mut design = vec![false; self.masks as usize * cells];
        for (round, rows) in design.chunks_mut(ROUND * cells).enumerate() {
            let size = rows.len() / cells;
            for cell in 0..cells {
                let mut draws = Draws::new(seed, (round * cells + cell) as u64);
                let shown = (size + draws.below(2) as usize) / 2;
                let mut deck: Vec<usize> = (0..size).collect();
                for i in 0..shown {
                    deck.swap(i, i + draws.below((size - i) as u32) as usize);
                    rows[deck[i] * cells + cell] = true;
                }
            }
        }
        design
    }
}

/// HSIC of every cell: of masks `[p, cells]`, whether each cell shows, and their scores `[p]`. All 0 where no two scores differ.
///
/// ```
/// use unmask_explainer::methods::hsic::dependence;
///
/// // The score is whether the first cell shows; the second has nothing to do with it.
/// let found = dependence(&[true, true, true, false, false, true, false, false], &[1.0, 1.0, 0.0, 0.0]);
/// assert!((found[0] - (1.0 - (-0.5f64).exp()) / 4.0).abs() < 1e-12);
/// assert_eq!(found[1], 0.0);
/// ```
pub fn dependence(shown: &[bool], scores: &[f64]) -> Vec<f64> {
    let count = scores.len();
    let cells = shown.len() / count.max(1);
    let Some(width) = width(scores) else { return vec![0.0; cells] };
    let kernel = |a: usize, b: usize| (-((scores[a] - scores[b]) / width).powi(2) / 2.0).exp();
    let means: Vec<f64> =
        (0..count).map(|a| (0..count).map(|b| kernel(a, b)).sum::<f64>() / count as f64).collect();
    let mean = means.iter().sum::<f64>() / count as f64;
    let centred = |a: usize, b: usize| kernel(a, b) - means[a] - means[b] + mean;
    let shares: Vec<f64> = shown.iter().map(|shown| f64::from(*shown)).collect();
    let row = |a: usize| &shares[a * cells..(a + 1) * cells];
    // Rows and columns of H L H add up to 0: with x whether a cell shows, K = x x^T + (1 - x)(1 - x)^T leaves 2 x^T H L H x. The matrix
    // is symmetric, so that its lower triangle is enough.
    let (mut sums, mut line) = (vec![0.0; cells], vec![0.0; cells]);
    for a in 0..count {
        line.fill(centred(a, a));
        for b in 0..a {
            let twice = 2.0 * centred(a, b);
            line.iter_mut().zip(row(b)).for_each(|(line, share)| *line += twice * share);
        }
        sums.iter_mut().zip(&line).zip(row(a)).for_each(|((sum, line), share)| *sum += share * line);
    }
    let squared = (count * count) as f64;
    sums.iter().map(|sum| (2.0 * sum / squared).max(0.0)).collect()
}

/// The median distance of two scores that differ; `None` where none do, or one is no number.
fn width(scores: &[f64]) -> Option<f64> {
    let others = |a: usize| scores[..a].iter().map(move |other| (scores[a] - other).abs());
    let mut distances: Vec<f64> = (0..scores.len()).flat_map(others).filter(|d| *d != 0.0).collect();
    if distances.is_empty() || distances.iter().any(|distance| !distance.is_finite()) {
        return None;
    }
    let middle = distances.len() / 2;
    Some(*distances.select_nth_unstable_by(middle, f64::total_cmp).1)
}

impl Default for Hsic {
    fn default() -> Self {
        let ignored = &mut Vec::new();
        Self {
            grid: GRID.integer(None, Preset::Clean, "", ignored) as usize,
            masks: MASKS.integer(None, Preset::Clean, "", ignored),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_by_hand() {
        // All that differ do by 1, which is the width: with q = exp(-1/2), H L H is (1 - q) / 2 within a half and less that across.
        let found = dependence(&[true, true, true, false, false, true, false, false], &[1.0, 1.0, 0.0, 0.0]);
        assert!((found[0] - (1.0 - (-0.5f64).exp()) / 4.0).abs() < 1e-12 && found[1] == 0.0, "{found:?}");
    }

    #[test]
    fn cells_of_a_linear_model_are_ordered_by_the_size_of_their_weights() {
        let design = Hsic { grid: 3, masks: 1024 }.design(3);
        let weights = [9.0, -1.0, 5.0, 2.0, -7.0, 4.0, -3.0, 8.0, -6.0f64];
        let score =
            |row: &[bool]| row.iter().zip(weights).map(|(shown, w)| f64::from(*shown) * w).sum::<f64>();
        let found = dependence(&design, &design.chunks_exact(9).map(score).collect::<Vec<_>>());
        let order = |values: &[f64]| {
            let mut order: Vec<usize> = (0..9).collect();
            order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
            order
        };
        assert_eq!(order(&found)[..6], order(&weights.map(f64::abs))[..6], "{found:?}");
    }

    #[test]
    fn a_cell_that_moves_the_spread_and_not_the_mean_is_seen_and_what_two_do_only_together_is_not() {
        let design = Hsic { grid: 2, masks: 1024 }.design(1);
        let found = |score: fn(f64, f64) -> f64| {
            let row = |row: &[bool]| score(f64::from(row[0]), f64::from(row[1]));
            dependence(&design, &design.chunks_exact(4).map(row).collect::<Vec<_>>())
        };
        // -1 or 1 where cell 0 shows, else 0.
        let spread = found(|a, b| a * (2.0 * b - 1.0));
        assert!(spread[0] > 0.01 && spread[2] < 0.001 && spread[3] < 0.001, "{spread:?}");
        let together = found(|a, b| (a - b).abs());
        assert!(together.iter().all(|value| *value < 0.001), "{together:?}");
    }

    #[test]
    fn every_round_shows_each_cell_in_half_of_its_masks() {
        let hsic = Hsic { grid: 3, masks: 333 };
        let design = hsic.design(5);
        for (rows, halves) in design.chunks(ROUND * 9).zip([64..=64, 64..=64, 38..=39]) {
            for cell in 0..9 {
                let shown = rows.chunks_exact(9).filter(|row| row[cell]).count();
                assert!(halves.contains(&shown), "{cell}: {shown}");
            }
        }
        // An early end keeps whole rounds: what they asked does not depend on how many were to come.
        assert_eq!(design[..256 * 9], Hsic { masks: 256, ..hsic }.design(5)[..]);
    }

    #[test]
    fn no_scores_equal_scores_and_extreme_ones_are_no_dependence_or_finite() {
        assert!(dependence(&[], &[]).is_empty());
        assert_eq!(dependence(&[true, false, false], &[7.5; 3]), [0.0]);
        for wrong in [f64::NAN, f64::INFINITY] {
            assert_eq!(dependence(&[true, false, false], &[wrong, 1.0, 2.0]), [0.0]);
        }
        for scale in [1e-300, 1e150, 1e307] {
            let found = dependence(&[true, true, false, false], &[scale, scale, -scale, 0.0]);
            assert!(found[0].is_finite() && found[0] > 0.0, "{scale}: {found:?}");
        }
    }
}
