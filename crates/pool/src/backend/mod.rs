//! Who runs a batch: the list of backends.

mod device;
mod ort;
#[cfg(feature = "planted")]
mod planted;

use thiserror::Error;

pub use device::{Device, Fallback};
pub use ort::Runtime;
#[cfg(feature = "planted")]
pub use planted::Planted;

/// One session of one model, owned by one worker thread.
pub trait Backend: Send {
    /// Runs `batch` pictures that lie one after another in `input`, in the model's own layout, and gives the graph's own
    /// output, one row after another.
    ///
    /// # Errors
    /// [`BackendError`] with the backend's own words.
    fn run(&mut self, batch: usize, input: &[f32]) -> Result<Vec<f32>, BackendError>;
}

/// Opens a worker's session, at first and after a failure.
pub type Opener = Box<dyn FnMut() -> Result<Box<dyn Backend>, BackendError> + Send>;

/// What went wrong in or around a backend.
#[derive(Debug, Error)]
pub enum BackendError {
    /// The library could not be loaded.
    #[error(
        "cannot load ONNX Runtime from {path}: {reason}; set onnxruntime.library (or --onnxruntime) to a \
         libonnxruntime of version 1.18 or newer"
    )]
    Library {
        /// Where it was looked for.
        path: String,
        /// The loader's own words.
        reason: String,
    },
    /// Another library was loaded before; a process has one.
    #[error("ONNX Runtime is already loaded from {loaded}, and a process cannot load another from {asked}")]
    AlreadyLoaded {
        /// The library in use.
        loaded: String,
        /// The one asked for.
        asked: String,
    },
    /// The device was asked for, but the binary has no support for it.
    #[error("device {device} needs a binary built with the cargo feature \"{feature}\"")]
    NotBuilt {
        /// The device asked for.
        device: Device,
        /// The feature it needs.
        feature: &'static str,
    },
    /// The device was asked for, but ONNX Runtime cannot use it.
    #[error(
        "device {device} is not available: {reason}; use an ONNX Runtime library and drivers that have it, \
         remove it from pool.devices, or set pool.fallback = \"cpu\""
    )]
    Device {
        /// The device asked for.
        device: Device,
        /// ONNX Runtime's own words.
        reason: String,
    },
    /// The device's name is not one of ours.
    #[error("got device \"{got}\", allowed are cpu, cuda:N and tensorrt:N with N from 0")]
    UnknownDevice {
        /// What was typed.
        got: String,
    },
    /// The graph could not be opened.
    #[error("ONNX Runtime refuses the graph: {0}")]
    Graph(String),
    /// A batch failed.
    #[error("{0}")]
    Run(String),
}
