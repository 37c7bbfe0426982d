//! A model that answers: its queue and its workers.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use unmask_core::{ForwardError, ModelSpec, Task};
use unmask_registry::{Candidate, External, Golden};

use crate::answers::Answers;
use crate::backend::{Backend, BackendError, Device, Fallback, Opener, Runtime};
use crate::calibrate::{self, Calibration, Key, Layout, Plan, SPAN, calibrate, layouts, processor};
use crate::job::{Job, Limits};
use crate::observer::Observer;
use crate::probe::{Batching, LoadError, Shown, probe, same};
use crate::queue::Queue;
use crate::worker::{self, Shared};

/// How many workers, of what size, where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Workers per device, each with a session; calibrated where `None`.
    pub workers: Option<usize>,
    /// Threads of each session; calibrated where `None`.
    pub threads: Option<usize>,
    /// Most pictures in one batch; calibrated where `None`.
    pub batch: Option<usize>,
    /// Jobs that may have a place at the same time.
    pub jobs: usize,
    /// Where sessions run.
    pub devices: Vec<Device>,
    /// What happens when a device is not there.
    pub fallback: Fallback,
    /// Where calibrations come from.
    pub calibration: Calibrating,
    /// Where calibrations are kept; nowhere where `None`.
    pub cache: Option<PathBuf>,
}

/// Where calibrations come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calibrating {
    /// From nowhere: what is not configured is the default.
    Off,
    /// From the cache alone.
    Cached,
    /// From the cache, or measured when a model is loaded.
    Load,
    /// Measured when a model is loaded, whatever the cache has.
    Anew,
}

/// What is taken where nothing is configured and nothing was measured: a worker for each core of the processor, one for any
/// other device.
const BATCH: usize = 8;

/// Most pictures in one batch where nothing is configured. Faces are looked for once a picture, in one that is many times as large as
/// what detectors see: a batch would wait and win nothing.
fn usual_batch(spec: &ModelSpec) -> usize {
    match spec.task {
        Task::Classes => BATCH,
        Task::Faces { .. } => 1,
    }
}

impl Settings {
    /// Bytes of memory that a model is expected to take while it is loaded, before anything of it is opened: for each session
    /// twice the model file (the graph and what the library makes of it), and for each worker two buffers of the largest batch.
    /// What a calibration could choose counts in full.
    pub fn estimate(&self, spec: &ModelSpec, model_bytes: usize) -> u64 {
        let usual = |device: Device| Layout {
            workers: self.workers.unwrap_or_else(|| usual_workers(device)),
            threads: 1,
            batch: self.batch.unwrap_or(usual_batch(spec)),
        };
        let taken = |layout: Layout| {
            let buffers = 2 * layout.batch as u64 * spec.picture_len() as u64 * size_of::<f32>() as u64;
            layout.workers as u64 * (2 * model_bytes as u64 + buffers)
        };
        let most = |device: Device| {
            let choices = match self.calibration {
                Calibrating::Off => Vec::new(),
                Calibrating::Cached | Calibrating::Load | Calibrating::Anew => {
                    layouts(device, cores(), [self.workers, self.threads, self.batch])
                }
            };
            choices.into_iter().chain([usual(device)]).map(taken).max().unwrap_or_default()
        };
        self.devices.iter().map(|device| most(*device)).sum()
    }

    /// Pictures that a session of the processor gets together at most.
    pub fn most_at_once(&self) -> usize {
        self.batch.unwrap_or(BATCH)
    }
}

/// A model that answers. Dropping it closes its queue and waits for its workers.
pub struct Served {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    layout: Layout,
    deterministic: bool,
    calibration: Option<Calibration>,
}

/// What sessions are opened from, kept for those that have to be replaced.
struct Source {
    spec: ModelSpec,
    model: Vec<u8>,
    external: Vec<External>,
    golden: Golden,
    runtime: Runtime,
    fallback: Fallback,
}

impl Served {
    /// Calibrates where that is due, opens the candidate's sessions, probes them and starts their workers.
    ///
    /// # Errors
    /// [`LoadError`] with the reason; nothing is left running.
    pub fn load(candidate: Candidate, runtime: &Runtime, settings: &Settings) -> Result<Self, LoadError> {
        let Candidate { spec, model, external, golden, print: _ } = candidate;
        let (runtime, fallback) = (runtime.clone(), settings.fallback);
        let source = Arc::new(Source { spec, model, external, golden, runtime, fallback });
        let (layout, calibration) = source.layout(settings)?;
        let mut sessions: Vec<(Box<dyn Backend>, Opener)> = Vec::new();
        let mut first: Option<Arc<Shown>> = None;
        for device in &settings.devices {
            let workers = match (settings.workers, settings.devices.first()) {
                // The layout was found for devices of the first one's kind.
                (None, Some(one)) if is_processor(*one) != is_processor(*device) => usual_workers(*device),
                (Some(_) | None, _) => layout.workers,
            };
            for _ in 0..workers {
                let mut backend = source.open(*device, layout.threads)?;
                let shown = match &first {
                    None => Arc::new(source.shown(backend.as_mut(), layout, settings)?),
                    Some(shown) if same(&source.spec, &source.golden, backend.as_mut(), shown)? => {
                        Arc::clone(shown)
                    }
                    // Sessions of one model on unlike devices: scores depend on which worker is free.
                    Some(shown) => Arc::new(Shown { deterministic: false, ..Shown::clone(shown) }),
                };
                first = Some(Arc::clone(&shown));
                sessions.push((backend, source.opener(*device, layout.threads, shown)));
            }
        }
        let shown = first.ok_or_else(|| BackendError::Graph("there is no device to run it on".into()))?;
        let id = source.spec.id();
        match shown.batching {
            Batching::Any(_) => {}
            Batching::Fixed(size) => tracing::warn!(model = id, size, "scores depend on the size of a batch"),
            Batching::Single => tracing::warn!(model = id, "scores depend on the batch; pictures run alone"),
        }
        if !shown.deterministic {
            tracing::warn!(model = id, "the same picture does not always get the same score");
        }
        let spec = source.spec.clone();
        let mut served = Self::start(spec, sessions, shown.batching, settings.jobs, layout)?;
        served.deterministic = shown.deterministic;
        served.calibration = calibration;
        Ok(served)
    }

