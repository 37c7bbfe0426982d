//! The one place that orchestrates a job: picture, regions, references, fill, method, pictures. Synchronous; it runs on
//! a blocking thread and knows neither messages nor the socket.

mod after;
mod bill;
mod evaluate;
mod explain;
mod face;
mod face_box;
mod faces;
mod fill;
mod live;
mod predict;
mod sift;
mod summary;
mod tell;
mod warnings;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use unmask_core::{Ended, ForwardError, Perturbation, Round, Scores, Tensor, Violation};
use unmask_explainer::image::{self, Frame, Picture};
use unmask_pool::{Cancel, Job, Limits};

pub(crate) use self::after::{CHECKS, Changed, Check, Replaced, Steady, again_announced};
pub(crate) use self::bill::{Bill, Saving, Why};
pub(crate) use self::evaluate::{Evaluation, Outcome, Scored, evaluate};
pub(crate) use self::explain::{Adversarial, Explained, explain};
pub(crate) use self::face::Met;
pub(crate) use self::face_box::{ExplainedFace, explain_face};
pub(crate) use self::faces::{Faces, LOOKS, faces};
pub(crate) use self::live::{Live, News, Partial, Progress};
pub(crate) use self::predict::{Predicted, fake_probability, predict};
pub(crate) use self::sift::{Sifted, sift};
pub(crate) use self::summary::{Mean, means};
use crate::decode::Subject;
use crate::error::RequestError;
use crate::telemetry::{Saved, Telemetry, Trace};

/// Told how many passes of one job have been folded.
type Told = dyn Fn(u64) + Send + Sync;

/// What a request brings besides its job.
#[derive(Clone, Default)]
pub(crate) struct Caller {
    pub(crate) cancel: Cancel,
    pub(crate) deadline: Option<Instant>,
    /// Set to when the rounds of an explanation have ended.
    pub(crate) ended: Arc<OnceLock<Instant>>,
    /// Where it is told of what happens meanwhile.
    pub(crate) live: Option<Arc<Live>>,
    pub(crate) weight: u32,
    /// For whom it asks.
    pub(crate) tenant: String,
    /// Its place in a trace.
    pub(crate) trace: Trace,
    /// Where it is counted.
    pub(crate) telemetry: Telemetry,
}

impl Caller {
    /// Whether the caller still waits: looked at between steps that take long and ask no model.
    ///
    /// # Errors
    /// [`ForwardError::Cancelled`], and [`ForwardError::Unanswered`] once the deadline has passed.
    fn waits(&self) -> Result<(), RequestError> {
        if self.cancel.is_cancelled() {
            return Err(ForwardError::Cancelled.into());
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => {
                Err(ForwardError::Unanswered(Ended::Deadline).into())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Why there is no answer: what came before there was one may have been the server's end.
    pub(crate) fn why(&self, error: RequestError) -> RequestError {
        if self.cancel.is_hurried() && error.cut_off().is_some() { RequestError::Draining } else { error }
    }

    fn limits(&self, announced: u64, passes: Option<u64>) -> Limits {
        let progress = self.told_after(0, announced);
        Limits {
            passes,
            deadline: self.deadline,
            weight: self.weight,
            cancel: self.cancel.clone(),
            progress,
            origin: self.trace.origin(),
        }
    }

    /// The same for what nobody is told of, because it comes before what is announced.
    fn quiet(&self) -> Limits {
        Limits { progress: None, ..self.limits(0, None) }
    }

    /// The rounds of an explanation have ended. Where the deadline ended them, the last that was folded was no end: another one was
    /// waited for.
    fn rounds_ended(&self, why: Ended, folded: Option<Instant>) {
        let last = match why {
            Ended::Deadline => None,
            Ended::All | Ended::Stopped | Ended::Budget => folded,
        };
        // There is one end.
        let _ = self.ended.set(last.unwrap_or_else(Instant::now));
    }

    /// Counts what an answer has saved, or what is saved because nobody waits for one any more.
    fn unanswered<'a>(&'a self, announced: u64, forward: &'a Job) -> Unanswered<'a> {
        Unanswered { caller: self, announced, forward, answered: false }
    }

    /// What tells the caller of folded passes, of which some were folded before.
    fn told_after(&self, before: u64, announced: u64) -> Option<Arc<Told>> {
        let live = self.live.clone()?;
        Some(Arc::new(move |folded| live.passed(before + folded, announced)))
    }
}

/// A request that has begun to ask and is not answered yet.
struct Unanswered<'a> {
    caller: &'a Caller,
    announced: u64,
    forward: &'a Job,
    answered: bool,
}

impl Unanswered<'_> {
    /// It is answered now.
    fn answered(mut self, savings: &[Saving]) {
        self.answered = true;
        for Saving { why, passes } in savings {
            self.caller.telemetry.metrics().saved(Saved::Answered(*why), *passes);
        }
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.answered && self.caller.cancel.is_cancelled() {
            let passes = self.announced.saturating_sub(self.forward.meter().run);
            self.caller.telemetry.metrics().saved(Saved::Cancelled, passes);
        }
    }
}

/// Pixels in the picture's own frame and in the model's.
struct Seen {
    picture: Picture,
    tensor: Arc<Tensor>,
    frame: Frame,
    took: Duration,
}

fn see(subject: &Subject, limits: &image::Limits, trace: &Trace) -> Result<Seen, RequestError> {
    let started = Instant::now();
    trace.step("decode", || {
        let picture = read(&subject.image, limits, "image")?;
        Ok(Seen { took: started.elapsed(), ..shown(subject, picture) })
    })
}

/// What the model sees of a picture.
fn shown(subject: &Subject, picture: Picture) -> Seen {
    let started = Instant::now();
    let input = &subject.served.spec().input;
    let tensor = Arc::new(image::to_tensor(&picture, subject.crop, input));
    let frame = Frame {
        crop: subject.crop,
        displayed: (picture.width(), picture.height()),
        orientation: picture.orientation(),
        model: (input.width as u32, input.height as u32),
    };
    Seen { picture, tensor, frame, took: started.elapsed() }
}

fn read(bytes: &[u8], limits: &image::Limits, field: &str) -> Result<Picture, RequestError> {
    image::decode(bytes, limits)
        .map_err(|e| RequestError::Invalid(vec![Violation::new(field, e.to_string())]))
}

/// Scores whole pictures in one round.
fn whole(forward: &dyn unmask_core::Forward, pictures: &[&Arc<Tensor>]) -> Result<Scores, RequestError> {
    let _span = tracing::info_span!("reference").entered();
    let round = Round {
        image: Arc::clone(pictures[0]),
        fill: Arc::clone(pictures[0]),
        items: pictures.iter().map(|p| Perturbation::Dense(Arc::clone(p))).collect(),
    };
    Ok(forward.scores(round)?)
}
