//! The fill, and what the model says of picture and fill alone.
//!
//! A fill that is made from the picture is scored together with it. One that is searched for costs passes of its own and
//! comes from [`Fills`], which shares it between requests: the search has a job, a thread and a `Cancel` of its own.

use std::sync::Arc;

use unmask_core::{LabelMap, Tensor};
use unmask_explainer::fill::Made;
use unmask_explainer::fill::adversarial::Search;
use unmask_explainer::image::{self, Limits};
use unmask_pool::{Job, Limits as JobLimits, Meter, Served};

use super::{Caller, Saving, Seen, Why, bill, read, whole};
use crate::decode::{ExplainJob, FillChoice, REFERENCE_PASSES, Subject};
use crate::error::RequestError;
use crate::fills::{Fills, Found, Key, Paid};
use crate::telemetry::Trace;

/// The picture, what stands where it is hidden, and the logits of both.
pub(super) struct References {
    pub(super) fill: Arc<Tensor>,
    pub(super) logits: Vec<f32>,
    pub(super) fill_logits: Vec<f32>,
    pub(super) searched: Option<Searched>,
}

/// A search, and who ran it.
#[derive(Clone)]
pub(super) struct Searched {
    pub(super) found: Arc<Found>,
    paid: Paid,
    /// Passes that it might run.
    allowed: u64,
}

impl Searched {
    /// The job's own meter with what it paid for the search, and what of the `announced` passes was saved.
    pub(super) fn bill(&self, own: Meter, announced: u64) -> (Meter, Vec<Saving>) {
        let meter = match self.paid {
            Paid::Here => bill::together(own, &self.found),
            Paid::Shared | Paid::Cached => own,
        };
        let mut savings = bill::search(announced, self.allowed, &self.found.sample, self.paid);
        if self.paid == Paid::Here {
            savings.push(Saving { why: Why::Duplicate, passes: self.found.meter.duplicate });
            savings.retain(|saving| saving.passes > 0);
        }
        (meter, savings)
    }
}

/// Where a fill comes from, with the caller's picture decoded.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    Made(Made),
    Search(Search),
}

impl Source {
    /// The source that was chosen; `path` is the field of the choice.
    pub(super) fn new(
        choice: &FillChoice,
        subject: &Subject,
        limits: &Limits,
        path: &str,
    ) -> Result<Self, RequestError> {
        Ok(match choice {
            FillChoice::Search(search) => Self::Search(search.clone()),
            FillChoice::Made(made) => Self::Made(made.clone()),
            FillChoice::Image(bytes) => {
                let picture = read(bytes, limits, &format!("{path}.image.image"))?;
                let input = &subject.served.spec().input;
                Self::Made(Made::Image(Arc::new(image::to_tensor(&picture, subject.crop, input))))
            }
        })
    }
}

/// A fill that needs no forward pass.
pub(super) fn made(
    job: &ExplainJob,
    seed: u64,
    seen: &Seen,
    segments: &LabelMap,
    limits: &Limits,
    trace: &Trace,
) -> Result<Option<Arc<Tensor>>, RequestError> {
    if let FillChoice::Search(_) = &job.fill {
        return Ok(None);
    }
    let input = &job.subject.served.spec().input;
    trace.step("fill", || match Source::new(&job.fill, &job.subject, limits, "fill")? {
        Source::Search(_) => Ok(None),
        Source::Made(made) => Ok(Some(made.resolve(&seen.tensor, segments, input, seed))),
    })
}

/// Scores picture and fill; searches for the fill in between where it was not made. What is known already is the fill that was made,
/// and the picture's logits where it was scored.
pub(super) fn refer(
    job: &ExplainJob,
    seed: u64,
    image: &Arc<Tensor>,
    (made, scored): (Option<Arc<Tensor>>, Option<Vec<f32>>),
    forward: &Job,
    fills: &Fills,
    caller: &Caller,
) -> Result<References, RequestError> {
    match (&job.fill, made) {
        (FillChoice::Search(search), _) => {
            let logits = match scored {
                Some(logits) => logits,
                None => whole(forward, &[image])?.row(0).to_vec(),
            };
            let served = &job.subject.served;
            // The picture's own pass stands before the search in what the caller is told.
            let told = (forward.meter().used.max(1), job.announced());
            // What the method needs at least is not the search's.
            let kept = REFERENCE_PASSES + job.method.least();
            let search =
                job.budget.max_passes.map_or(search.clone(), |most| search.within(most.saturating_sub(kept)));
            let searched = find(served, &search, image, seed, told, fills, caller)?;
            // Whoever paid for it: what a budget allows must not depend on what others have asked for.
            forward.charge(searched.found.sample.passes);
            let fill = Arc::clone(&searched.found.sample.tensor);
            let fill_logits = whole(forward, &[&fill])?.row(0).to_vec();
            Ok(References { fill, logits, fill_logits, searched: Some(searched) })
        }
        (FillChoice::Made(_) | FillChoice::Image(_), made) => {
            let fill = made.ok_or(RequestError::Panicked)?;
            let (logits, fill_logits) = match scored {
                Some(logits) => (logits, whole(forward, &[&fill])?.row(0).to_vec()),
                None => {
                    let scores = whole(forward, &[image, &fill])?;
                    (scores.row(0).to_vec(), scores.row(1).to_vec())
                }
            };
            Ok(References { fill, logits, fill_logits, searched: None })
        }
    }
}

/// Searches, or waits for the search of another; `told` are the passes before it and all that are announced.
pub(super) fn find(
    served: &Arc<Served>,
    search: &Search,
    image: &Arc<Tensor>,
    seed: u64,
    (before, announced): (u64, u64),
    fills: &Fills,
    caller: &Caller,
) -> Result<Searched, RequestError> {
    let (key, allowed) = (Key::new(&caller.tenant, image, served.spec(), search, seed), search.announced());
    let (served, search, image) = (Arc::clone(served), search.clone(), Arc::clone(image));
    let (progress, weight) = (caller.told_after(before, announced), caller.weight);
    let (telemetry, origin) = (caller.telemetry.clone(), caller.trace.origin());
    let run = move |cancel| {
        // No deadline and no budget of the one who asks first: others may wait for the same.
        let forward = served.job(JobLimits { cancel, progress, weight, origin, ..JobLimits::default() })?;
        let sample = search.whole(&image, seed, &forward)?;
        telemetry.metrics().searched(search.name(), sample.flipped, 1);
        Ok(Found { sample, meter: forward.meter() })
    };
    let (found, paid) = caller.trace.step("fill", || fills.get(&key, caller, run))?;
    caller.telemetry.metrics().filled(paid);
    Ok(Searched { found, paid, allowed })
}