    /// A model over planted sessions, without a probe.
    ///
    /// # Errors
    /// [`LoadError`] when a session cannot be opened or a thread cannot be started.
    #[cfg(feature = "planted")]
    pub fn planted(
        spec: ModelSpec,
        openers: Vec<Opener>,
        batch: usize,
        jobs: usize,
    ) -> Result<Self, LoadError> {
        let layout = Layout { workers: openers.len(), threads: 1, batch };
        let sessions = openers.into_iter().map(|mut open| Ok((open()?, open)));
        let sessions = sessions.collect::<Result<Vec<_>, BackendError>>()?;
        Self::start(spec, sessions, Batching::Any(batch), jobs, layout)
    }

    fn start(
        spec: ModelSpec,
        sessions: Vec<(Box<dyn Backend>, Opener)>,
        batching: Batching,
        jobs: usize,
        layout: Layout,
    ) -> Result<Self, LoadError> {
        let spec = Arc::new(spec);
        let queue = Queue::new(spec.id(), jobs, sessions.len());
        let shared =
            Arc::new(Shared { spec, queue, batching, passes: AtomicU64::new(0), observer: OnceLock::new() });
        let threads = Vec::new();
        let mut served = Self { shared, threads, layout, deterministic: true, calibration: None };
        for (number, (backend, open)) in sessions.into_iter().enumerate() {
            let threads = worker::start(number, &served.shared, backend, open)?;
            served.threads.extend(threads);
        }
        Ok(served)
    }

    /// Tells somebody of every batch from now on. There is one to be told; another is not.
    pub fn tell(&self, observer: Arc<dyn Observer>) {
        let _ = self.shared.observer.set(observer);
    }

    /// The model.
    pub fn spec(&self) -> &Arc<ModelSpec> {
        &self.shared.spec
    }

    /// How pictures stand together.
    pub fn batching(&self) -> Batching {
        self.shared.batching
    }

    /// Workers per device, their threads and the largest batch.
    pub fn layout(&self) -> Layout {
        Layout { batch: self.shared.batching.most(), ..self.layout }
    }

    /// Whether the same picture gets the same bits every time, whichever worker runs it.
    pub fn is_deterministic(&self) -> bool {
        self.deterministic
    }

    /// What was measured of it on this machine, if anything.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// Whether its workers can answer.
    pub fn is_ready(&self) -> bool {
        self.shared.queue.is_open()
    }

    /// Workers that have a session, and all workers.
    pub fn workers(&self) -> (usize, usize) {
        (self.shared.queue.up(), self.threads.len() / 2)
    }

    /// Pictures that have been through the model since it started to serve.
    pub fn passes(&self) -> u64 {
        self.shared.passes.load(Ordering::Relaxed)
    }

    /// Jobs that have a place now.
    pub fn jobs(&self) -> usize {
        self.shared.queue.jobs()
    }

    /// Rounds that wait, in whole or in part.
    pub fn waiting(&self) -> usize {
        self.shared.queue.waiting()
    }

    /// Passes that wait for a worker, and how long the oldest of them has.
    pub fn depth(&self) -> (usize, Duration) {
        self.shared.queue.depth()
    }

    /// Takes a place for one request.
    ///
    /// # Errors
    /// [`ForwardError::Overloaded`] when all places are taken, [`ForwardError::Backend`] when no worker can work.
    pub fn job(&self, limits: Limits) -> Result<Job, ForwardError> {
        let answers = Arc::new(Answers::new(limits.deadline, limits.origin));
        let place = self.shared.queue.enter(&answers, limits.weight)?;
        Ok(Job::new(Arc::clone(&self.shared.spec), place, answers, limits))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shared.queue.close("it is being unloaded");
        for thread in self.threads.drain(..) {
            // A worker that panicked has told the queue already.
            let _ = thread.join();
        }
    }
}

