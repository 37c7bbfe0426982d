//! One worker: a thread that composes the next batch while another runs the last one in a session.
//!
//! The two threads share two buffers, so that at most one composed batch waits: what is composed early cannot be given to
//! whoever comes later.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use unmask_core::ModelSpec;

use crate::backend::{Backend, Opener};
use crate::compose::Batch;
use crate::observer::{Observer, Ran};
use crate::probe::Batching;
use crate::queue::Queue;
use crate::schedule::Item;

/// Batches with one perturbation that may fail: the first time it comes again alone, then its job is told.
const FAILURES: u32 = 2;
/// Pauses between attempts to open a session again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the workers of a model share.
pub(crate) struct Shared {
    pub(crate) spec: Arc<ModelSpec>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) batching: Batching,
    /// Pictures that have been through the model.
    pub(crate) passes: AtomicU64,
    /// Told of every batch.
    pub(crate) observer: OnceLock<Arc<dyn Observer>>,
}

impl Shared {
    fn tell(&self, items: &[Item], took: Duration, answered: bool) {
        if let Some(observer) = self.observer.get() {
            observer.ran(&Ran { spec: &self.spec, most: self.batching.most(), took, answered, items });
        }
    }
}

/// Starts a worker and gives its two threads.
pub(crate) fn start(
    number: usize,
    shared: &Arc<Shared>,
    backend: Box<dyn Backend>,
    open: Opener,
) -> std::io::Result<[JoinHandle<()>; 2]> {
    let (to_runner, composed) = channel();
    let (to_composer, free) = channel();
    // Both ends are alive, and what cannot be sent is not missed.
    (0..2).for_each(|_| drop(to_composer.send(Batch::empty(&shared.queue))));
    let runner = Runner {
        shared: Arc::clone(shared),
        backend: Some(backend),
        open,
        composed,
        free: to_composer,
        presence: Presence { queue: Arc::clone(&shared.queue), number },
    };
    let own = Arc::clone(shared);
    let composer = Builder::new().name(format!("compose-{number}"));
    let composer = composer.spawn(move || compose(number, &own, &free, &to_runner))?;
    let runner = Builder::new().name(format!("worker-{number}")).spawn(move || {
        make_way();
        runner.work();
    })?;
    Ok([composer, runner])
}

/// Takes what is due, when there is a buffer for it, and composes it; ends with the queue or the runner.
fn compose(number: usize, shared: &Shared, free: &Receiver<Batch>, composed: &Sender<Batch>) {
    while let Ok(mut batch) = free.recv() {
        let Some(items) = shared.queue.take(number, shared.batching) else { return };
        let taken = items.clone();
        let done = catch_unwind(AssertUnwindSafe(|| {
            batch.compose(&shared.spec, items, shared.batching.fixed());
            batch
        }));
        match done {
            Ok(batch) => {
                // Where the runner is gone another worker may be there; what is dropped goes back to the queue.
                if composed.send(batch).is_err() {
                    return;
                }
            }
            // Rounds are checked where they are submitted, so that this is a bug of ours: it costs these jobs.
            Err(_) => {
                fail(&shared.queue, &taken, "composing a batch panicked");
                let _ = composed.send(Batch::empty(&shared.queue));
            }
        }
    }
}

fn fail(queue: &Queue, items: &[Item], reason: &str) {
    tracing::error!(model = queue.model(), rows = items.len(), reason, "a batch failed");
    items.iter().for_each(|item| item.answers.fail(queue.error(reason)));
}

/// Tells the queue when the thread ends, however it ends.
struct Presence {
    queue: Arc<Queue>,
    number: usize,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.queue.worker_gone(self.number, "its last worker is gone");
    }
}

/// Runs batches in a session.
struct Runner {
    shared: Arc<Shared>,
    /// None while another is opened in its place: a device may not hold two.
    backend: Option<Box<dyn Backend>>,
    open: Opener,
    composed: Receiver<Batch>,
    free: Sender<Batch>,
    presence: Presence,
}

