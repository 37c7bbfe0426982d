//! From a candidate to a model that answers.

use std::collections::BTreeMap;
use std::path::Path;

use unmask_pool::{Runtime, Served, Settings};
use unmask_registry::{BundleError, Candidate, Policy};

use crate::config::Config;
use crate::error::StartError;
use crate::prove::Prover;

type Open = dyn Fn(Candidate, &Settings) -> Result<Served, String> + Send + Sync;

/// Reads bundles and opens sessions, with the settings of each model.
pub(super) struct Loader {
    policy: Policy,
    prover: Prover,
    settings: Settings,
    /// Workers per device of single models, by name.
    workers: BTreeMap<String, usize>,
    open: Box<Open>,
}

impl Loader {
    /// Opens sessions of ONNX Runtime.
    pub(super) fn new(config: &Config) -> Result<Self, StartError> {
        let runtime = Runtime::open(&config.onnxruntime.library)?;
        Self::through(config, move |candidate, settings| {
            Served::load(candidate, &runtime, settings).map_err(|e| e.to_string())
        })
    }

    /// Opens sessions by way of `open`.
    pub(super) fn through(
        config: &Config,
        open: impl Fn(Candidate, &Settings) -> Result<Served, String> + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let (settings, workers) = (config.pool_settings(), config.models.workers.clone());
        let prover = Prover::new(config).map_err(StartError::Probe)?;
        Ok(Self { policy: config.models.policy(), prover, settings, workers, open: Box::new(open) })
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
        let candidate = self.proven(dir, candidate)?;
        let settings = self.settings(&candidate.spec.name);
        (self.open)(candidate, &settings)
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
