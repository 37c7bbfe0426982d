//! Kernel SHAP: Shapley values of segments by weighted least squares.
//!
//! Lundberg, Lee, "A Unified Approach to Interpreting Model Predictions", NIPS 2017, arXiv 1705.07874; paired sets after
//! Covert, Lee, "Improving KernelSHAP", AISTATS 2021, arXiv 2012.01536.
//!
//! A set z `[d]` shows some of the d segments over the fill and has the value v(z), the score. Shapley values `[d]` are
//! the additive model that fits all sets best under the Shapley kernel and is right for nothing and for everything:
//!
//! ```text
//! phi = argmin sum_z k(z) (v(0) + z . phi - v(z))^2   subject to   sum(phi) = v(1) - v(0)
//! k(z) = (d - 1) / (C(d, |z|) |z| (d - |z|))
//! ```
//!
//! in the unit of the score; v(0) and v(1) are known and cost no pass. A pixel `[H, W]` has its segment's value. Sets come in
//! pairs with their complements, sizes from the outside in: all sets of one segment and of all but one, then of two, as
//! long as a size's fair part of `samples` covers it, as shap's `KernelExplainer` does; the rest is drawn at random in
//! proportion to the kernel and weighted by what those sizes have of it. Where all `2^d - 2` sets fit, the values are
//! exact; and a score that is a sum over segments is exact as soon as the sets tell all segments apart. Cost: at most
//! `samples` passes, and an even number of them.
//!
//! `sampling` by leverage (Musco, Witter, "Provably Accurate Shapley Value Estimation via Leverage Score Sampling", ICLR 2025,
//! arXiv 2410.01917) draws a set of s segments in proportion to its leverage in this regression, `1 / C(d, s)`, so that every size
//! comes as often, and counts it k(z) over that. It comes nearer where there are few sets for a segment, as with a hundred segments
//! and more; with many sets and a score that hangs on many segments at once the kernel does, which is the default.
//!
//! A run that ends early is solved from the sets so far, the outermost sizes, which have the most weight each; drawn sets
//! then count together what all of them would have. Segments that the sets do not tell apart share evenly.
//!
//! Departures from shap: values are found without singling out one segment to carry the constraint, so that a singular
//! system treats all alike; sets of the middle size are paired too; no segment is dropped by a lasso. From Musco and Witter: sets are
//! drawn until there are as many different ones as wanted, where they toss a coin for each set; what is drawn counts together what all
//! of it has of the kernel.

use unmask_core::{Ended, ForwardError, Kind, Param, Preset, ROUND, Reading};

use super::{Context, Errors, Explanation, Figures, paint};
use crate::catalogue::Descriptor;
use fit::Fold;
pub use fit::solve;
use sets::Sets;

mod fit;
mod sets;

/// Sets of segments; where all sets fit, the values are exact.
pub const SAMPLES: Param = Param {
    name: "samples",
    unit: "sets",
    kind: Kind::Integer { default: 2000, min: 128, max: 100_000 },
    paper: None,
    help: "Sets of segments; where all sets fit, the values are exact.",
    source: "ours: as many as LIME",
};

/// How sets are drawn where not all of them fit.
pub const SAMPLING: Param = Param {
    name: "sampling",
    unit: "",
    kind: Kind::Choice(&["KERNEL_SHAP_SAMPLING_KERNEL", "KERNEL_SHAP_SAMPLING_LEVERAGE"]),
    paper: None,
    help: "Whether sets are drawn in proportion to the kernel, or to their leverage (Musco and Witter, arXiv 2410.01917): every \
           size as often, which is nearer where there are few sets for a segment.",
    source: "Lundberg and Lee, arXiv 1705.07874",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "kernel_shap",
    summary: "Shapley values of segments by weighted least squares over paired sets.",
    citation: "Lundberg and Lee, NIPS 2017, arXiv 1705.07874",
    params: &[SAMPLES, SAMPLING],
    passes: "at most samples",
};

/// How sets are drawn where not all of them fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// In proportion to the kernel, which is largest for the outermost sizes.
    Kernel,
    /// In proportion to their leverage: every size as often, weighted by the kernel over that.
    Leverage,
}

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelShap {
    /// Sets of segments.
    pub samples: u64,
    /// How sets are drawn where not all of them fit.
    pub sampling: Sampling,
}