impl Runner {
    /// Works until the queue is closed.
    fn work(mut self) {
        while let Ok(mut batch) = self.composed.recv() {
            let items = std::mem::take(&mut batch.items);
            if items.iter().any(|item| item.answers.wanted()) {
                let started = Instant::now();
                // Whatever panics, the batch's jobs are answered and the worker goes on.
                let run = catch_unwind(AssertUnwindSafe(|| self.run(&items, &batch)));
                if let Err(reason) = run.unwrap_or_else(|_| Err("the backend panicked".to_owned())) {
                    self.shared.tell(&items, started.elapsed(), false);
                    // First, so that what comes again goes elsewhere where there is an elsewhere.
                    self.shared.queue.worker_replacing(self.presence.number);
                    self.failed(items, &reason);
                    if !self.replaced() {
                        return;
                    }
                }
            }
            if self.free.send(batch).is_err() {
                return;
            }
        }
    }

    /// Runs a batch and hands out its rows. A row that is no number costs its own job only.
    fn run(&mut self, items: &[Item], batch: &Batch) -> Result<(), String> {
        let Shared { spec, queue, passes, .. } = &*self.shared;
        let started = Instant::now();
        let backend = self.backend.as_mut().ok_or("there is no session")?;
        let raw = backend.run(batch.rows, &batch.input).map_err(|e| e.to_string())?;
        let width = spec.output_len();
        if raw.len() != batch.rows * width {
            let (got, rows, expected) = (raw.len(), batch.rows, batch.rows * width);
            return Err(format!("got {got} scores for {rows} pictures, {expected} are needed"));
        }
        passes.fetch_add(items.len() as u64, Ordering::Relaxed);
        let took = started.elapsed();
        self.shared.tell(items, took, true);
        let share = took / items.len() as u32;
        for (item, row) in items.iter().zip(raw.chunks_exact(width)) {
            match row.iter().find(|v| !v.is_finite()) {
                Some(value) => fail(queue, std::slice::from_ref(item), &format!("got a score of {value}")),
                None => {
                    let logits = spec.scores(row);
                    item.answers.row(item.number, item.index, &logits, share, started);
                }
            }
        }
        Ok(())
    }

    /// Perturbations that have failed for the first time come again, each alone; the others' jobs are told.
    fn failed(&self, mut items: Vec<Item>, reason: &str) {
        items.iter_mut().for_each(|item| item.failures += 1);
        let (again, over): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.failures < FAILURES);
        let (model, rows) = (self.shared.queue.model(), again.len());
        tracing::warn!(
            model,
            rows,
            reason,
            "a batch failed; its session is replaced and its pictures run again"
        );
        if !over.is_empty() {
            fail(&self.shared.queue, &over, reason);
        }
        self.shared.queue.give_back(again);
    }

    /// Opens a new session in place of one that has failed; `false` once the queue is closed. Where none can be opened the
    /// worker is down, and tries again after pauses.
    fn replaced(&mut self) -> bool {
        let (mut pause, mut held) = (FIRST_PAUSE, Vec::new());
        self.backend = None;
        loop {
            // What was composed for this worker is for others now; its buffer stays here until there is a session again.
            if let Ok(mut batch) = self.composed.try_recv() {
                self.shared.queue.give_back(std::mem::take(&mut batch.items));
                held.push(batch);
            }
            let opened = catch_unwind(AssertUnwindSafe(|| (self.open)()));
            let error = match opened {
                Ok(Ok(backend)) => {
                    self.backend = Some(backend);
                    self.shared.queue.worker_up(self.presence.number);
                    tracing::info!(model = self.shared.queue.model(), "a worker is up again");
                    held.into_iter().for_each(|buffer| drop(self.free.send(buffer)));
                    return true;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "opening a session panicked".to_owned(),
            };
            self.shared.queue.worker_down(self.presence.number, &error);
            tracing::error!(model = self.shared.queue.model(), error, "a worker is down");
            if self.shared.queue.is_closed_after(pause) {
                return false;
            }
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }
}

/// Lets whoever answers a request go before whoever computes: on a machine whose cores are all at work, a refusal would otherwise
/// wait for a whole slice of their time. On Linux it counts for this thread alone.
fn make_way() {
    /// Some ten times less weight than that of other threads.
    const NICER: i32 = 10;
    // Without it the same is computed.
    let _ = rustix::process::nice(NICER);
}
