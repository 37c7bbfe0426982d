//! A model in closed form.

use std::ops::ControlFlow;

use crate::{Ended, Forward, ForwardError, ModelSpec, Round, Scores};

/// Answers with a function of the perturbed picture, which it gets as `[channels, height, width]`; for tests and
/// examples, where the exact explanation is known.
pub struct FromFn<F> {
    spec: ModelSpec,
    logits: F,
}

impl<F: Fn(&[f32]) -> Vec<f32>> FromFn<F> {
    /// A model of this spec whose logits are `logits`.
    pub fn new(spec: ModelSpec, logits: F) -> Self {
        Self { spec, logits }
    }
}

impl<F: Fn(&[f32]) -> Vec<f32>> Forward for FromFn<F> {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn run(
        &self,
        rounds: &mut dyn Iterator<Item = Round>,
        fold: &mut dyn FnMut(usize, Scores) -> ControlFlow<()>,
    ) -> Result<Ended, ForwardError> {
        for (number, round) in rounds.enumerate() {
            let mut pixels = vec![0.0; round.image.data().len()];
            let mut logits = Vec::new();
            for item in &round.items {
                item.expand(&round.image, &round.fill, self.spec.input.layout, &mut pixels);
                logits.extend((self.logits)(&pixels));
            }
            if fold(number, Scores::new(self.spec.row_len(), logits)).is_break() {
                return Ok(Ended::Stopped);
            }
        }
        Ok(Ended::All)
    }
}
