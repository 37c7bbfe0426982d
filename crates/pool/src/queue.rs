//! What waits for one model, who may bring it, and whether anybody can work on it.
//!
//! The queue is bounded by its places: a job has at most two rounds waiting, and a round at most
//! [`unmask_core::ROUND`] perturbations, so memory is bounded without ever refusing a job half way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use unmask_core::{ForwardError, Round};

use crate::answers::Answers;
use crate::probe::Batching;
use crate::schedule::{Fair, Item};
use crate::sync::{Condvar, Mutex, MutexGuard, unpoisoned};

pub(crate) struct Queue {
    model: String,
    places: usize,
    state: Mutex<State>,
    ready: Condvar,
}

struct State {
    fair: Fair,
    /// What a worker could not run; it goes before everything else.
    returned: VecDeque<Item>,
    /// Open, closed for ever, or for as long as no worker can work.
    closed: Option<ForwardError>,
    down: Option<ForwardError>,
    /// What each worker can do, and how many have not gone.
    states: Vec<Worker>,
    workers: usize,
}

/// What a worker can do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worker {
    /// It has a session.
    Up,
    /// It is getting another session: nothing is given to it, and whoever waits goes on waiting.
    Replacing,
    /// It could not get one.
    Down,
}

/// A job's place; dropping it frees the place and takes back what still waits.
pub(crate) struct Place {
    queue: Arc<Queue>,
    answers: Arc<Answers>,
    id: u64,
}

impl Queue {
    pub(crate) fn new(model: String, places: usize, workers: usize) -> Arc<Self> {
        let state = State {
            fair: Fair::default(),
            returned: VecDeque::new(),
            closed: None,
            down: None,
            states: vec![Worker::Up; workers],
            workers,
        };
        Arc::new(Self { model, places, state: Mutex::new(state), ready: Condvar::new() })
    }

    /// Takes a place for a job of this weight.
    pub(crate) fn enter(
        self: &Arc<Self>,
        answers: &Arc<Answers>,
        weight: u32,
    ) -> Result<Place, ForwardError> {
        let mut state = self.lock();
        state.open()?;
        let jobs = state.fair.jobs();
        if jobs >= self.places {
            return Err(ForwardError::Overloaded { model: self.model.clone(), jobs, limit: self.places });
        }
        let id = state.fair.enter(answers, weight);
        Ok(Place { queue: Arc::clone(self), answers: Arc::clone(answers), id })
    }

    /// Waits for work for a worker that is up and takes at most `batch` perturbations, mixing jobs; `None` once the queue is
    /// closed.
    ///
    /// While little waits it is shared out between the workers, so that none is idle while another has a full batch
    /// (guided self-scheduling, Polychronopoulos and Kuck, DOI 10.1109/TC.1987.5009495). What has failed in a batch comes
    /// alone, so that a picture that breaks the backend takes nobody with it.
    pub(crate) fn take(&self, worker: usize, batching: Batching) -> Option<Vec<Item>> {
        let mut state = self.lock();
        loop {
            if state.closed.is_some() {
                return None;
            }
            let able = state.states[worker] == Worker::Up;
            let items = if able { state.next(batching) } else { Vec::new() };
            if !items.is_empty() {
                return Some(items);
            }
            state = unpoisoned(self.ready.wait(state));
        }
    }

    /// Gives back what could not be run: whole, where its worker had no session, or once more where its batch failed.
    pub(crate) fn give_back(&self, items: Vec<Item>) {
        let refused = {
            let mut state = self.lock();
            match state.open() {
                Err(error) => Some(error),
                Ok(()) => {
                    state.returned.extend(items.iter().cloned());
                    None
                }
            }
        };
        if let Some(error) = refused {
            items.iter().for_each(|item| item.answers.fail(error.clone()));
        }
        self.ready.notify_all();
    }

    /// Open to closed: no job enters any more, workers leave, and whoever waits is told the reason.
    pub(crate) fn close(&self, reason: &str) {
        let error = self.error(reason);
        let waiting = {
            let mut state = self.lock();
            state.closed.get_or_insert(error.clone());
            state.give_up()
        };
        waiting.iter().for_each(|answers| answers.fail(error.clone()));
        self.ready.notify_all();
    }

    /// Up to replacing: a worker's session has failed. What waits is for the others, or waits for its next session.
    pub(crate) fn worker_replacing(&self, worker: usize) {
        self.lock().states[worker] = Worker::Replacing;
        self.ready.notify_all();
    }

