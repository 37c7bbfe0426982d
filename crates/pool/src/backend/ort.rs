//! ONNX Runtime. The only file that names it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ort::ep::ExecutionProviderDispatch;
use ort::session::Session;
use ort::value::{TensorElementType, TensorRef, ValueType};
use unmask_core::{Layout, ModelSpec};
use unmask_registry::External;

use super::{Backend, BackendError, Device};

/// The library, loaded once per process.
#[derive(Clone)]
pub struct Runtime {
    environment: ort::environment::Environment,
}

/// A process has one ONNX Runtime environment; whoever opens the same library again shares it.
static LOADED: Mutex<Option<(PathBuf, ort::environment::Environment)>> = Mutex::new(None);

impl Runtime {
    /// Loads the library at `path`, or the one that the system's loader finds under that name. Telemetry is off.
    ///
    /// # Errors
    /// [`BackendError::Library`] when it is missing, too old or something else; [`BackendError::AlreadyLoaded`] when
    /// the process uses another.
    pub fn open(path: &Path) -> Result<Self, BackendError> {
        let mut loaded = LOADED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((known, environment)) = loaded.as_ref() {
            if known != path {
                let (loaded, asked) = (known.display().to_string(), path.display().to_string());
                return Err(BackendError::AlreadyLoaded { loaded, asked });
            }
            return Ok(Self { environment: environment.clone() });
        }
        let refused = |reason: String| BackendError::Library { path: path.display().to_string(), reason };
        let environment = ort::init_from(path)
            .map_err(|e| refused(e.to_string()))?
            .with_name("unmask")
            .with_telemetry(false)
            .build()
            .map_err(|e| refused(e.to_string()))?;
        environment.set_log_level(ort::logging::LogLevel::Error);
        *loaded = Some((path.to_owned(), environment.clone()));
        Ok(Self { environment })
    }

    /// What the library says of its own build.
    pub fn version(&self) -> &'static str {
        ort::info()
    }

    /// Opens a session and checks the graph's names, shapes and types against the spec. Weights outside the model file are
    /// those in `external`: no file is opened.
    ///
    /// # Errors
    /// [`BackendError::Device`] and [`BackendError::NotBuilt`] for the device, [`BackendError::Graph`] for the rest.
    pub(crate) fn session(
        &self,
        spec: &ModelSpec,
        model: &[u8],
        external: &[External],
        device: Device,
        threads: usize,
    ) -> Result<Box<dyn Backend>, BackendError> {
        let graph = |e: ort::Error| BackendError::Graph(e.message().to_owned());
        let option = |e: ort::Error<ort::session::builder::SessionBuilder>| {
            BackendError::Graph(e.message().to_owned())
        };
        let mut builder = Session::builder(&self.environment)
            .map_err(graph)?
            .with_intra_threads(threads)
            .map_err(option)?
            .with_inter_threads(1)
            .map_err(option)?
            .with_deterministic_compute(true)
            .map_err(option)?;
        if let Some(provider) = provider(device)? {
            builder = builder
                .with_execution_providers([provider])
                .map_err(|e| BackendError::Device { device, reason: e.message().to_owned() })?;
        }
        for file in external {
            builder = builder
                .with_external_initializer_file_in_memory(&file.name, Arc::clone(&file.data))
                .map_err(option)?;
        }
        let session = builder.commit_from_memory(model).map_err(graph)?;
        check(&session, spec)?;
        Ok(Box::new(OrtSession {
            session,
            output: spec.output.name.clone(),
            shape: dims(spec).map(|d| d as i64),
            row: spec.output_len(),
        }))
    }
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "without the cargo features every device but the processor is an error"
)]
fn provider(device: Device) -> Result<Option<ExecutionProviderDispatch>, BackendError> {
    match device {
        Device::Cpu => Ok(None),
        #[cfg(feature = "cuda")]
        Device::Cuda(n) => Ok(Some(ort::ep::CUDA::default().with_device_id(n).build().error_on_failure())),
        #[cfg(not(feature = "cuda"))]
        Device::Cuda(_) => Err(BackendError::NotBuilt { device, feature: "cuda" }),
        #[cfg(feature = "tensorrt")]
        Device::TensorRt(n) => {
            Ok(Some(ort::ep::TensorRT::default().with_device_id(n).build().error_on_failure()))
        }
        #[cfg(not(feature = "tensorrt"))]
        Device::TensorRt(_) => Err(BackendError::NotBuilt { device, feature: "tensorrt" }),
    }
}

