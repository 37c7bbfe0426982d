//! A model that answers: its queue and its workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use unmask_core::{ForwardError, ModelSpec};
use unmask_registry::Candidate;

use crate::answers::Answers;
use crate::backend::{Backend, BackendError, Device, Fallback, Runtime};
use crate::job::{Job, Limits};
use crate::probe::{LoadError, probe};
use crate::queue::Queue;
use crate::worker::Worker;

/// How many workers, of what size, where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Workers per device, each with a session and a thread.
    pub workers: usize,
    /// Threads of each session.
    pub threads: usize,
    /// Most pictures in one batch.
    pub batch: usize,
    /// Jobs that may have a place at the same time.
    pub jobs: usize,
    /// Where sessions run.
    pub devices: Vec<Device>,
    /// What happens when a device is not there.
    pub fallback: Fallback,
}

/// A model that answers. Dropping it closes its queue and waits for its workers.
pub struct Served {
    spec: Arc<ModelSpec>,
    queue: Arc<Queue>,
    workers: Vec<JoinHandle<()>>,
    batch: usize,
    passes: Arc<AtomicU64>,
}

impl Served {
    /// Opens the candidate's sessions, probes it and starts its workers.
    ///
    /// # Errors
    /// [`LoadError`] with the reason; nothing is left running.
    pub fn load(candidate: Candidate, runtime: &Runtime, settings: &Settings) -> Result<Self, LoadError> {
        let Candidate { spec, model, golden } = candidate;
        let mut backends = Vec::new();
        for device in &settings.devices {
            for _ in 0..settings.workers {
                backends.push(open(runtime, &spec, &model, *device, settings)?);
            }
        }
        let mut batch = settings.batch;
        for backend in &mut backends {
            batch = batch.min(probe(&spec, &golden, backend.as_mut(), settings.batch)?);
        }
        if batch < settings.batch {
            tracing::warn!(model = spec.id(), "scores depend on the batch; pictures run one at a time");
        }
        Self::start(spec, backends, batch, settings.jobs)
    }

    /// A model over ready backends, without a probe.
    ///
    /// # Errors
    /// [`LoadError::Thread`] when a thread cannot be started.
    #[cfg(feature = "planted")]
    pub fn planted(
        spec: ModelSpec,
        backends: Vec<Box<dyn Backend>>,
        batch: usize,
        jobs: usize,
    ) -> Result<Self, LoadError> {
        Self::start(spec, backends, batch, jobs)
    }

    fn start(
        spec: ModelSpec,
        backends: Vec<Box<dyn Backend>>,
        batch: usize,
        jobs: usize,
    ) -> Result<Self, LoadError> {
        let spec = Arc::new(spec);
        let queue = Queue::new(spec.id(), jobs, backends.len());
        let mut served = Self { spec, queue, workers: Vec::new(), batch, passes: Arc::default() };
        for (i, backend) in backends.into_iter().enumerate() {
            let (spec, queue) = (Arc::clone(&served.spec), Arc::clone(&served.queue));
            let worker = Worker { spec, queue, backend, batch, passes: Arc::clone(&served.passes) };
            let thread = std::thread::Builder::new().name(format!("worker-{i}"));
            served.workers.push(thread.spawn(move || worker.work())?);
        }
        Ok(served)
    }

    /// The model.
    pub fn spec(&self) -> &Arc<ModelSpec> {
        &self.spec
    }

    /// Most pictures in one batch.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Whether its workers can answer.
    pub fn is_ready(&self) -> bool {
        self.queue.is_open()
    }

    /// Pictures that have been through the model since it started to serve.
    pub fn passes(&self) -> u64 {
        self.passes.load(Ordering::Relaxed)
    }

    /// Jobs that have a place now.
    pub fn jobs(&self) -> usize {
        self.queue.jobs()
    }

    /// Rounds that wait, in whole or in part.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Takes a place for one request.
    ///
    /// # Errors
    /// [`ForwardError::Overloaded`] when all places are taken, [`ForwardError::Backend`] when no worker is left.
    pub fn job(&self, limits: Limits) -> Result<Job, ForwardError> {
        let answers = Arc::new(Answers::default());
        let place = self.queue.enter(&answers)?;
        Ok(Job::new(Arc::clone(&self.spec), place, answers, limits))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.queue.close("it is being unloaded");
        for worker in self.workers.drain(..) {
            // A worker that panicked has told the queue already.
            let _ = worker.join();
        }
    }
}

fn open(
    runtime: &Runtime,
    spec: &ModelSpec,
    model: &[u8],
    device: Device,
    settings: &Settings,
) -> Result<Box<dyn Backend>, BackendError> {
    match (runtime.session(spec, model, device, settings.threads), settings.fallback) {
        (Err(error @ (BackendError::Device { .. } | BackendError::NotBuilt { .. })), Fallback::Cpu) => {
            tracing::warn!(model = spec.id(), %device, %error, "the processor takes the device's place");
            runtime.session(spec, model, Device::Cpu, settings.threads)
        }
        (result, Fallback::Cpu | Fallback::Refuse) => result,
    }
}