impl KernelShap {
    pub(super) fn announced(&self) -> u64 {
        // Sets come in pairs.
        self.samples / 2 * 2
    }

    pub(super) fn least(&self) -> u64 {
        self.announced().min(ROUND as u64)
    }

    pub(super) fn explain(&self, context: &Context<'_>) -> Result<Explanation, ForwardError> {
        let sets = Sets::new(context.segments.count(), self, context.seed);
        let set = |index| context.segments_shown(sets.shown(index as usize));
        let mut rounds = context.rounds(sets.len() as u64, set);
        let total = context.image_score - context.fill_score;
        let mut fold = Fold::new(context.segments.count(), total);
        // A single segment has no set of its own and gets everything.
        let mut ended = Ended::All;
        if sets.len() > 0 {
            ended = context.forward.run(&mut rounds, &mut |_, scores| {
                // The fill's score is taken off first: a model that never changes its mind then adds exact zeros.
                fold.add(scores.rows().map(|row| context.target.value(row) - context.fill_score), &sets);
                context.shown(fold.scores.len() as u64, || Some(found(&fold, &sets, context, Ended::Budget)))
            })?;
            if fold.scores.is_empty() {
                return Err(ForwardError::Unanswered(ended));
            }
        }
        if ended == Ended::All && (sets.len() as u64) < self.announced() {
            ended = Ended::Stopped;
        }
        Ok(found(&fold, &sets, context, ended))
    }
}

impl KernelShap {
    /// The method without a model: the values of `segments` segments for a score that is known for every set.
    ///
    /// ```
    /// use unmask_explainer::methods::KernelShap;
    ///
    /// // Two segments that are worth something only together share it; the third is worth 3.
    /// let score = |shown: &[bool]| f64::from(shown[0] && shown[1]) + 3.0 * f64::from(shown[2]);
    /// let found = KernelShap::default().values(3, 0, score);
    /// for (value, exact) in found.iter().zip([0.5, 0.5, 3.0]) {
    ///     assert!((value - exact).abs() < 1e-12);
    /// }
    /// ```
    pub fn values(&self, segments: usize, seed: u64, score: impl Fn(&[bool]) -> f64) -> Vec<f64> {
        let sets = Sets::new(segments, self, seed);
        let nothing = score(&vec![false; segments]);
        let mut fold = Fold::new(segments, score(&vec![true; segments]) - nothing);
        fold.add((0..sets.len()).map(|index| score(&sets.shown(index)) - nothing), &sets);
        fold.finish(&sets)
    }
}

/// What the sets so far come to.
fn found(fold: &Fold, sets: &Sets, context: &Context<'_>, ended: Ended) -> Explanation {
    let values = fold.finish(sets);
    let errors = fold.errors(&values, sets);
    let errors = errors.map(|regions| Errors { map: paint(&regions, context.segments), regions });
    let total = context.image_score - context.fill_score;
    Explanation {
        map: paint(&values, context.segments),
        reading: Reading::Evidence,
        figures: Figures { intercept: Some(context.fill_score), total: Some(total), ..Figures::default() },
        errors,
        ended,
    }
}

impl Default for KernelShap {
    fn default() -> Self {
        Self::preset(Preset::Clean)
    }
}

