//! Bytes of a JPEG, PNG or WebP file to upright pixels, pixels to the model's tensor, and the exact transform back.
//!
//! A file is judged by its container before anything is decoded: format, size, orientation, animation, completeness and the
//! memory that decoding takes come from a walk over the bytes that holds next to nothing. What passes is cut down to what the
//! pixels need before a decoder sees it, so that text, colour profiles, previews and film frames are neither unpacked nor
//! collected. Colour profiles are ignored, as training pipelines do.
//!
//! | a file | becomes |
//! |---|---|
//! | JPEG, baseline or progressive, 8 bits, 1, 3 or 4 components, any sampling of 1 to 4 | grey, YCbCr and RGB as they are; CMYK and YCCK as Adobe writes them |
//! | JPEG of another kind: arithmetic, lossless, 12 bits, 2 components | refused |
//! | PNG of every colour type and depth, with transparency, interlaced | 16 bits are rounded to 8, transparency is laid over white |
//! | WebP, lossy or lossless, with or without transparency | transparency is laid over white |
//! | WebP whose prefix codes would take more than 64 MiB of tables | refused |
//! | animated PNG or WebP | refused |
//! | an EXIF orientation of 1 to 8, in the first EXIF block | turned; any other counts as 1 |
//! | bytes after the end: archives, films, more pictures | ignored |
//! | a file that is cut short, or a checksum that is wrong | refused |
//! | a side of 0 or under the smallest, more pixels than are allowed | refused by the header |
//! | another format under a familiar name | refused: names and media types are not asked |

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
pub use tensor::{fitted, to_fit, to_pixels, to_tensor};
