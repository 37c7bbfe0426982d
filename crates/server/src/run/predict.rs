//! One pass: what the model says of a picture.

use std::sync::Arc;
use std::time::{Duration, Instant};

use unmask_core::{ModelSpec, log_sum_exp};
use unmask_explainer::image::{Frame, Limits};

use super::{Bill, Caller, see, warnings, whole};
use crate::decode::Subject;
use crate::error::RequestError;

/// A scored picture.
pub(crate) struct Predicted {
    pub(crate) spec: Arc<ModelSpec>,
    pub(crate) logits: Vec<f32>,
    pub(crate) frame: Frame,
    pub(crate) bill: Bill,
    pub(crate) warnings: Vec<String>,
}

/// 1 less the probability of the real class.
pub(crate) fn fake_probability(spec: &ModelSpec, logits: &[f32]) -> f64 {
    let others = (0..logits.len()).filter(|class| *class != spec.output.real).map(|class| logits[class]);
    // Summed over the other classes and not taken from 1, so that a very small probability keeps its digits.
    let fake = (log_sum_exp(others) - log_sum_exp(logits.iter().copied())).exp();
    fake.clamp(0.0, 1.0)
}

pub(crate) fn predict(
    subject: &Subject,
    limits: &Limits,
    caller: &Caller,
) -> Result<Predicted, RequestError> {
    let started = Instant::now();
    let seen = see(subject, limits, &caller.trace)?;
    let announced = 1;
    let job = subject.served.job(caller.limits(announced, None))?;
    let unanswered = caller.unanswered(announced, &job);
    let scores = whole(&job, &[&seen.tensor])?;
    unanswered.answered(&[]);
    let spec = Arc::clone(subject.served.spec());
    Ok(Predicted {
        logits: scores.row(0).to_vec(),
        frame: seen.frame,
        bill: Bill {
            announced,
            meter: job.meter(),
            savings: Vec::new(),
            decode: seen.took,
            render: Duration::ZERO,
            total: started.elapsed(),
        },
        warnings: warnings::picture(&spec, subject),
        spec,
    })
}
