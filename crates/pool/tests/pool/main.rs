//! The pool over closed-form models: what workers, batches and neighbours must never change, and how jobs end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod faults;
mod jobs;

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

use unmask_core::{
    Basis, Block, Direction, Ended, Forward, ForwardError, Map, ModelSpec, Noise, Perturbation, Round,
    Target, Tensor,
};
use unmask_explainer::methods::{Context, Method, Rise};
use unmask_explainer::segment::grid;
use unmask_pool::{BackendError, Cancel, Job, Limits, Opener, Planted, Served};

const SIDE: usize = 16;

fn spec() -> ModelSpec {
    ModelSpec::plain("planted", SIDE, SIDE, &["real", "fake"])
}

/// A model that is not linear, so that a wrong neighbour would be seen.
fn logits(x: &[f32]) -> Vec<f32> {
    let sum: f32 = x.iter().enumerate().map(|(i, v)| v * ((i * 37 % 101) as f32 / 50.0 - 1.0)).sum();
    vec![(sum * 0.3).sin(), sum.tanh() * 2.0]
}

fn honest() -> Opener {
    Planted::opener(|x| Ok(logits(x)))
}

fn served(workers: usize, batch: usize) -> Served {
    Served::planted(spec(), (0..workers).map(|_| honest()).collect(), batch, 8).unwrap()
}

fn picture(value: f32) -> Arc<Tensor> {
    let data = (0..3 * SIDE * SIDE).map(|i| value + i as f32 * 1e-3).collect();
    Arc::new(Tensor::new(3, SIDE, SIDE, data).unwrap())
}

fn round(rows: usize, value: f32) -> Round {
    let items = (0..rows).map(|i| Perturbation::Dense(picture(value + i as f32))).collect();
    Round { image: picture(value), fill: picture(0.0), items }
}

fn explain(job: &Job, value: f32, seed: u64) -> Map {
    let method = Method::Rise(Rise { masks: 700, ..Rise::default() });
    let context = Context {
        image: &picture(value),
        fill: &picture(0.0),
        target: &Target::class(1, 2),
        segments: &Arc::new(grid(SIDE, SIDE, 4, 4)),
        seed,
        image_score: 0.0,
        fill_score: 0.0,
        forward: job,
        watch: &(),
    };
    method.explain(&context).unwrap().map
}
