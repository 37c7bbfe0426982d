//! Every reason why a registry cannot be read or a bundle is refused. A message alone says what to mend; what the
//! system or a parser said lies beneath it as the source, and [`BundleError::reason`] joins both.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;

use thiserror::Error;
use unmask_core::Violation;

use crate::words::joined;

/// Why a registry as a whole cannot be read.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The directory of models is missing, no directory, or not readable.
    #[error("the directory of models {} cannot be read, give one that holds NAME/VERSION directories", .root.display())]
    Root {
        /// The directory as configured.
        root: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a bundle is refused.
#[derive(Debug, Error)]
pub enum BundleError {
    /// A file or directory cannot be read.
    #[error("{file} cannot be read")]
    Read {
        /// Its name in the bundle.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file that every bundle has is not there.
    #[error(
        "{file} is missing, a bundle is a directory NAME/VERSION with model.toml, model.onnx and golden.npy"
    )]
    Missing {
        /// Its name in the bundle.
        file: String,
    },
    /// A file is something else than a regular file.
    #[error("{file} is {kind}, allowed is a regular file only: copy the file into the bundle")]
    NotRegular {
        /// Its name in the bundle.
        file: String,
        /// What it is instead.
        kind: &'static str,
    },
    /// A file is larger than what is read.
    #[error("{file} has more than {limit} bytes, the limit")]
    TooLarge {
        /// Its name in the bundle.
        file: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The manifest is not text.
    #[error("model.toml is not UTF-8, save it as UTF-8")]
    ManifestEncoding {
        /// Where the text ends.
        source: std::str::Utf8Error,
    },
    /// The manifest is no TOML, has an unknown key, or a value of another type.
    #[error("model.toml, line {line}: {message}")]
    ManifestSyntax {
        /// Line, counted from 1.
        line: usize,
        /// What the parser found there, on one line.
        message: String,
        /// The parser's error with an excerpt.
        source: Box<toml::de::Error>,
    },
    /// The manifest reads, but does not say something usable. Everything wrong is listed.
    #[error("model.toml: {}", joined(.violations.iter().map(|v| format!("{}: {}", v.field, v.message))))]
    Manifest {
        /// Each field with what is wrong about it.
        violations: Vec<Violation>,
    },
    /// A file is not the one that the manifest describes.
    #[error(
        "{file} has SHA-256 {got}, the manifest says {manifest}: \
         put the file that belongs to the manifest, or correct sha256 if this file is meant"
    )]
    Digest {
        /// Its name in the bundle.
        file: String,
        /// Digest of the bytes that were read.
        got: String,
        /// Digest in the manifest.
        manifest: String,
    },
    /// A file of external data has another size than the manifest says.
    #[error(
        "{file} has {} than {manifest} bytes, which the manifest says: \
         put the file that belongs to the manifest, or correct bytes if this file is meant",
        if *.larger { "more" } else { "less" }
    )]
    Size {
        /// Its name in the bundle.
        file: String,
        /// Whether it is larger, of which no more is read than to know it.
        larger: bool,
        /// Size in the manifest.
        manifest: u64,
    },
    /// The model file is empty.
    #[error("model.onnx is empty, export the model again")]
    ModelEmpty,
    /// The model file is no protobuf of an ONNX model.
    #[error("model.onnx is not an ONNX model: its {bytes} bytes do not decode")]
    ModelDecode {
        /// Size of the file.
        bytes: usize,
        /// Where decoding failed.
        source: prost::DecodeError,
    },
    /// The model file has more parts than are decoded.
    #[error("model.onnx has more than {most} nodes, names, sizes and other parts, the limit")]
    ModelParts {
        /// The limit.
        most: usize,
    },
    /// The model decodes, but is not one that is served. Everything wrong is listed.
    #[error("model.onnx: {}", joined(.problems.iter()))]
    Model {
        /// What is wrong, one sentence each: at most eight, then a count of the rest.
        problems: Vec<String>,
    },
    /// The golden input is no NumPy file.
    #[error("{file} is not a .npy file: {problem}")]
    GoldenFormat {
        /// Its name in the bundle.
        file: String,
        /// What is wrong in the header.
        problem: &'static str,
    },
    /// The golden input is a NumPy array that the graph's input cannot take. Everything wrong is listed.
    #[error("{file}: {}", joined(.problems.iter()))]
    Golden {
        /// Its name in the bundle.
        file: String,
        /// What is wrong, one sentence each.
        problems: Vec<String>,
    },
}

impl BundleError {
    /// The whole reason on one line: the message, and after it what the system or parser beneath it said.
    pub fn reason(&self) -> String {
        let mut reason = self.to_string();
        // The parser's message is already part of this one's; its own display adds an excerpt of many lines.
        if matches!(self, Self::ManifestSyntax { .. }) {
            return reason;
        }
        let mut beneath = self.source();
        while let Some(error) = beneath {
            reason = format!("{reason}: {error}");
            beneath = error.source();
        }
        reason
    }
}