    /// Up or replacing to down, for one worker: it has no session. The last one turns away whoever comes until one is up again.
    pub(crate) fn worker_down(&self, worker: usize, reason: &str) {
        let error = self.error(reason);
        let waiting = {
            let mut state = self.lock();
            state.states[worker] = Worker::Down;
            if state.states.iter().any(|worker| *worker != Worker::Down) {
                return;
            }
            state.down = Some(error.clone());
            state.give_up()
        };
        waiting.iter().for_each(|answers| answers.fail(error.clone()));
    }

    /// Replacing or down to up, for one worker.
    pub(crate) fn worker_up(&self, worker: usize) {
        let mut state = self.lock();
        state.states[worker] = Worker::Up;
        state.down = None;
        drop(state);
        self.ready.notify_all();
    }

    /// A worker is gone, up or down; the last one closes the queue behind it, so that nobody waits for an answer that
    /// cannot come.
    pub(crate) fn worker_gone(&self, worker: usize, reason: &str) {
        self.worker_down(worker, reason);
        let left = {
            let mut state = self.lock();
            state.workers -= 1;
            state.workers
        };
        if left == 0 {
            self.close(reason);
        }
    }

    /// Waits for a while, and says whether the queue is closed.
    pub(crate) fn is_closed_after(&self, pause: Duration) -> bool {
        let end = Instant::now() + pause;
        let mut state = self.lock();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if state.closed.is_some() || left.is_zero() {
                return state.closed.is_some();
            }
            state = unpoisoned(self.ready.wait_timeout(state, left)).0;
        }
    }

    /// Whether jobs can enter and be answered.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().open().is_ok()
    }

    /// Workers that can work.
    pub(crate) fn up(&self) -> usize {
        self.lock().up()
    }

    /// Jobs that have a place.
    pub(crate) fn jobs(&self) -> usize {
        self.lock().fair.jobs()
    }

    /// Rounds that wait, in whole or in part.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().fair.rounds()
    }

    /// Passes that wait for a worker, and how long the oldest of them has.
    pub(crate) fn depth(&self) -> (usize, Duration) {
        let state = self.lock();
        let returned = state.returned.iter().map(|item| item.since);
        let oldest = returned.chain(state.fair.oldest()).min();
        let age = oldest.map_or(Duration::ZERO, |since| Instant::now().saturating_duration_since(since));
        (state.returned.len() + state.fair.passes(), age)
    }

    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    pub(crate) fn error(&self, reason: &str) -> ForwardError {
        ForwardError::Backend { model: self.model.clone(), reason: reason.to_owned() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        unpoisoned(self.state.lock())
    }
}

impl State {
    fn up(&self) -> usize {
        self.states.iter().filter(|worker| **worker == Worker::Up).count()
    }

    fn open(&self) -> Result<(), ForwardError> {
        match self.closed.as_ref().or(self.down.as_ref()) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn next(&mut self, batching: Batching) -> Vec<Item> {
        let batch = batching.most();
        let mut items: Vec<Item> = Vec::new();
        while let Some(item) = self.returned.pop_front_if(|item| item.failures == 0 || items.is_empty()) {
            if !item.answers.wanted() {
                continue;
            }
            let alone = item.failures > 0;
            items.push(item);
            if alone || items.len() == batch {
                return items;
            }
        }
        let share = (items.len() + self.fair.passes()).div_ceil(self.up().max(1));
        let size = batching.fitting(share.max(items.len()).max(1));
        while items.len() < size {
            match self.fair.next() {
                Some(item) => items.push(item),
                None => break,
            }
        }
        items
    }

    /// Takes back what a job's batches have left.
    fn forget(&mut self, answers: &Arc<Answers>) {
        self.returned.retain(|item| !Arc::ptr_eq(&item.answers, answers));
    }

    /// Everybody who waits.
    fn give_up(&mut self) -> Vec<Arc<Answers>> {
        let returned = std::mem::take(&mut self.returned);
        returned.into_iter().map(|item| item.answers).chain(self.fair.give_up()).collect()
    }
}

impl Place {
    /// Puts a round at the end of the job's queue.
    pub(crate) fn submit(&self, number: u64, round: Round) -> Result<(), ForwardError> {
        let mut state = self.queue.lock();
        state.open()?;
        state.fair.submit(self.id, number, Arc::new(round));
        drop(state);
        self.queue.ready.notify_all();
        Ok(())
    }

    /// Takes back what still waits.
    pub(crate) fn withdraw(&self) {
        let mut state = self.queue.lock();
        state.fair.withdraw(self.id);
        state.forget(&self.answers);
        drop(state);
        self.answers.forget();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.fair.leave(self.id);
        state.forget(&self.answers);
        drop(state);
        self.answers.forget();
    }
}
