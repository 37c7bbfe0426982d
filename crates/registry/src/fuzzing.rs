//! Ways in for the fuzz targets: bytes to the parsers of a bundle, whose answers do not matter.

use unmask_core::ModelSpec;

use crate::manifest::Expected;
use crate::{External, Policy};

/// The manifest of a bundle in the directory `m/1`.
pub fn manifest(text: &str) {
    let _ = crate::manifest::read(text, "m", "1");
}

/// An array file, against a manifest that expects one picture of 2 x 2 pixels.
pub fn npy(bytes: &[u8]) {
    let (file, scores) = ("golden.npy".to_owned(), vec![0.0; 2]);
    let expected = Expected { file, rows: 1, scores, tolerance: 1e-3 };
    let _ = crate::golden::read(bytes, expected, &ModelSpec::plain("m", 2, 2, &["real", "fake"]));
}

/// A model file, against a manifest that names what the seeds have.
pub fn onnx(bytes: &[u8]) {
    let beside = External { name: "w".into(), data: [0; 64].into() };
    let spec = ModelSpec::plain("m", 32, 32, &["real", "fake"]);
    let _ = crate::onnx::check(bytes.to_vec().into(), &[beside], &spec, &Policy::default());
}
