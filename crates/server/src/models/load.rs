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
    /// Which library runs them.
    runtime: String,
    telemetry: Telemetry,
}

impl Loader {
    /// Opens sessions of ONNX Runtime.
    pub(super) fn new(config: &Config) -> Result<Self, StartError> {
        let runtime = Runtime::open(&config.onnxruntime.library)?;
        let release = release(&config.onnxruntime.library, runtime.version());
        let loader = Self::through(config, move |candidate, settings| {
            Served::load(candidate, &runtime, settings).map_err(|e| e.to_string())
        });
        Ok(Self { runtime: release, ..loader? })
    }

    /// Opens sessions by way of `open`.
    pub(super) fn through(
        config: &Config,
        open: impl Fn(Candidate, &Settings) -> Result<Served, String> + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let (settings, workers) = (config.pool_settings(), config.models.workers.clone());
        let prover = Prover::new(config).map_err(StartError::Probe)?;
        let (policy, runtime, telemetry) = (config.models.policy(), String::new(), Telemetry::default());
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

/// The library's release, where the name of its file has it, such as `libonnxruntime.so.1.31.1`; else the commit that it says it is
/// built of.
fn release(library: &Path, info: &str) -> String {
    let file = library.canonicalize().ok();
    let name = file.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let named = name.as_deref().and_then(|name| name.split_once(".so.")).map(|(_, release)| release);
    let commit = || info.split(", ").find_map(|part| part.strip_prefix("git-commit-id="));
    named.or_else(commit).unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_known_by_its_files_name_or_by_its_commit() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) =
            (dir.path().join("libonnxruntime.so.1.31.1"), dir.path().join("libonnxruntime.so"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let info = "git-branch=HEAD, git-commit-id=6af1a93, build type=Release";
        assert_eq!(release(&link, info), "1.31.1");
        assert_eq!(release(Path::new("libonnxruntime.so"), info), "6af1a93");
        assert_eq!(release(Path::new("libonnxruntime.so"), ""), "unknown");
    }
}
