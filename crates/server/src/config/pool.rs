//! Workers, batches, and the shares of classes of requests.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unmask_pool::{BackendError, Calibrating, Device, Fallback, Settings};

use super::Faults;

/// Workers and batches.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pool {
    /// Workers per device; where it is not given it is calibrated, or one per processor core, or one per GPU.
    #[schemars(range(min = 1, max = 256))]
    pub workers: Option<usize>,
    /// Threads of each session; where it is not given it is calibrated, or one.
    #[schemars(range(min = 1, max = 256))]
    pub threads: Option<usize>,
    /// Most pictures in one batch; where it is not given it is calibrated, or 8.
    #[schemars(range(min = 1, max = 1024))]
    pub batch: Option<usize>,
    /// Where what is not given comes from: "off", "cached", "load" or "anew". Default: "load" for a server, else "cached".
    pub calibration: Option<CalibrationWord>,
    /// Where calibrations are kept. Default: unmask in $XDG_CACHE_HOME or $HOME/.cache, else nowhere.
    pub cache: Option<PathBuf>,
    /// Shares of the classes of requests.
    pub weights: Weights,
    /// cpu, cuda:N, tensorrt:N.
    #[schemars(length(min = 1, max = 64))]
    pub devices: Vec<String>,
    /// What happens when a device is not there: "refuse" or "cpu".
    pub fallback: FallbackWord,
}

/// Shares of passes that requests of a class get beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// Share of requests on which somebody waits.
    #[schemars(range(min = 1, max = 1000))]
    pub interactive: u32,
    /// Share of the others.
    #[schemars(range(min = 1, max = 1000))]
    pub normal: u32,
    /// Share of requests that may take their time.
    #[schemars(range(min = 1, max = 1000))]
    pub bulk: u32,
}

/// Where workers, threads and batch come from where they are not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CalibrationWord {
    /// The defaults.
    Off,
    /// What was measured before, else the defaults.
    Cached,
    /// What was measured before, else measured when a model is loaded.
    Load,
    /// Measured whenever a model is loaded.
    Anew,
}

/// What happens when a device is not there.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FallbackWord {
    /// The model is refused.
    #[default]
    Refuse,
    /// The processor takes its place.
    Cpu,
}

impl Default for Pool {
    fn default() -> Self {
        let devices = vec![Device::Cpu.to_string()];
        let (workers, threads, batch, calibration, cache) = Default::default();
        let (fallback, weights) = Default::default();
        Self { workers, threads, batch, calibration, cache, weights, devices, fallback }
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self { interactive: 16, normal: 4, bulk: 1 }
    }
}

impl Pool {
    pub(super) fn check(&self, faults: &mut Faults) {
        for device in &self.devices {
            if let Err(error) = device.parse::<Device>() {
                faults.add(format!("pool.devices: {error}"));
            }
        }
    }

    /// Devices that this binary was not built for, each with what it needs.
    pub(super) fn not_built(&self) -> impl Iterator<Item = BackendError> {
        self.devices.iter().filter_map(|device| {
            let device = device.parse().ok()?;
            let (built, feature) = match device {
                Device::Cpu => return None,
                Device::Cuda(_) => (cfg!(feature = "cuda"), "cuda"),
                Device::TensorRt(_) => (cfg!(feature = "tensorrt"), "tensorrt"),
            };
            (!built).then_some(BackendError::NotBuilt { device, feature })
        })
    }

    /// What the pool needs to know, where so many jobs may have a place.
    pub(crate) fn settings(&self, jobs: usize) -> Settings {
        let devices: Vec<Device> = self.devices.iter().filter_map(|d| d.parse().ok()).collect();
        let fallback = match self.fallback {
            FallbackWord::Refuse => Fallback::Refuse,
            FallbackWord::Cpu => Fallback::Cpu,
        };
        let Self { workers, threads, batch, .. } = *self;
        let calibration = match self.calibration {
            Some(CalibrationWord::Off) => Calibrating::Off,
            Some(CalibrationWord::Cached) | None => Calibrating::Cached,
            Some(CalibrationWord::Load) => Calibrating::Load,
            Some(CalibrationWord::Anew) => Calibrating::Anew,
        };
        let cache = self.cache.clone().or_else(usual_cache);
        Settings { workers, threads, batch, jobs, devices, fallback, calibration, cache }
    }
}

/// Where programs of this user keep what they can make again.
fn usual_cache() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")))?;
    Some(base.join("unmask"))
}
