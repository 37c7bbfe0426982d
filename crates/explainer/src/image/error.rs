//! Why a picture is refused.

use thiserror::Error;

/// Why bytes do not become a picture. The formats are called "JPEG", "PNG" and "WebP".
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PictureError {
    /// There are no bytes.
    #[error("the picture has no bytes, send a JPEG, PNG or WebP file")]
    Empty,
    /// The bytes begin like none of the formats that are read.
    #[error("the bytes are neither JPEG, PNG nor WebP, convert the picture to one of these")]
    UnknownFormat,
    /// The file holds several pictures over time.
    #[error("the {format} file is animated, only still pictures are explained: send one frame")]
    Animated {
        /// Name of the format.
        format: &'static str,
    },
    /// A side is too short.
    #[error(
        "the picture is {width} x {height} pixels, each side must have at least {min}: send a larger one"
    )]
    TooSmall {
        /// Width as stored, in pixels.
        width: u32,
        /// Height as stored, in pixels.
        height: u32,
        /// Shortest side allowed, in pixels.
        min: u32,
    },
    /// There are too many pixels.
    #[error(
        "the picture is {width} x {height} pixels, at most {max_pixels} in all are allowed: scale it down"
    )]
    TooLarge {
        /// Width as stored, in pixels.
        width: u32,
        /// Height as stored, in pixels.
        height: u32,
        /// Most pixels allowed.
        max_pixels: u64,
    },
    /// The file is cut short, damaged or of a kind that its decoder does not know.
    #[error("the {format} file cannot be decoded ({reason}), send an intact one")]
    Broken {
        /// Name of the format.
        format: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl PictureError {
    pub(super) fn broken(format: &'static str, reason: impl ToString) -> Self {
        Self::Broken { format, reason: reason.to_string() }
    }

    pub(super) fn truncated(format: &'static str) -> Self {
        Self::broken(format, "it ends too early")
    }
}
