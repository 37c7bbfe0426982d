//! One bundle: its directory becomes a candidate, every file read once and checked in the order manifest, digests,
//! protobuf, golden input. The card is for people and is not read.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use prost::bytes::Bytes;
use sha2::{Digest, Sha256};
use unmask_core::ModelSpec;

use crate::manifest::Listed;
use crate::policy::Policy;
use crate::{BundleError, file, golden, manifest, onnx};

/// Name of the manifest in a bundle.
pub(crate) const MANIFEST: &str = "model.toml";
/// Name of the model file in a bundle.
pub(crate) const MODEL: &str = "model.onnx";

const MANIFEST_BYTES: u64 = 1 << 20;
/// Protobuf itself ends at 2 GiB.
const MODEL_BYTES: u64 = 2 << 30;
const GOLDEN_BYTES: u64 = 64 << 20;

/// A bundle whose files are what its manifest says. It still has to prove itself in a session.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What the manifest says.
    pub spec: ModelSpec,
    /// The model file: exactly the bytes whose digest was compared with the manifest's.
    pub model: Vec<u8>,
    /// Files that weights lie in, beside the model file. They are loaded from here and never from the disk.
    pub external: Vec<External>,
    /// The question and answer by which a session proves itself.
    pub golden: Golden,
    /// SHA-256 over everything above, as the files say it: candidates of one print are the same.
    pub print: String,
}

/// A file of external data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// The name by which the model file knows it.
    pub name: String,
    /// Exactly the bytes whose digest was compared with the manifest's.
    pub data: Arc<[u8]>,
}

/// An input with the output that the graph must give for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Golden {
    /// The graph's input, `rows` pictures in the layout of the spec, one after the other.
    pub input: Vec<f32>,
    /// Number of pictures.
    pub rows: usize,
    /// The graph's own output, row by row: [`ModelSpec::output_len`] values each.
    pub scores: Vec<f32>,
    /// Largest allowed difference between a score and the session's.
    pub tolerance: f32,
}

/// Reads and checks the bundle in `dir`. The last two parts of the path are the name and version that the manifest must
/// repeat; they are taken as written, so that a directory above the files may be a symbolic link.
///
/// # Errors
/// The first stage that refuses the bundle: manifest, digests, protobuf, golden input. Everything that is wrong in a
/// stage is reported together.
pub fn open(dir: &Path, policy: &Policy) -> Result<Candidate, BundleError> {
    let written = std::path::absolute(dir)
        .map_err(|source| BundleError::Read { file: dir.display().to_string(), source })?;
    let part = |name: Option<&OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
    let version = part(written.file_name());
    let name = part(written.parent().and_then(Path::file_name));

    let text = String::from_utf8(file::read(dir, MANIFEST, MANIFEST_BYTES)?)
        .map_err(|error| BundleError::ManifestEncoding { source: error.utf8_error() })?;
    let manifest = manifest::read(&text, &name, &version)?;

    let model = file::read(dir, MODEL, MODEL_BYTES)?;
    compare(MODEL, &model, manifest.sha256)?;
    let external =
        manifest.external.into_iter().map(|listed| beside(dir, listed)).collect::<Result<Vec<_>, _>>()?;
    let model = Bytes::from(model);
    onnx::check(model.clone(), &external, &manifest.spec, policy)?;
    // The checks have let go of their views, so that this is the same memory and no copy.
    let model = Vec::from(model);

    let npy = file::read(dir, &manifest.golden.file, GOLDEN_BYTES)?;
    let golden = golden::read(&npy, manifest.golden, &manifest.spec)?;
    // The manifest holds the digests of the model and of the files beside it.
    let print = sha256(&[sha256(text.as_bytes()), sha256(&npy)].concat().into_bytes());
    Ok(Candidate { spec: manifest.spec, model, external, golden, print })
}

/// A file of external data, which is what the manifest says of it.
fn beside(dir: &Path, listed: Listed) -> Result<External, BundleError> {
    let Listed { file: name, sha256, bytes: manifest } = listed;
    let size = |larger: bool| BundleError::Size { file: name.clone(), larger, manifest };
    let data = match file::read(dir, &name, manifest) {
        Err(BundleError::TooLarge { .. }) => return Err(size(true)),
        read => read?,
    };
    if (data.len() as u64) < manifest {
        return Err(size(false));
    }
    compare(&name, &data, sha256)?;
    Ok(External { name, data: data.into() })
}

fn compare(file: &str, bytes: &[u8], manifest: String) -> Result<(), BundleError> {
    let got = sha256(bytes);
    if got == manifest { Ok(()) } else { Err(BundleError::Digest { file: file.into(), got, manifest }) }
}

/// The digest by which a model is known: that of its model file, or, where weights lie in other files, that of what
/// `sha256sum model.onnx FILE...` prints with the files sorted by name. A change of any weight is another model.
pub(crate) fn identity(model: &str, external: &[Listed]) -> String {
    if external.is_empty() {
        return model.to_owned();
    }
    let files = external.iter().map(|file| (file.sha256.as_str(), file.file.as_str()));
    let lines: String = [(model, MODEL)]
        .into_iter()
        .chain(files)
        .map(|(digest, name)| format!("{digest}  {name}\n"))
        .collect();
    sha256(lines.as_bytes())
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