/// Axes of one picture in the graph's own order.
fn dims(spec: &ModelSpec) -> [usize; 3] {
    let (height, width) = (spec.input.height, spec.input.width);
    match spec.input.layout {
        Layout::Nchw => [3, height, width],
        Layout::Nhwc => [height, width, 3],
    }
}

/// The graph has one input and the named output, both float32, with a free batch axis and the manifest's sizes.
fn check(session: &Session, spec: &ModelSpec) -> Result<(), BackendError> {
    let refuse = |reason: String| Err(BackendError::Graph(reason));
    let names: Vec<&str> = session.inputs().iter().map(ort::value::Outlet::name).collect();
    let [input] = session.inputs() else {
        return refuse(format!(
            "it has {} inputs ({}), exactly one is allowed",
            names.len(),
            names.join(", ")
        ));
    };
    if input.name() != spec.input.name {
        return refuse(format!(
            "its input is named \"{}\", the manifest says \"{}\"",
            input.name(),
            spec.input.name
        ));
    }
    let Some(output) = session.outputs().iter().find(|o| o.name() == spec.output.name) else {
        let names: Vec<&str> = session.outputs().iter().map(ort::value::Outlet::name).collect();
        return refuse(format!(
            "it has no output \"{}\", its outputs are {}",
            spec.output.name,
            names.join(", ")
        ));
    };
    let expected: Vec<i64> = dims(spec).iter().map(|d| *d as i64).collect();
    check_axes("input", input.dtype(), &expected)?;
    check_axes("output", output.dtype(), &[spec.output_len() as i64])
}

fn check_axes(what: &str, dtype: &ValueType, expected: &[i64]) -> Result<(), BackendError> {
    let refuse = |reason: String| Err(BackendError::Graph(reason));
    let ValueType::Tensor { ty, shape, .. } = dtype else {
        return refuse(format!("its {what} is {dtype}, a tensor is needed"));
    };
    if *ty != TensorElementType::Float32 {
        return refuse(format!("its {what} has type {ty}, float32 is needed"));
    }
    let axes: Vec<i64> = shape.iter().copied().collect();
    let fits =
        axes.len() == expected.len() + 1 && axes[1..].iter().zip(expected).all(|(a, e)| *a == -1 || a == e);
    if !fits {
        return refuse(format!("its {what} has shape {axes:?}, the manifest says [-1, {}]", list(expected)));
    }
    if axes[0] != -1 {
        return refuse(format!(
            "the batch axis of its {what} is fixed to {}, export it as a dynamic axis",
            axes[0]
        ));
    }
    Ok(())
}

fn list(axes: &[i64]) -> String {
    axes.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

struct OrtSession {
    session: Session,
    output: String,
    shape: [i64; 3],
    row: usize,
}

impl Backend for OrtSession {
    fn run(&mut self, batch: usize, input: &[f32]) -> Result<Vec<f32>, BackendError> {
        let failed = |e: ort::Error| BackendError::Run(e.message().to_owned());
        let [a, b, c] = self.shape;
        let tensor = TensorRef::from_array_view(([batch as i64, a, b, c], input)).map_err(failed)?;
        let outputs = self.session.run(ort::inputs![tensor]).map_err(failed)?;
        let output = outputs
            .get(&self.output)
            .ok_or_else(|| BackendError::Run("the named output is missing".into()))?;
        let (shape, values) = output.try_extract_tensor::<f32>().map_err(failed)?;
        if values.len() != batch * self.row {
            let axes: Vec<i64> = shape.iter().copied().collect();
            return Err(BackendError::Run(format!("the output has shape {axes:?} for a batch of {batch}")));
        }
        Ok(values.to_vec())
    }
}
