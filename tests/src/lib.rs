//! What every end-to-end test needs: a service over real models and the real ONNX Runtime, and samples to send.
//!
//! The tests are run by `cargo xtask test`, which fetches ONNX Runtime and makes the test models.

pub mod browser;
pub mod catalogue;
pub mod configuration;
pub mod crowd;
pub mod evalset;
pub mod load;
pub mod started;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tonic::{Request, Status};
use unmask_protocol::v1;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_server::{Config, Service};

/// A value that `cargo xtask test` sets.
///
/// # Panics
/// When it is not set.
pub fn from_set_up(name: &str) -> PathBuf {
    std::env::var_os(name)
        .unwrap_or_else(|| panic!("{name} is not set; run these tests with `cargo xtask test`"))
        .into()
}

/// A path of the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A sample picture that ships.
///
/// # Panics
/// When it cannot be read.
pub fn sample(name: &str) -> Vec<u8> {
    std::fs::read(project("models/samples").join(name)).expect("the samples ship with the project")
}

/// A model root that holds the shipped detector and the named test models, and dies with the value.
pub struct Root(TempDir);

impl Root {
    /// Links each bundle's NAME directory into a fresh root.
    ///
    /// # Panics
    /// When the file system refuses.
    pub fn new(fixtures: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let shipped = [(project("models/selfblend-mobilenetv2"), "selfblend-mobilenetv2")];
        let made = fixtures.iter().map(|name| (from_set_up("TEST_FIXTURES").join(name), *name));
        for (path, name) in shipped.into_iter().chain(made) {
            let path = path.canonicalize().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            std::os::unix::fs::symlink(path, dir.path().join(name)).expect("a link");
        }
        Self(dir)
    }

    /// Links the face detector that ships as well.
    ///
    /// # Panics
    /// When the file system refuses.
    #[must_use]
    pub fn with_faces(self) -> Self {
        let path = project("models/centerface");
        std::os::unix::fs::symlink(path, self.0.path().join("centerface")).expect("a link");
        self
    }

    /// A configuration over this root; the shipped detector is the default.
    ///
    /// # Panics
    /// When a setting is refused.
    pub fn config(&self, settings: &[(&str, &str)]) -> Config {
        self.config_over(None, settings)
    }

    /// The same over a file, which says for itself whether it is meant to be insecure where it says anything of TLS.
    ///
    /// # Panics
    /// When a setting is refused.
    pub fn config_over(&self, file: Option<&Path>, settings: &[(&str, &str)]) -> Config {
        let own = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let mut overrides = vec![
            own("models.root", &self.0.path().to_string_lossy()),
            own("models.default", "selfblend-mobilenetv2"),
            own("onnxruntime.library", &from_set_up("ORT_DYLIB_PATH").to_string_lossy()),
            own("server.listen", "127.0.0.1:0"),
            own("pool.calibration", "off"),
        ];
        let safe =
            file.is_some_and(|file| std::fs::read_to_string(file).is_ok_and(|text| text.contains("[tls]")));
        overrides.extend((!safe).then(|| own("server.insecure", "true")));
        overrides.extend(settings.iter().map(|(k, v)| own(k, v)));
        Config::read(file, &overrides).expect("the settings are allowed")
    }

    /// A service over this root.
    ///
    /// # Panics
    /// When no model serves.
    pub fn service(&self, settings: &[(&str, &str)]) -> Service {
        Service::open(&self.config(settings)).expect("the models serve")
    }
}

/// RISE with so many masks.
pub fn rise(masks: u32) -> v1::Method {
    let kind = v1::method::Kind::Rise(v1::Rise { masks: Some(masks), ..v1::Rise::default() });
    v1::Method { kind: Some(kind), preset: String::new() }
}

/// A decision by the label of its class.
pub fn target(label: &str) -> v1::Target {
    v1::Target { kind: Some(v1::target::Kind::Label(label.into())), ..v1::Target::default() }
}

