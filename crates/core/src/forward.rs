//! The one contract between the science and the machine.

use std::ops::ControlFlow;

use thiserror::Error;

use crate::{ModelSpec, Round, Scores};

/// Someone who can be asked what a model says of perturbed pictures.
///
/// A method is a synchronous function over this trait: it never sees queues, devices, clocks or batch sizes. Tests
/// implement it with closed forms; the server implements it over the pool, with the job's budget and deadline.
pub trait Forward {
    /// The model that answers.
    fn spec(&self) -> &ModelSpec;

    /// Runs the rounds in order. `fold` sees each round's number and scores, in order, and says whether to go on. The
    /// next round may be asked for before `fold` has seen the last one.
    ///
    /// # Errors
    /// Only a cancelled job, a refused one or a failed backend are errors. A deadline or budget ends the rounds early,
    /// and what was folded is kept.
    fn run(
        &self,
        rounds: &mut dyn Iterator<Item = Round>,
        fold: &mut dyn FnMut(usize, Scores) -> ControlFlow<()>,
    ) -> Result<Ended, ForwardError>;

    /// The scores of one round, for callers that cannot go on without them.
    ///
    /// # Errors
    /// As [`Forward::run`], and [`ForwardError::Unanswered`] when a deadline or budget came first.
    fn scores(&self, round: Round) -> Result<Scores, ForwardError> {
        let mut answer = None;
        let ended = self.run(&mut std::iter::once(round), &mut |_, scores| {
            answer = Some(scores);
            ControlFlow::Continue(())
        })?;
        answer.ok_or(ForwardError::Unanswered(ended))
    }
}

/// Why a run of rounds is over. What has been folded is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every round was folded.
    All,
    /// `fold` said that it has seen enough.
    Stopped,
    /// The job's deadline came first.
    Deadline,
    /// The next round would not fit the job's budget of passes.
    Budget,
}

impl std::fmt::Display for Ended {
    /// What came, as it stands in a sentence.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::All | Self::Stopped => "last round",
            Self::Deadline => "deadline",
            Self::Budget => "end of the budget",
        })
    }
}

/// Why no scores came.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ForwardError {
    /// Nobody waits for the answer any more.
    #[error("the request was cancelled")]
    Cancelled,
    /// The pool has no place for another job.
    #[error("{jobs} jobs are already waiting for model {model}, the limit is {limit}")]
    Overloaded {
        /// Name and version of the model.
        model: String,
        /// Jobs that have a place.
        jobs: usize,
        /// Places.
        limit: usize,
    },
    /// The backend failed; its own words.
    #[error("model {model} failed: {reason}")]
    Backend {
        /// Name and version of the model.
        model: String,
        /// What the backend said.
        reason: String,
    },
    /// A necessary round was not run.
    #[error("the {0} came before there was anything to answer")]
    Unanswered(Ended),
    /// A method asked for something that no worker can compose.
    #[error("malformed round: {0}")]
    Malformed(String),
}
