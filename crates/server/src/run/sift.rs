//! A picture that is explained only where it is called fake: its scores are asked for first, and paid for once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use unmask_explainer::image::Limits;
use unmask_pool::Meter;

use super::explain::Begun;
use super::{Bill, Caller, Explained, Predicted, fake_probability, warnings, whole};
use crate::decode::ExplainJob;
use crate::error::RequestError;
use crate::fills::Fills;

/// What came of a picture.
pub(crate) enum Sifted {
    Explained(Box<Explained>),
    Skipped(Box<Predicted>),
}

impl From<Explained> for Sifted {
    fn from(explained: Explained) -> Self {
        Self::Explained(Box::new(explained))
    }
}

impl Sifted {
    /// Passes that were run for it.
    pub(crate) fn passes(&self) -> u64 {
        match self {
            Self::Explained(explained) => explained.bill.meter.run,
            Self::Skipped(scored) => scored.bill.meter.run,
        }
    }
}

/// Explains a picture whose probability of being fake is at least so high.
pub(crate) fn sift(
    job: &mut ExplainJob,
    least: f64,
    limits: &Limits,
    fills: &Fills,
    caller: &Caller,
) -> Result<Sifted, RequestError> {
    let started = Instant::now();
    let begun = Begun::new(job, limits, caller)?;
    let subject = &begun.job.subject;
    let spec = subject.served.spec();
    let unanswered = caller.unanswered(begun.job.announced(), &begun.forward);
    let logits = whole(&begun.forward, &[&begun.seen.tensor])?.row(0).to_vec();
    unanswered.answered(&[]);
    if fake_probability(spec, &logits) >= least {
        return begun.explain(Some(logits), fills).map(Sifted::from);
    }
    // That of the picture, and where a face was looked for, that of the face model.
    let (own, looked) = (begun.forward.meter(), begun.looked);
    let bill = Bill {
        announced: 1 + looked.run,
        meter: Meter { asked: own.asked + looked.asked, run: own.run + looked.run, ..own },
        savings: Vec::new(),
        decode: begun.decode,
        render: Duration::ZERO,
        total: started.elapsed(),
    };
    let warnings = warnings::picture(spec, subject);
    let (spec, frame) = (Arc::clone(spec), begun.seen.frame);
    Ok(Sifted::Skipped(Box::new(Predicted { spec, logits, frame, bill, warnings })))
}
