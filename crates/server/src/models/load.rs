//! From a candidate to a model that answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use unmask_pool::{Runtime, Served, Settings};
use unmask_registry::{BundleError, Candidate, Policy};

use crate::config::Config;
use crate::error::StartError;
use crate::prove::Prover;
use crate::telemetry::{Batches, Telemetry};

type Open = dyn Fn(Candidate, &Settings) -> Result<Served, String> + Send + Sync;

/// Reads bundles and opens sessions, with the settings of each model.
pub(super) struct Loader {
    policy: Policy,
    prover: Prover,
    settings: Settings,
    /// Workers per device of single models, by name.
    workers: BTreeMap<String, usize>,
    open: Box<Open>,
    /// The library, as it calls itself.
    runtime: String,
    telemetry: Telemetry,
}

impl Loader {
    /// Opens sessions of ONNX Runtime.
    pub(super) fn new(config: &Config) -> Result<Self, StartError> {
        let runtime = Runtime::open(&config.onnxruntime.library)?;
        let version = runtime.version().to_owned();
        let loader = Self::through(config, move |candidate, settings| {
            Served::load(candidate, &runtime, settings).map_err(|e| e.to_string())
        });
        Ok(Self { runtime: version, ..loader? })
    }

    /// Opens sessions by way of `open`.
    pub(super) fn through(
        config: &Config,
        open: impl Fn(Candidate, &Settings) -> Result<Served, String> + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let (settings, workers) = (config.pool_settings(), config.models.workers.clone());
        let prover = Prover::new(config).map_err(StartError::Probe)?;
        let (policy, runtime, telemetry) = (config.models.policy(), String::new(), Telemetry::none());
        Ok(Self { policy, prover, settings, workers, open: Box::new(open), runtime, telemetry })
    }

    /// The same, telling of what it loads.
    pub(super) fn told(self, telemetry: &Telemetry) -> Self {
        Self { telemetry: telemetry.clone(), ..self }
    }

    pub(super) fn runtime(&self) -> &str {
        &self.runtime
    }

    /// Reads and checks the bundle in a directory.
    pub(super) fn read(&self, dir: &Path) -> Result<Candidate, BundleError> {
        unmask_registry::open(dir, &self.policy)
    }

    /// The candidate, if its first probe in a process of its own ends well.
    pub(super) fn proven(&self, dir: &Path, candidate: Candidate) -> Result<Candidate, String> {
        self.prover.proven(dir, candidate)
    }

    /// Opens a candidate's sessions and lets them prove themselves, in a process of its own first. Everything that is loaded is
    /// loaded here.
    pub(super) fn load_one(&self, dir: &Path, candidate: Candidate) -> Result<Served, String> {
        let started = Instant::now();
        let opened = self.proven(dir, candidate).and_then(|candidate| {
            let settings = self.settings(&candidate.spec.name);
            (self.open)(candidate, &settings)
        });
        match &opened {
            Ok(served) => {
                served.tell(Arc::new(Batches::new(&self.telemetry, served.spec())));
                self.telemetry.metrics().loaded(started.elapsed());
            }
            Err(_) => self.refused(),
        }
        opened
    }

    /// Counts a model that does not get as far as being loaded.
    pub(super) fn refused(&self) {
        self.telemetry.metrics().refused();
    }

    /// Memory that a candidate will take, in bytes.
    pub(super) fn estimate(&self, candidate: &Candidate) -> u64 {
        let beside: usize = candidate.external.iter().map(|file| file.data.len()).sum();
        self.settings(&candidate.spec.name).estimate(&candidate.spec, candidate.model.len() + beside)
    }

    /// Models that are given workers of their own.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        self.workers.keys().map(String::as_str)
    }

    fn settings(&self, name: &str) -> Settings {
        let workers = self.workers.get(name).copied().or(self.settings.workers);
        Settings { workers, ..self.settings.clone() }
    }
}
