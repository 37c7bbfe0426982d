//! How far explanations can be trusted: each is made or taken, and held against every metric, next to the controls.
//!
//! Everything that the explanations of one request have in common is done once: the picture's score, regions, fills,
//! adversarial searches and attacks on the same regions.

mod prepare;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use unmask_core::{ModelSpec, highest};
use unmask_explainer::image::Limits;
use unmask_explainer::metrics::Measured;

use self::prepare::Prepared;
use self::work::{Common, Work};
use super::{Adversarial, Bill, Caller, Saving, Why, see, warnings, whole};
use crate::decode::{EvaluateJob, Named};
use crate::error::RequestError;
use crate::fills::Fills;

/// Evaluated explanations.
pub(crate) struct Evaluation {
    pub(crate) spec: Arc<ModelSpec>,
    /// What the model says of the picture; nothing in a dry run.
    pub(crate) seen: Option<Picture>,
    pub(crate) scored: Vec<Scored>,
    pub(crate) bill: Bill,
    pub(crate) warnings: Vec<String>,
}

/// What the model says of the picture.
pub(crate) struct Picture {
    pub(crate) logits: Vec<f32>,
    pub(crate) decision: Named,
    pub(crate) score: f64,
}

/// An explanation and its figures.
pub(crate) struct Scored {
    pub(crate) name: String,
    pub(crate) control: bool,
    pub(crate) announced: u64,
    /// Passes that explanation and fill would have cost alone.
    pub(crate) used: u64,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) adversarial: Option<Adversarial>,
    /// Why there is no explanation.
    pub(crate) missing: Option<String>,
}

/// What a metric says of an explanation.
pub(crate) struct Outcome {
    pub(crate) metric: &'static str,
    pub(crate) announced: u64,
    pub(crate) run: u64,
    /// Nothing in a dry run; a sentence where a deadline came first.
    pub(crate) measured: Option<Result<Measured, String>>,
}

pub(crate) fn evaluate(
    job: &EvaluateJob,
    limits: &Limits,
    fills: &Fills,
    caller: &Caller,
) -> Result<Evaluation, RequestError> {
    let started = Instant::now();
    let spec = Arc::clone(job.subject.served.spec());
    let seen = see(&job.subject, limits, &caller.trace)?;
    let prepared = Prepared::new(job, &seen, limits, caller)?;
    let decode = started.elapsed();
    let announced = job.announced();
    let mut warnings = warnings::picture(&spec, &job.subject);
    if job.dry_run {
        let scored = prepared.announce(job);
        let (meter, savings) = Default::default();
        let total = started.elapsed();
        let bill = Bill { announced, meter, savings, decode, render: Duration::ZERO, total };
        return Ok(Evaluation { spec, seen: None, scored, bill, warnings });
    }
    let forward = job.subject.served.job(caller.limits(announced, None))?;
    let unanswered = caller.unanswered(announced, &forward);
    let logits = whole(&forward, &[&seen.tensor])?.row(0).to_vec();
    let decision = job.plan.question.about(highest(&logits), &spec);
    let score = decision.target.value(&logits);
    let work = Work {
        job,
        seen: &seen,
        prepared: &prepared,
        forward: &forward,
        fills,
        caller,
        logits: &logits,
        target: &decision.target,
        announced,
        common: Common::default(),
    };
    let scored = work.all()?;
    let (meter, mut savings) = work.billed();
    let saved: u64 = savings.iter().map(|saving| saving.passes).sum();
    let unused = announced.saturating_sub(meter.run + saved);
    if unused > 0 {
        let why = if work.was_cut_off() { Why::Deadline } else { Why::Converged };
        savings.push(Saving { why, passes: unused });
    }
    unanswered.answered(&savings);
    warnings.extend(work.warnings());
    if work.was_cut_off() {
        warnings
            .push("the deadline came before all figures were measured; those that are missing say so".into());
    }
    let total = started.elapsed();
    let bill = Bill { announced, meter, savings, decode, render: Duration::ZERO, total };
    let seen = Some(Picture { logits, decision, score });
    Ok(Evaluation { spec, seen, scored, bill, warnings })
}
