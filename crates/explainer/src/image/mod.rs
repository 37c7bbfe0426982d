//! Bytes of a JPEG, PNG or WebP file to upright pixels, pixels to the model's tensor, and the exact transform back.
//!
//! A file is judged by its container before anything is decoded: format, size, orientation, animation and completeness
//! come from a walk over the bytes that allocates nothing. Colour profiles are ignored, as training pipelines do.

mod bring;
mod decode;
mod error;
mod frame;
mod header;
mod jpeg;
mod png;
mod resize;
#[cfg(test)]
mod samples;
mod tensor;
mod vp8;
mod vp8l;
mod webp;

pub use bring::{map_to_frame, mask_to_frame, nearest};
pub use decode::{Picture, decode};
pub use error::PictureError;
pub use frame::{Affine, Frame, Rect};
pub use header::{Header, Limits, inspect};
pub(crate) use resize::resize;
pub(crate) use tensor::rgb_channels;
pub use tensor::{to_pixels, to_tensor};
