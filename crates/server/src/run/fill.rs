//! The fill, and what the model says of picture and fill alone.
//!
//! A fill that is made from the picture is scored together with it. One that is searched for costs passes of its own and
//! comes from [`Fills`], which shares it between requests: the search has a job, a thread and a `Cancel` of its own.

use std::sync::Arc;

use unmask_core::{LabelMap, Tensor};
use unmask_explainer::fill::Made;
use unmask_explainer::fill::adversarial::Search;
use unmask_explainer::image::{self, Limits};
use unmask_pool::{Job, Limits as JobLimits, Meter};

use super::{Caller, Saving, Seen, bill, read, whole};
use crate::decode::{ExplainJob, FillChoice};
use crate::error::RequestError;
use crate::fills::{Fills, Found, Key, Paid};

/// The picture, what stands where it is hidden, and the logits of both.
pub(super) struct References {
    pub(super) fill: Arc<Tensor>,
    pub(super) logits: Vec<f32>,
    pub(super) fill_logits: Vec<f32>,
    pub(super) searched: Option<Searched>,
}

/// A search, and who ran it.
pub(super) struct Searched {
    pub(super) found: Arc<Found>,
    paid: Paid,
}

impl Searched {
    /// The job's own meter with what it paid for the search, and what of the `announced` passes was saved.
    pub(super) fn bill(&self, own: Meter, announced: u64) -> (Meter, Vec<Saving>) {
        let meter = match self.paid {
            Paid::Here => bill::together(own, &self.found),
            Paid::Shared | Paid::Cached => own,
        };
        (meter, bill::search(announced, &self.found.sample, self.paid))
    }
}

/// A fill that needs no forward pass.
pub(super) fn made(
    job: &ExplainJob,
    seen: &Seen,
    segments: &LabelMap,
    limits: &Limits,
) -> Result<Option<Arc<Tensor>>, RequestError> {
    let _span = tracing::info_span!("fill").entered();
    let input = &job.subject.served.spec().input;
    let made = match &job.fill {
        FillChoice::Search(_) => return Ok(None),
        FillChoice::Made(made) => made.clone(),
        FillChoice::Image(bytes) => {
            let picture = read(bytes, limits, "fill.image.image")?;
            Made::Image(Arc::new(image::to_tensor(&picture, job.subject.crop, input)))
        }
    };
    Ok(Some(made.resolve(&seen.tensor, segments, input, job.seed)))
}

/// Scores picture and fill; searches for the fill in between where it was not made.
pub(super) fn refer(
    job: &ExplainJob,
    image: &Arc<Tensor>,
    made: Option<Arc<Tensor>>,
    forward: &Job,
    fills: &Fills,
    caller: &Caller,
) -> Result<References, RequestError> {
    match (&job.fill, made) {
        (FillChoice::Search(search), _) => {
            let logits = whole(forward, &[image])?.row(0).to_vec();
            let searched = find(job, search, image, fills, caller)?;
            // Whoever paid for it: what a budget allows must not depend on what others have asked for.
            forward.charge(searched.found.sample.passes);
            let fill = Arc::clone(&searched.found.sample.tensor);
            let fill_logits = whole(forward, &[&fill])?.row(0).to_vec();
            Ok(References { fill, logits, fill_logits, searched: Some(searched) })
        }
        (FillChoice::Made(_) | FillChoice::Image(_), made) => {
            let fill = made.ok_or(RequestError::Panicked)?;
            let scores = whole(forward, &[image, &fill])?;
            let (logits, fill_logits) = (scores.row(0).to_vec(), scores.row(1).to_vec());
            Ok(References { fill, logits, fill_logits, searched: None })
        }
    }
}

fn find(
    job: &ExplainJob,
    search: &Search,
    image: &Arc<Tensor>,
    fills: &Fills,
    caller: &Caller,
) -> Result<Searched, RequestError> {
    let _span = tracing::info_span!("search").entered();
    let served = Arc::clone(&job.subject.served);
    let key = Key::new(image, served.spec(), search, job.seed);
    let (search, image, seed) = (search.clone(), Arc::clone(image), job.seed);
    // The picture's own pass stands before the search in what the caller is told.
    let progress = caller.told_after(1, job.announced());
    let run = move |cancel| {
        // No deadline and no budget of the one who asks first: others may wait for the same.
        let forward = served.job(JobLimits { cancel, progress, ..JobLimits::default() })?;
        let sample = search.whole(&image, seed, &forward)?;
        Ok(Found { sample, meter: forward.meter() })
    };
    let (found, paid) = fills.get(&key, caller, run)?;
    Ok(Searched { found, paid })
}
