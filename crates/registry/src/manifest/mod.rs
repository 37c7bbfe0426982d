//! The manifest `model.toml`, in two stages: `typed` is what somebody wrote, `meant` is what it says once every value
//! is known to be usable. Whatever is wrong in the second stage is reported together.

mod checks;
mod faces;
mod meant;
#[cfg(test)]
mod tests;
mod typed;

use unmask_core::ModelSpec;

use crate::BundleError;

/// A manifest that can be relied on.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) spec: ModelSpec,
    /// Digest of the model file alone.
    pub(crate) sha256: String,
    /// Files beside the model file, sorted by name.
    pub(crate) external: Vec<Listed>,
    pub(crate) golden: Expected,
}

/// A file of external data as the manifest describes it.
#[derive(Debug)]
pub(crate) struct Listed {
    /// A plain file name in the bundle.
    pub(crate) file: String,
    pub(crate) sha256: String,
    pub(crate) bytes: u64,
}

/// What the manifest says of the golden input.
#[derive(Debug)]
pub(crate) struct Expected {
    /// A plain file name in the bundle.
    pub(crate) file: String,
    pub(crate) rows: usize,
    /// Row by row.
    pub(crate) scores: Vec<f32>,
    pub(crate) tolerance: f32,
}

/// Reads the manifest of the bundle in the directory `name/version`.
pub(crate) fn read(text: &str, name: &str, version: &str) -> Result<Manifest, BundleError> {
    let typed: typed::Manifest = toml::from_str(text).map_err(|error| syntax(text, error))?;
    meant::read(typed, name, version).map_err(|violations| BundleError::Manifest { violations })
}

fn syntax(text: &str, error: toml::de::Error) -> BundleError {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let line = 1 + text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count();
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    BundleError::ManifestSyntax { line, message, source: Box::new(error) }
}