impl Source {
    /// The layout that is configured, calibrated or the default.
    fn layout(&self, settings: &Settings) -> Result<(Layout, Option<Calibration>), LoadError> {
        let pinned = [settings.workers, settings.threads, settings.batch];
        let asked = settings.devices.first().copied().unwrap_or(Device::Cpu);
        let default = Layout {
            workers: settings.workers.unwrap_or_else(|| usual_workers(asked)),
            threads: settings.threads.unwrap_or(1),
            batch: settings.batch.unwrap_or(usual_batch(&self.spec)),
        };
        if settings.calibration == Calibrating::Off || self.spec.task != Task::Classes {
            return Ok((default, None));
        }
        // What stands in for a device that is not there is what is timed.
        let device = self.standing_in(asked);
        let cores = cores();
        let key = Key {
            model: self.spec.digest.clone(),
            runtime: self.runtime.version().to_owned(),
            processor: processor(cores),
            devices: settings.devices.iter().map(|device| self.standing_in(*device).to_string()).collect(),
            pinned,
            unmask: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let layouts = layouts(device, cores, pinned);
        let known = || calibrate::kept(settings.cache.as_deref()?, &key, &layouts);
        let known = match settings.calibration {
            Calibrating::Cached => match known() {
                None => return Ok((default, None)),
                known => known,
            },
            Calibrating::Off => None,
            Calibrating::Load => known(),
            Calibrating::Anew => None,
        };
        if let Some(calibration) = known {
            return Ok((calibration.chosen, Some(calibration)));
        }
        let started = std::time::Instant::now();
        let open = &mut |threads| self.open(device, threads);
        let plan = Plan { layouts: &layouts, batch: default.batch, span: SPAN };
        let Some(found) = calibrate(&self.spec, &self.golden, &plan, open)? else {
            return Ok((default, None));
        };
        let Layout { workers, threads, batch } = found.chosen;
        let took = started.elapsed();
        tracing::info!(model = self.spec.id(), workers, threads, batch, ?took, "calibrated");
        if let Some(cache) = &settings.cache {
            calibrate::keep(cache, &key, &found);
        }
        Ok((found.chosen, Some(found)))
    }

    /// What a session of this layout shows. How pictures stand together is settled by the batch that is configured or usual, so
    /// that a calibrated one changes no bit.
    fn shown(
        &self,
        backend: &mut dyn Backend,
        layout: Layout,
        settings: &Settings,
    ) -> Result<Shown, LoadError> {
        let settled =
            probe(&self.spec, &self.golden, backend, settings.batch.unwrap_or(usual_batch(&self.spec)))?;
        match settled.batching {
            Batching::Any(most) if most != layout.batch => {
                let own = probe(&self.spec, &self.golden, backend, layout.batch)?;
                // A size that was not timed for its bits may still have others; then the usual one stays.
                Ok(if own.scores == settled.scores && matches!(own.batching, Batching::Any(_)) {
                    own
                } else {
                    settled
                })
            }
            Batching::Any(_) | Batching::Fixed(_) | Batching::Single => Ok(settled),
        }
    }

    /// The device itself, or the processor where it takes its place.
    fn standing_in(&self, device: Device) -> Device {
        let missing = |error: &BackendError| {
            matches!(error, BackendError::Device { .. } | BackendError::NotBuilt { .. })
        };
        match self.fallback {
            Fallback::Cpu if !is_processor(device) => {
                match self.runtime.session(&self.spec, &self.model, &self.external, device, 1) {
                    Err(error) if missing(&error) => Device::Cpu,
                    Ok(_) | Err(_) => device,
                }
            }
            Fallback::Cpu | Fallback::Refuse => device,
        }
    }

    fn open(&self, device: Device, threads: usize) -> Result<Box<dyn Backend>, BackendError> {
        let session = |device| self.runtime.session(&self.spec, &self.model, &self.external, device, threads);
        match (session(device), self.fallback) {
            (Err(error @ (BackendError::Device { .. } | BackendError::NotBuilt { .. })), Fallback::Cpu) => {
                let model = self.spec.id();
                tracing::warn!(model, %device, %error, "the processor takes the device's place");
                session(Device::Cpu)
            }
            (result, Fallback::Cpu | Fallback::Refuse) => result,
        }
    }

    /// Opens a session that takes the place of one that has failed: it must show what the first one did.
    fn opener(self: &Arc<Self>, device: Device, threads: usize, shown: Arc<Shown>) -> Opener {
        let source = Arc::clone(self);
        Box::new(move || {
            let mut backend = source.open(device, threads)?;
            let probed = same(&source.spec, &source.golden, backend.as_mut(), &shown);
            match probed.map_err(|e| BackendError::Run(e.to_string()))? {
                true => Ok(backend),
                false if !shown.deterministic => Ok(backend),
                false => Err(BackendError::Run(LoadError::Differs.to_string())),
            }
        })
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn is_processor(device: Device) -> bool {
    match device {
        Device::Cpu => true,
        Device::Cuda(_) | Device::TensorRt(_) => false,
    }
}

/// Workers where nothing is configured and nothing was measured.
fn usual_workers(device: Device) -> usize {
    if is_processor(device) { cores() } else { 1 }
}