impl KernelShap {
    /// The parameters of a preset.
    pub fn preset(preset: Preset) -> Self {
        let ignored = &mut Vec::new();
        Self { samples: SAMPLES.integer(None, preset, "", ignored), sampling: Sampling::Kernel }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use unmask_core::Draws;

    use super::*;
    use crate::methods::{Method, common_checks as planted};

    const BOTH: [Sampling; 2] = [Sampling::Kernel, Sampling::Leverage];

    fn values(segments: usize, samples: u64, seed: u64, score: impl Fn(&[bool]) -> f64) -> Vec<f64> {
        KernelShap { samples, ..KernelShap::default() }.values(segments, seed, score)
    }

    fn plan(segments: usize, samples: u64) -> Sets {
        Sets::new(segments, &KernelShap { samples, ..KernelShap::default() }, 4)
    }

    fn sum(shown: &[bool], weight: impl Fn(usize) -> f64) -> f64 {
        shown.iter().enumerate().filter(|(_, shown)| **shown).map(|(i, _)| weight(i)).sum()
    }

    fn assert_close(found: &[f64], exact: impl Fn(usize) -> f64, tolerance: f64) {
        for (i, value) in found.iter().enumerate() {
            assert!((value - exact(i)).abs() < tolerance, "{i}: {value} {}", exact(i));
        }
    }

    fn assert_complete(found: &[f64], total: f64) {
        let sum: f64 = found.iter().sum();
        assert!((sum - total).abs() <= 1e-9 * total.abs(), "{sum} {total}");
    }

    /// A score without any structure, a function of the set alone.
    fn rough(shown: &[bool]) -> f64 {
        let number = shown.iter().fold(1u64, |number, shown| number.wrapping_mul(2) + u64::from(*shown));
        3.0 + f64::from(Draws::new(8, number).normal())
    }

    #[test]
    fn an_additive_model_of_sixteen_segments_is_exact_from_random_sets() {
        let method = Method::KernelShap(KernelShap { samples: 400, ..KernelShap::default() });
        let explanation = planted::explain_linear(&method, 3);
        for (value, weight) in explanation.map.data.iter().zip(planted::weights_per_pixel()) {
            assert!((value - weight).abs() < 1e-4, "{value} {weight}");
        }
        assert_eq!((explanation.figures.intercept, explanation.figures.total), (Some(0.0), Some(32.0)));
        assert_eq!(explanation.ended, Ended::All);
        planted::assert_ranks_a_linear_model(&method);
    }

    #[test]
    fn two_regions_that_count_only_together_share_evenly() {
        for segments in 2..=8 {
            let last = segments - 1;
            let found = values(segments, 254, 0, |shown| f64::from(shown[0] && shown[last]));
            let exact = |i| if i == 0 || i == last { 0.5 } else { 0.0 };
            assert_close(&found, exact, 1e-12);
        }
    }

    #[test]
    fn one_segment_that_alone_counts_gets_everything() {
        for (segments, samples) in [(7, 128), (12, 500), (40, 2000)] {
            let found = values(segments, samples, 1, |shown| 5.0 * f64::from(shown[3]));
            assert_close(&found, |i| if i == 3 { 5.0 } else { 0.0 }, 1e-9);
        }
    }

    #[test]
    fn a_constant_model_has_values_of_exactly_zero() {
        for (segments, samples) in [(1, 128), (5, 128), (16, 400), (300, 128)] {
            assert!(values(segments, samples, 1, |_| 0.3).iter().all(|v| v.to_bits() == 0), "{segments}");
        }
    }

    #[test]
    fn a_single_segment_gets_the_total() {
        assert_eq!(values(1, 128, 0, |shown| if shown[0] { 2.5 } else { 1.0 }), [1.5]);
    }

    #[test]
    fn values_sum_to_the_total_however_few_the_sets() {
        for (segments, samples) in
            [(2, 128), (8, 200), (8, 254), (13, 1000), (70, 128), (300, 128), (300, 3000)]
        {
            let found = values(segments, samples, 2, rough);
            assert!(found.iter().all(|value| value.is_finite()));
            assert_complete(&found, rough(&vec![true; segments]) - rough(&vec![false; segments]));
        }
    }

    #[test]
    fn where_all_sets_fit_the_seed_has_no_part() {
        let by = |sampling, samples, seed| KernelShap { samples, sampling }.values(9, seed, rough);
        let exact = values(9, 510, 1, rough);
        for sampling in BOTH {
            assert_eq!(by(sampling, 100_000, 2), exact);
            assert_ne!(by(sampling, 400, 1), by(sampling, 400, 2));
        }
    }

    #[test]
    fn random_sets_come_as_near_the_exact_values_as_shap_does() {
        // Values lie between 0.2 and 0.4 in a sea of interactions. Root mean square errors over seeds; shap 0.51.0 has
        // 0.041 and 0.008.
        let score = |shown: &[bool]| sum(shown, |i| i as f64 / 4.0).sin() + sum(shown, |_| 1.0).sqrt();
        let exact = values(13, 8190, 0, score);
        for sampling in BOTH {
            for (samples, bound) in [(1000, 0.05), (6000, 0.01)] {
                let error = error(&KernelShap { samples, sampling }, &exact, &score);
                assert!(error < bound, "{sampling:?} {samples}: {error}");
            }
        }
    }

    #[test]
    fn a_prefix_of_the_sets_is_solved_and_complete() {
        let additive = |shown: &[bool]| sum(shown, |i| i as f64 - 9.0);
        let segments = 30;
        let sets = plan(segments, 2000);
        let total = additive(&vec![true; segments]);
        for (folded, exact) in [(1, false), (2, false), (128, true), (1024, true)] {
            let mut fold = Fold::new(segments, total);
            fold.add((0..folded).map(|index| additive(&sets.shown(index))), &sets);
            let found = fold.finish(&sets);
            assert_complete(&found, total);
            if exact {
                assert_close(&found, |i| i as f64 - 9.0, 1e-9);
            } else {
                // Segment 0 was asked about; the others share the rest.
                assert_close(&found, |i| if i == 0 { -9.0 } else { (total + 9.0) / 29.0 }, 1e-5);
            }
        }
    }

    #[test]
    fn how_sets_are_dealt_out_over_rounds_changes_no_bit() {
        let sets = plan(12, 700);
        let scores = |range: std::ops::Range<usize>| range.map(|index| rough(&sets.shown(index)));
        let (mut whole, mut parts) = (Fold::new(12, 1.0), Fold::new(12, 1.0));
        whole.add(scores(0..700), &sets);
        (0..7).for_each(|part| parts.add(scores(part * 100..(part + 1) * 100), &sets));
        assert_eq!(whole.finish(&sets), parts.finish(&sets));
    }

    #[test]
    fn segments_that_the_sets_do_not_tell_apart_share_evenly() {
        let found = values(600, 128, 1, |shown| sum(shown, |_| 0.3));
        assert_close(&found, |_| 0.3, 1e-9);
    }

    #[test]
    fn no_rows_and_extreme_scores_are_finite() {
        assert!(solve(&[], 1.0).is_empty());
        let huge = values(10, 300, 0, |shown| if shown[1] { 1e300 } else { -1e300 });
        assert!(huge.iter().all(|value| value.is_finite()), "{huge:?}");
    }

    /// Root mean square error over eight seeds, all segments together.
    fn error(shap: &KernelShap, exact: &[f64], score: &dyn Fn(&[bool]) -> f64) -> f64 {
        let squares = (0..8).flat_map(|seed| {
            let found = shap.values(exact.len(), seed, score);
            found.iter().zip(exact).map(|(value, exact)| (value - exact).powi(2)).collect::<Vec<_>>()
        });
        (squares.sum::<f64>() / (8.0 * exact.len() as f64)).sqrt()
    }

    #[test]
    fn leverage_comes_nearer_where_there_are_ten_sets_for_a_segment() {
        // Products of two and of three segments, whose members share each product's worth evenly.
        let segments = 120;
        let products: Vec<(f64, Vec<usize>)> = (0..3 * segments)
            .map(|number| {
                let mut draws = Draws::new(99, number as u64);
                let of: BTreeSet<usize> = (0..2 + number % 2).map(|_| draws.below(120) as usize).collect();
                (f64::from(draws.normal()), of.into_iter().collect())
            })
            .collect();
        let mut exact = vec![0.0; segments];
        for (worth, of) in &products {
            of.iter().for_each(|i| exact[*i] += worth / of.len() as f64);
        }
        let score = |shown: &[bool]| {
            products.iter().filter(|(_, of)| of.iter().all(|i| shown[*i])).map(|(worth, _)| worth).sum()
        };
        let [kernel, leverage] =
            BOTH.map(|sampling| error(&KernelShap { samples: 1200, sampling }, &exact, &score));
        assert!(leverage < 0.85 * kernel, "{leverage} {kernel}");
    }
}
