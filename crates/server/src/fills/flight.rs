//! One run for all who ask for the same thing at the same time.
//!
//! The run has a thread and a [`Cancel`] of its own, so that it outlives whoever asked first, and ends when the last of
//! those who wait has gone. The lock of the board is taken before that of a flight, never after.

use std::collections::HashMap;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use unmask_core::{Ended, ForwardError};
use unmask_pool::{Cancel, Watcher};

use crate::error::RequestError;

/// What a run came to.
pub(super) type Outcome<T> = Result<Arc<T>, RequestError>;

/// The runs that are under way.
pub(super) struct Board<K, T> {
    flights: Mutex<HashMap<K, Arc<Flight<T>>>>,
}

/// Told of every run that went well, before anybody else can ask for the same again.
pub(super) type Keep<K, T> = dyn Fn(&K, &Arc<T>) + Send + Sync;

/// A run that is under way.
pub(super) struct Flight<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    cancel: Cancel,
}

struct State<T> {
    waiting: usize,
    outcome: Option<Outcome<T>>,
}

/// One requester's place at a flight; dropping it leaves.
pub(super) struct Seat<K: Eq + Hash, T> {
    board: Arc<Board<K, T>>,
    key: K,
    flight: Arc<Flight<T>>,
    /// Whether this requester is the one for whom the run was started.
    pub(super) first: bool,
}

impl<K, T> Default for Board<K, T> {
    fn default() -> Self {
        Self { flights: Mutex::default() }
    }
}

impl<K: Eq + Hash + Clone + Send + 'static, T: Send + Sync + 'static> Board<K, T> {
    /// A seat at the flight of `key`, which is started where there is none; or what `kept` has.
    ///
    /// `kept` is asked under the board's lock: a run that ends meanwhile is either still under way or kept already.
    pub(super) fn join(
        self: &Arc<Self>,
        key: &K,
        kept: impl FnOnce() -> Option<Arc<T>>,
        keep: &Arc<Keep<K, T>>,
        run: impl FnOnce(Cancel) -> Result<T, RequestError> + Send + 'static,
    ) -> Result<Seat<K, T>, Arc<T>> {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(key) {
            lock(&flight.state).waiting += 1;
            return Ok(self.seat(key, flight, false));
        }
        if let Some(kept) = kept() {
            return Err(kept);
        }
        let state = Mutex::new(State { waiting: 1, outcome: None });
        let flight = Arc::new(Flight { state, changed: Condvar::new(), cancel: Cancel::default() });
        flights.insert(key.clone(), Arc::clone(&flight));
        drop(flights);
        let seat = self.seat(key, &flight, true);
        let (board, key, keep, span) =
            (Arc::clone(self), key.clone(), Arc::clone(keep), tracing::Span::current());
        let thread = std::thread::Builder::new().name("search".to_owned()).spawn(move || {
            let _entered = span.entered();
            let cancel = flight.cancel.clone();
            let done = catch_unwind(AssertUnwindSafe(|| run(cancel))).unwrap_or(Err(RequestError::Panicked));
            board.land(&key, &flight, done.map(Arc::new), &*keep);
        });
        if let Err(error) = thread {
            tracing::error!(%error, "no thread for a search");
            self.land(&seat.key, &seat.flight, Err(RequestError::Panicked), &|_: &K, _: &Arc<T>| {});
        }
        Ok(seat)
    }

    /// Those who wait for the run of `key`.
    #[cfg(test)]
    pub(super) fn waiting(&self, key: &K) -> usize {
        lock(&self.flights).get(key).map_or(0, |flight| lock(&flight.state).waiting)
    }

    fn seat(self: &Arc<Self>, key: &K, flight: &Arc<Flight<T>>, first: bool) -> Seat<K, T> {
        Seat { board: Arc::clone(self), key: key.clone(), flight: Arc::clone(flight), first }
    }

    /// Under way to over: what went well is kept, the flight leaves the board, and whoever waits is answered.
    fn land(&self, key: &K, flight: &Arc<Flight<T>>, outcome: Outcome<T>, keep: &Keep<K, T>) {
        let mut flights = lock(&self.flights);
        if let Ok(found) = &outcome {
            keep(key, found);
        }
        remove(&mut flights, key, flight);
        drop(flights);
        lock(&flight.state).outcome = Some(outcome);
        flight.changed.notify_all();
    }
}

impl<K: Eq + Hash, T: Send + Sync + 'static> Seat<K, T> {
    /// Waits for the outcome, the requester's own deadline or its end.
    pub(super) fn wait(self, cancel: &Cancel, deadline: Option<Instant>) -> Outcome<T> {
        cancel.watch(self.flight.clone());
        let mut state = lock(&self.flight.state);
        loop {
            if let Some(outcome) = &state.outcome {
                return outcome.clone();
            }
            if cancel.is_cancelled() {
                return Err(ForwardError::Cancelled.into());
            }
            let changed = &self.flight.changed;
            state = match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
                None => changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return Err(ForwardError::Unanswered(Ended::Deadline).into()),
                Some(left) => changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

impl<K: Eq + Hash, T> Drop for Seat<K, T> {
    /// Under way to abandoned, where nobody waits any more: it leaves the board first, so that nobody joins it.
    fn drop(&mut self) {
        let mut flights = lock(&self.board.flights);
        let abandoned = {
            let mut state = lock(&self.flight.state);
            state.waiting -= 1;
            state.waiting == 0 && state.outcome.is_none()
        };
        if abandoned {
            remove(&mut flights, &self.key, &self.flight);
            drop(flights);
            self.flight.cancel.cancel();
        }
    }
}

/// Takes the flight off the board, unless another one flies under its key by now.
fn remove<K: Eq + Hash, T>(flights: &mut HashMap<K, Arc<Flight<T>>>, key: &K, flight: &Arc<Flight<T>>) {
    if flights.get(key).is_some_and(|on_board| Arc::ptr_eq(on_board, flight)) {
        flights.remove(key);
    }
}

impl<T: Send + Sync> Watcher for Flight<T> {
    /// One of those who wait has gone; each looks whether it is the one. The lock is taken, so that nobody is between
    /// looking and waiting.
    fn cancelled(&self) {
        drop(lock(&self.state));
        self.changed.notify_all();
    }
}

/// Nothing that can panic runs under these locks, so a poisoned one still guards whole data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
