//! One thread, one session: take a batch, compose it, run it, hand out the rows.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use unmask_core::{ForwardError, ModelSpec};

use crate::backend::Backend;
use crate::queue::Queue;
use crate::schedule::Item;

pub(crate) struct Worker {
    pub(crate) spec: Arc<ModelSpec>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) batch: usize,
    /// Pictures that have been through the model, counted for all workers of a model.
    pub(crate) passes: Arc<AtomicU64>,
}

/// Tells the queue when the thread ends, however it ends.
struct Leaving(Arc<Queue>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.worker_gone("its last worker is gone");
    }
}

impl Worker {
    /// Works until the queue is closed.
    pub(crate) fn work(mut self) {
        let _leaving = Leaving(Arc::clone(&self.queue));
        let mut input = Vec::new();
        while let Some(items) = self.queue.take(self.batch) {
            // Whatever panics, the batch's jobs are answered and the worker goes on.
            let batch = catch_unwind(AssertUnwindSafe(|| self.run(&items, &mut input)));
            if let Err(reason) = batch.unwrap_or_else(|_| Err("the backend panicked".to_owned())) {
                self.fail(&items, &reason);
            }
        }
    }

    /// Composes a batch, runs it and hands out its rows.
    fn run(&mut self, items: &[Item], input: &mut Vec<f32>) -> Result<(), String> {
        let started = Instant::now();
        compose(&self.spec, items, input);
        self.passes.fetch_add(items.len() as u64, Ordering::Relaxed);
        let raw = self.backend.run(items.len(), input).map_err(|e| e.to_string())?;
        self.hand_out(items, &self.checked(raw, items.len())?, started);
        Ok(())
    }

    fn checked(&self, raw: Vec<f32>, rows: usize) -> Result<Vec<f32>, String> {
        let expected = rows * self.spec.output_len();
        if raw.len() != expected {
            return Err(format!("got {} scores for {rows} pictures, {expected} are needed", raw.len()));
        }
        match raw.iter().find(|v| !v.is_finite()) {
            Some(value) => Err(format!("got a score of {value}")),
            None => Ok(raw),
        }
    }

    fn hand_out(&self, items: &[Item], raw: &[f32], started: Instant) {
        let share = started.elapsed() / items.len() as u32;
        let logits = self.spec.output.logits(raw);
        for (item, row) in items.iter().zip(logits.chunks_exact(self.spec.classes())) {
            item.answers.row(item.number, item.index, row, share, started);
        }
    }

    fn fail(&self, items: &[Item], reason: &str) {
        tracing::error!(model = self.queue.model(), rows = items.len(), reason, "a batch failed");
        for item in items {
            let (model, reason) = (self.queue.model().to_owned(), reason.to_owned());
            item.answers.fail(ForwardError::Backend { model, reason });
        }
    }
}

/// Writes the perturbed pictures into the worker's buffer, one after another, in the model's layout.
fn compose(spec: &ModelSpec, items: &[Item], input: &mut Vec<f32>) {
    let picture = spec.picture_len();
    input.resize(items.len() * picture, 0.0);
    for (item, out) in items.iter().zip(input.chunks_exact_mut(picture)) {
        item.perturbation().expand(&item.round.image, &item.round.fill, spec.input.layout, out);
    }
}
