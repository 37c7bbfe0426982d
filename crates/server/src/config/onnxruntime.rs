//! Where the library lies.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the library lies.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnnxRuntime {
    /// Path of libonnxruntime, or a name for the system's loader.
    pub library: PathBuf,
}

impl Default for OnnxRuntime {
    fn default() -> Self {
        Self { library: "libonnxruntime.so".into() }
    }
}
