//! What a scalar of a model's rows comes to under random masks, whatever the rows are: classes of a detector, or faces.

use std::ops::ControlFlow;
use std::sync::Arc;

use unmask_core::{Ended, Forward, ForwardError, LabelMap, Map, Perturbation, Tensor};

use super::{Fold, Rise, error};
use crate::methods::{Errors, rounds};

/// What is masked, and whom it asks.
pub(crate) struct Masking<'a> {
    /// The picture in the model's units.
    pub(crate) image: &'a Arc<Tensor>,
    /// What stands where it is hidden; the picture's shape.
    pub(crate) fill: &'a Arc<Tensor>,
    /// Rows and columns that the map tells of, from the top left of the model's frame.
    pub(crate) shape: (usize, usize),
    /// Regions of which errors are told, in that shape.
    pub(crate) segments: &'a LabelMap,
    /// Seed of the masks.
    pub(crate) seed: u64,
    /// Masks in a round; only what is cut short depends on it.
    pub(crate) round: usize,
    /// The model.
    pub(crate) forward: &'a dyn Forward,
}

/// What it has come to.
pub(crate) struct Masked {
    /// By the fold of RISE, in the scalar's unit.
    pub(crate) map: Map,
    /// How far it is from that of infinitely many masks, where that can be told.
    pub(crate) errors: Option<Errors>,
    /// The mean of the scalar over the masks.
    pub(crate) mean: f64,
    /// Why the rounds are over.
    pub(crate) ended: Ended,
}

impl Rise {
    /// Runs the masks and folds a scalar of each row. Between rounds `look` is told how many masks are folded, may see what they come
    /// to, and says whether to go on.
    ///
    /// # Errors
    /// As [`Forward::run`], and [`ForwardError::Unanswered`] where not one round was folded.
    pub(crate) fn masked(
        &self,
        masking: &Masking<'_>,
        scalar: impl Fn(&[f32]) -> f64,
        look: impl Fn(u64, &dyn Fn() -> Option<Masked>) -> ControlFlow<()>,
    ) -> Result<Masked, ForwardError> {
        let Masking { image, fill, shape: (height, width), seed, round, forward, .. } = *masking;
        let mask = |index| self.mask(seed, index, image.height(), image.width());
        let mut fold = Fold::new(height, width);
        let mut folded = Vec::new();
        let mut rounds = rounds((image, fill), round, self.masks, |index| Perturbation::Cells(mask(index)));
        let ended = forward.run(&mut rounds, &mut |number, scores| {
            for (index, row) in (number as u64 * round as u64..).zip(scores.rows()) {
                let score = scalar(row);
                fold.add(score, &mask(index));
                folded.push(score);
            }
            look(folded.len() as u64, &|| self.found(&fold, &folded, masking, Ended::Budget))
        })?;
        self.found(&fold, &folded, masking, ended).ok_or(ForwardError::Unanswered(ended))
    }

    /// What the masks so far come to, whose scores are `folded`.
    fn found(&self, fold: &Fold, folded: &[f64], masking: &Masking<'_>, ended: Ended) -> Option<Masked> {
        if folded.is_empty() {
            return None;
        }
        let sums = fold.stretched();
        let errors = error::of(self, &sums, folded, masking);
        Some(Masked { map: fold.map(&sums, self.centred), errors, mean: fold.mean(), ended })
    }
}