/// What was announced has been run or saved for a reason.
///
/// # Panics
/// When passes are missing.
pub fn assert_adds_up(cost: &v1::Cost) {
    let saved: u64 = cost.saved.iter().map(|saving| saving.passes).sum();
    assert_eq!(cost.announced, cost.run + saved, "{cost:?}");
    assert!(cost.asked >= cost.run, "{cost:?}");
    assert!(
        cost.saved.iter().all(|s| s.passes > 0 && s.reason() != v1::SavingReason::Unspecified),
        "{cost:?}"
    );
}

/// A caller's image as fill.
pub fn image_fill(image: Vec<u8>) -> v1::Fill {
    v1::Fill { kind: Some(v1::fill::Kind::Image(v1::ImageFill { image, sha256: String::new() })) }
}

/// Grey as fill.
pub fn grey_fill() -> v1::Fill {
    v1::Fill { kind: Some(v1::fill::Kind::Constant(v1::ConstantFill::default())) }
}

/// Black as fill.
pub fn black_fill() -> v1::Fill {
    let colour = v1::ConstantFill { red: Some(0.0), green: Some(0.0), blue: Some(0.0) };
    v1::Fill { kind: Some(v1::fill::Kind::Constant(colour)) }
}

/// The weights of the planted linear models, row-major `[32, 32]`.
///
/// # Panics
/// When they cannot be read.
pub fn planted_weights() -> Vec<f32> {
    let bytes =
        std::fs::read(from_set_up("TEST_FIXTURES").join("weights.npy")).expect("the fixtures are made");
    let data = &bytes[bytes.len() - 32 * 32 * 4..];
    data.chunks_exact(4).map(|v| f32::from_le_bytes([v[0], v[1], v[2], v[3]])).collect()
}

/// One model by name.
pub fn model(name: &str) -> Option<v1::ModelSelector> {
    Some(v1::ModelSelector { name: name.into(), version: String::new() })
}

/// A small request: the mouth sample over its original, 256 masks.
pub fn request() -> v1::ExplainRequest {
    v1::ExplainRequest {
        image: sample("astronaut-mouth.png"),
        method: Some(rise(256)),
        fill: Some(image_fill(sample("astronaut-real.png"))),
        ..v1::ExplainRequest::default()
    }
}

/// Asks in process.
///
/// # Errors
/// The status that a client would get.
pub async fn explain(service: &Service, request: v1::ExplainRequest) -> Result<v1::ExplainResponse, Status> {
    service.explain(Request::new(request)).await.map(tonic::Response::into_inner)
}

/// Everything of an answer that must not depend on time or load.
pub fn timeless(mut answer: v1::ExplainResponse) -> v1::ExplainResponse {
    answer.timings = None;
    answer.request_id.clear();
    answer
}

/// Everything of an answer that must not depend on who paid for a search either.
pub fn unpaid(answer: v1::ExplainResponse) -> v1::ExplainResponse {
    v1::ExplainResponse { cost: None, ..timeless(answer) }
}

/// What happens happens within this time, on a machine that does much else too.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Waits for something that must come.
///
/// # Panics
/// When it has not come within a minute: the bound only keeps a broken test from hanging.
pub async fn until(what: impl Fn() -> bool) {
    let seen = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("it happens");
}

/// The values of a map.
pub fn values(map: &v1::Map) -> Vec<f32> {
    map.values.chunks_exact(4).map(|v| f32::from_le_bytes([v[0], v[1], v[2], v[3]])).collect()
}

/// A plain picture as PNG.
///
/// # Panics
/// When it cannot be encoded.
pub fn png(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb(pixel(x, y)));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a picture in memory");
    bytes.into_inner()
}

/// Share in the mask of what rises above the map's own mean; 0 for a flat map.
pub fn above_mean(values: &[f32], mask: &[bool]) -> f64 {
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len().max(1) as f64;
    let above = |value: &f32| (f64::from(*value) - mean).max(0.0);
    let whole: f64 = values.iter().map(above).sum();
    let inside: f64 = values.iter().zip(mask).filter(|(_, inside)| **inside).map(|(v, _)| above(v)).sum();
    if whole > 0.0 { inside / whole } else { 0.0 }
}
