//! The rounds that wait for one model, and the places of the jobs that may bring them.
//!
//! The queue is bounded by its places: a job has at most two rounds waiting, and a round at most
//! [`unmask_core::ROUND`] perturbations, so memory is bounded without ever refusing a job half way.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use unmask_core::{ForwardError, Round};

use crate::answers::Answers;
use crate::schedule::{self, Item};

/// A round of one job, of which `next` rows have been handed out.
pub(crate) struct Ticket {
    pub(crate) round: Arc<Round>,
    pub(crate) number: u64,
    pub(crate) next: usize,
    pub(crate) answers: Arc<Answers>,
}

pub(crate) struct Queue {
    model: String,
    places: usize,
    state: Mutex<State>,
    ready: Condvar,
}

struct State {
    waiting: VecDeque<Ticket>,
    jobs: usize,
    closed: Option<ForwardError>,
    workers: usize,
}

/// A job's place; dropping it frees the place and takes back what still waits.
pub(crate) struct Place {
    queue: Arc<Queue>,
    answers: Arc<Answers>,
}

impl Queue {
    pub(crate) fn new(model: String, places: usize, workers: usize) -> Arc<Self> {
        let state = State { waiting: VecDeque::new(), jobs: 0, closed: None, workers };
        Arc::new(Self { model, places, state: Mutex::new(state), ready: Condvar::new() })
    }

    /// Takes a place for a job.
    pub(crate) fn enter(self: &Arc<Self>, answers: &Arc<Answers>) -> Result<Place, ForwardError> {
        let mut state = self.lock();
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        if state.jobs >= self.places {
            let model = self.model.clone();
            return Err(ForwardError::Overloaded { model, jobs: state.jobs, limit: self.places });
        }
        state.jobs += 1;
        Ok(Place { queue: Arc::clone(self), answers: Arc::clone(answers) })
    }

    /// Waits for work and takes at most `batch` perturbations, mixing jobs; `None` once the queue is closed.
    pub(crate) fn take(&self, batch: usize) -> Option<Vec<Item>> {
        let mut state = self.lock();
        loop {
            if state.closed.is_some() {
                return None;
            }
            let items = schedule::next(&mut state.waiting, batch);
            if !items.is_empty() {
                return Some(items);
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Open to closed: no job enters any more, workers leave, and whoever waits is told the reason.
    pub(crate) fn close(&self, reason: &str) {
        let error = ForwardError::Backend { model: self.model.clone(), reason: reason.to_owned() };
        let waiting = {
            let mut state = self.lock();
            state.closed.get_or_insert(error.clone());
            std::mem::take(&mut state.waiting)
        };
        waiting.iter().for_each(|ticket| ticket.answers.fail(error.clone()));
        self.ready.notify_all();
    }

    /// A worker is gone; the last one closes the queue behind it, so that nobody waits for an answer that cannot come.
    pub(crate) fn worker_gone(&self, reason: &str) {
        let left = {
            let mut state = self.lock();
            state.workers = state.workers.saturating_sub(1);
            state.workers
        };
        if left == 0 {
            self.close(reason);
        }
    }

    /// Whether jobs can enter and be answered.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().closed.is_none()
    }

    /// Jobs that have a place.
    pub(crate) fn jobs(&self) -> usize {
        self.lock().jobs
    }

    /// Rounds that wait, in whole or in part.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Puts a round at the end of the queue.
    pub(crate) fn submit(&self, number: u64, round: Round) -> Result<(), ForwardError> {
        let ticket = Ticket { round: Arc::new(round), number, next: 0, answers: Arc::clone(&self.answers) };
        let mut state = self.queue.lock();
        if let Some(error) = &state.closed {
            return Err(error.clone());
        }
        state.waiting.push_back(ticket);
        drop(state);
        self.queue.ready.notify_all();
        Ok(())
    }

    /// Takes back what still waits.
    pub(crate) fn withdraw(&self) {
        self.queue.lock().waiting.retain(|ticket| !Arc::ptr_eq(&ticket.answers, &self.answers));
        self.answers.forget();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.withdraw();
        self.queue.lock().jobs -= 1;
    }
}
