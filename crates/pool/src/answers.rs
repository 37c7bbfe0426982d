//! Where a job's scores are collected while workers run its rounds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use unmask_core::{ForwardError, Scores};

use crate::observer::Origin;
use crate::sync::{Condvar, Mutex, MutexGuard, unpoisoned};

/// One job's mailbox: workers write rows, the job's thread waits for whole rounds.
pub(crate) struct Answers {
    state: Mutex<State>,
    changed: Condvar,
    deadline: Option<Instant>,
    origin: Option<Origin>,
}

#[derive(Default)]
struct State {
    rounds: BTreeMap<u64, Partial>,
    failed: Option<ForwardError>,
    cancelled: bool,
    hurried: bool,
    run: u64,
    forward: Duration,
    started: Option<Instant>,
}

/// A round of which some rows are still missing.
struct Partial {
    logits: Vec<f32>,
    classes: usize,
    missing: usize,
}

/// What waiting for a round ended with.
pub(crate) enum Waited {
    Scores(Scores),
    Deadline,
}

impl Default for Answers {
    fn default() -> Self {
        Self::new(None, None)
    }
}

impl Answers {
    /// Of a job that nobody waits for after its deadline.
    pub(crate) fn new(deadline: Option<Instant>, origin: Option<Origin>) -> Self {
        Self { state: Mutex::new(State::default()), changed: Condvar::new(), deadline, origin }
    }

    /// Where the job comes from.
    pub(crate) fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// Makes room for a round of `rows` rows.
    pub(crate) fn expect(&self, round: u64, rows: usize, classes: usize) {
        let partial = Partial { logits: vec![0.0; rows * classes], classes, missing: rows };
        self.lock().rounds.insert(round, partial);
    }

    /// Writes one row. A round that nobody waits for any more is counted as run and dropped.
    pub(crate) fn row(&self, round: u64, index: usize, logits: &[f32], forward: Duration, started: Instant) {
        let mut state = self.lock();
        state.run += 1;
        state.forward += forward;
        state.started.get_or_insert(started);
        if let Some(partial) = state.rounds.get_mut(&round) {
            let at = index * partial.classes;
            partial.logits[at..at + partial.classes].copy_from_slice(logits);
            partial.missing -= 1;
            if partial.missing == 0 {
                self.changed.notify_all();
            }
        }
    }

    /// Ends the job with an error; the first one is kept.
    pub(crate) fn fail(&self, error: ForwardError) {
        self.lock().failed.get_or_insert(error);
        self.changed.notify_all();
    }

    /// Ends the job because nobody waits for it.
    pub(crate) fn cancel(&self) {
        self.lock().cancelled = true;
        self.changed.notify_all();
    }

    /// Ends the job as its deadline would.
    pub(crate) fn hurry(&self) {
        self.lock().hurried = true;
        self.changed.notify_all();
    }

    /// Whether rows of this job are still wanted.
    pub(crate) fn wanted(&self) -> bool {
        let state = self.lock();
        let in_time = self.deadline.is_none_or(|deadline| Instant::now() < deadline);
        in_time && !state.hurried && !state.cancelled && state.failed.is_none()
    }

    /// Waits until the round is whole, the deadline has passed or the job has ended.
    pub(crate) fn wait(&self, round: u64) -> Result<Waited, ForwardError> {
        let deadline = self.deadline;
        let mut state = self.lock();
        loop {
            if state.cancelled {
                return Err(ForwardError::Cancelled);
            }
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            // Looked at before the scores: rounds that come faster than they are folded would hide the clock for ever.
            if state.hurried || deadline.is_some_and(|d| Instant::now() >= d) {
                state.rounds.clear();
                return Ok(Waited::Deadline);
            }
            match state.rounds.get(&round) {
                None => return Err(ForwardError::Cancelled),
                Some(partial) if partial.missing > 0 => {}
                Some(_) => {
                    let whole = state.rounds.remove(&round).map(|p| Scores::new(p.classes, p.logits));
                    return whole.map(Waited::Scores).ok_or(ForwardError::Cancelled);
                }
            }
            state = match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
                None => unpoisoned(self.changed.wait(state)),
                Some(left) => unpoisoned(self.changed.wait_timeout(state, left)).0,
            };
        }
    }

    /// Forgets rounds that nobody will wait for.
    pub(crate) fn forget(&self) {
        self.lock().rounds.clear();
    }

    /// Rows run, the job's share of the time in the model, and when a worker first took it up.
    pub(crate) fn meter(&self) -> (u64, Duration, Option<Instant>) {
        let state = self.lock();
        (state.run, state.forward, state.started)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        unpoisoned(self.state.lock())
    }
}
