//! Whether this machine can serve what is configured.

use unmask_pool::{Checkup, Device, Runtime, checkup};

use crate::config::Config;
use crate::error::StartError;
use crate::prove::Prover;

/// What was found on this machine.
pub struct Diagnosis {
    /// The library's own words on its build.
    pub library: String,
    /// Each model on each device, or why not.
    pub findings: Vec<Finding>,
}

/// One model on one device.
pub struct Finding {
    /// Name and version.
    pub model: String,
    /// The device; empty where the model's files are refused.
    pub device: String,
    /// What it showed, or why it cannot serve.
    pub outcome: Result<Checkup, String>,
}

/// Runs every model on the processor, and with `gpu` on the first GPU, through CUDA and TensorRT. Takes some seconds for each.
///
/// # Errors
/// [`StartError`] where the library or the directory of models cannot be read.
pub fn diagnose(config: &Config, gpu: bool) -> Result<Diagnosis, StartError> {
    let runtime = Runtime::open(&config.onnxruntime.library)?;
    let mut devices = vec![Device::Cpu];
    if gpu {
        devices.extend([Device::Cuda(0), Device::TensorRt(0)]);
    }
    let prover = Prover::new(config).map_err(StartError::Probe)?;
    let mut findings = Vec::new();
    for entry in unmask_registry::scan(&config.models.root, &config.models.policy())? {
        let model = format!("{}@{}", entry.name, entry.version);
        let proven = entry.candidate.map_err(|error| error.reason());
        match proven.and_then(|candidate| prover.proven(&entry.dir, candidate)) {
            Err(reason) => findings.push(Finding { model, device: String::new(), outcome: Err(reason) }),
            Ok(candidate) => findings.extend(devices.iter().map(|device| Finding {
                model: model.clone(),
                device: device.to_string(),
                outcome: checkup(&candidate, &runtime, *device).map_err(|e| e.to_string()),
            })),
        }
    }
    Ok(Diagnosis { library: runtime.version().to_owned(), findings })
}
