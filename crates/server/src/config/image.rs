//! Which pictures are read.

use serde::Deserialize;
use unmask_explainer::image;

use super::Bounds;

/// Which pictures are read.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Image {
    /// Most pixels, told from the header before anything is decoded.
    pub max_pixels: u64,
    /// Fewest pixels on a side.
    pub min_side: u32,
    /// Memory for pictures while they are worked on, in bytes, as their headers announce it.
    pub max_bytes: u64,
}

impl Default for Image {
    fn default() -> Self {
        let limits = image::Limits::default();
        Self { max_pixels: limits.max_pixels, min_side: limits.min_side, max_bytes: 1 << 30 }
    }
}

impl Image {
    pub(super) fn check(&self, bounds: &mut Bounds) {
        bounds.within("image.max_pixels", self.max_pixels, 1 << 8, 1 << 30);
        bounds.within("image.min_side", u64::from(self.min_side), 1, 1024);
        bounds.within("image.max_bytes", self.max_bytes, 1 << 20, 1 << 40);
    }

    pub(crate) fn limits(&self) -> image::Limits {
        image::Limits { max_pixels: self.max_pixels, min_side: self.min_side }
    }
}
