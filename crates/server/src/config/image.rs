//! Which pictures are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unmask_explainer::image;

/// Which pictures are read.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Image {
    /// Most pixels, told from the header before anything is decoded.
    #[schemars(range(min = 1_u64 << 8, max = 1_u64 << 30))]
    pub max_pixels: u64,
    /// Fewest pixels on a side.
    #[schemars(range(min = 1, max = 1024))]
    pub min_side: u32,
    /// Memory for pictures while they are worked on, in bytes, as their headers announce it.
    #[schemars(range(min = 1_u64 << 20, max = 1_u64 << 40))]
    pub max_bytes: u64,
}

impl Default for Image {
    fn default() -> Self {
        let limits = image::Limits::default();
        Self { max_pixels: limits.max_pixels, min_side: limits.min_side, max_bytes: 1 << 30 }
    }
}

impl Image {
    pub(crate) fn limits(&self) -> image::Limits {
        image::Limits { max_pixels: self.max_pixels, min_side: self.min_side }
    }
}
