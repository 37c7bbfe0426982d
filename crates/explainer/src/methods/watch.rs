//! Who looks on while a method runs.

use std::cell::Cell;
use std::ops::ControlFlow;

use unmask_core::{LabelMap, Map};

use super::Explanation;

/// Sees what a method has found so far, and may end it. Asked between rounds, so that what it sees after so many questions is what
/// a budget of as many would have given.
pub trait Watch {
    /// Whether it wants to look now that so many of the method's questions are folded. Asked after every round.
    fn wants(&self, folded: u64) -> bool;

    /// What there is; `Break` says that it is enough.
    fn look(&self, folded: u64, so_far: &Explanation) -> ControlFlow<()>;
}

/// Nobody.
impl Watch for () {
    fn wants(&self, _: u64) -> bool {
        false
    }

    fn look(&self, _: u64, _: &Explanation) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// How much more must be folded until the next look. A look goes through all that was folded: the looks together, through five times as
/// much as the last one.
const GROWTH: f64 = 1.25;

/// Ends a method when its error is small: the largest standard error of a region is at most this share of the distance between the
/// highest and the lowest region, as Covert and Lee have it for Kernel SHAP (AISTATS 2021, arXiv 2012.01536).
///
/// When it looks depends on what is folded alone, so that the same request ends after the same round on every machine.
pub struct Converged<'a> {
    target: f64,
    segments: &'a LabelMap,
    next: Cell<u64>,
}

impl<'a> Converged<'a> {
    /// With an error of at most `target`, a share.
    pub fn new(target: f64, segments: &'a LabelMap) -> Self {
        Self { target, segments, next: Cell::new(0) }
    }
}

impl Watch for Converged<'_> {
    fn wants(&self, folded: u64) -> bool {
        folded >= self.next.get()
    }

    fn look(&self, folded: u64, so_far: &Explanation) -> ControlFlow<()> {
        self.next.set((folded as f64 * GROWTH) as u64);
        match error(so_far, self.segments) {
            Some(error) if error <= self.target => ControlFlow::Break(()),
            Some(_) | None => ControlFlow::Continue(()),
        }
    }
}

/// The largest standard error of a region as a share of the distance between the highest and the lowest region; 0 where no draw could
/// change anything. `None` where the method knows no error.
pub fn error(explanation: &Explanation, segments: &LabelMap) -> Option<f64> {
    let errors = explanation.errors.as_ref()?;
    let largest = errors.regions.iter().copied().fold(0.0, f64::max);
    let means = means(&explanation.map, segments);
    let highest = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let lowest = means.iter().copied().fold(f64::INFINITY, f64::min);
    Some(if largest == 0.0 { 0.0 } else { largest / (highest - lowest).max(0.0) })
}

fn means(map: &Map, segments: &LabelMap) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); segments.count()];
    for (label, value) in segments.labels().iter().zip(&map.data) {
        let sum = &mut sums[*label as usize];
        *sum = (sum.0 + f64::from(*value), sum.1 + 1.0);
    }
    sums.iter().map(|(sum, pixels)| sum / f64::max(*pixels, 1.0)).collect()
}
