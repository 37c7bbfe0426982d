//! Which models exist: a bundle on disk becomes a verified [`Candidate`], or a precise reason why it does not.
//!
//! A bundle is a directory `NAME/VERSION/{model.toml, model.onnx, golden.npy, card.md}`, with the files of external data
//! that the manifest lists. The manifest, the digests, the protobuf and the golden input are checked here; no session is opened, so what only a session can know (shapes,
//! element types, golden scores) is left to whoever loads the candidate.

mod bundle;
mod error;
mod file;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod golden;
mod manifest;
mod onnx;
mod policy;
mod scan;
mod stamp;
#[cfg(test)]
mod testing;
mod version;
mod words;

pub use bundle::{Candidate, External, Golden, open, sha256};
pub use error::{BundleError, RegistryError};
pub use policy::Policy;
pub use scan::{Entry, Place, places, scan};
pub use stamp::Stamp;
pub use version::latest_first;
