//! The walk over a WebP file's chunks (RFC 9649).
//!
//! An extended file states its size twice, for the canvas and for the picture on it. Both are read and must agree, so
//! that a small canvas cannot hide a giant picture from the limits.

use image::ImageFormat;

use super::PictureError;
use super::header::{Limits, Outline};

const NAME: &str = "WebP";

pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, PictureError> {
    let truncated = || PictureError::truncated(NAME);
    let (size, _) = bytes.get(4..).and_then(|b| b.split_first_chunk::<4>()).ok_or_else(truncated)?;
    let length = usize::try_from(u32::from_le_bytes(*size)).map_or(usize::MAX, |v| v.saturating_add(8));
    let (mut canvas, mut picture, mut exif) = (None, None, None);
    let mut at = 12;
    while at < length {
        let (kind, declared, data) = chunk(bytes, at).ok_or_else(truncated)?;
        let frame = match &kind {
            b"VP8X" => extended(data)?,
            b"VP8 " => lossy(data)?,
            b"VP8L" => lossless(data)?,
            b"ANIM" | b"ANMF" => return Err(PictureError::Animated { format: NAME }),
            b"EXIF" if exif.is_none() => {
                // Some writers keep the prefix that only JPEG needs.
                exif = Some(data.strip_prefix(b"Exif\0\0").unwrap_or(data));
                None
            }
            _ => None,
        };
        if let Some((width, height)) = frame {
            limits.check(width, height)?;
            let place = if &kind == b"VP8X" { &mut canvas } else { &mut picture };
            place.get_or_insert((width, height));
        }
        // What a chunk announces is checked after its first bytes were read, so that size comes before completeness.
        if data.len() < declared {
            return Err(truncated());
        }
        at += 8 + declared + declared % 2;
    }
    if bytes.len() < length {
        return Err(truncated());
    }
    match (picture, canvas) {
        (None, _) => Err(PictureError::broken(NAME, "it holds no pixels")),
        (Some(picture), Some(canvas)) if picture != canvas => {
            Err(PictureError::broken(NAME, "its canvas and its picture differ in size"))
        }
        (Some((width, height)), _) => {
            Ok(Outline { name: NAME, format: ImageFormat::WebP, width, height, exif, length })
        }
    }
}

/// Kind, announced length and the data that is there of the chunk that begins at `at`.
fn chunk(bytes: &[u8], at: usize) -> Option<([u8; 4], usize, &[u8])> {
    let (kind, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let (declared, rest) = rest.split_first_chunk::<4>()?;
    let declared = usize::try_from(u32::from_le_bytes(*declared)).ok()?;
    Some((*kind, declared, &rest[..declared.min(rest.len())]))
}

type Size = Result<Option<(u32, u32)>, PictureError>;

fn extended(data: &[u8]) -> Size {
    const ANIMATION: u8 = 0b10;
    match data {
        [flags, ..] if flags & ANIMATION != 0 => Err(PictureError::Animated { format: NAME }),
        [_, _, _, _, w0, w1, w2, h0, h1, h2, ..] => {
            Ok(Some((1 + u32::from_le_bytes([*w0, *w1, *w2, 0]), 1 + u32::from_le_bytes([*h0, *h1, *h2, 0]))))
        }
        _ => Err(PictureError::truncated(NAME)),
    }
}

fn lossy(data: &[u8]) -> Size {
    match data {
        [_, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ..] => {
            let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
            Ok(Some((side(*w0, *w1), side(*h0, *h1))))
        }
        [_, _, _, _, _, _, _, _, _, _, ..] => {
            Err(PictureError::broken(NAME, "its lossy picture has no start code"))
        }
        _ => Err(PictureError::truncated(NAME)),
    }
}

fn lossless(data: &[u8]) -> Size {
    match data {
        [0x2F, b0, b1, b2, b3, ..] => {
            let bits = u32::from_le_bytes([*b0, *b1, *b2, *b3]);
            Ok(Some((1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))))
        }
        [_, _, _, _, _, ..] => Err(PictureError::broken(NAME, "its lossless picture has no signature")),
        _ => Err(PictureError::truncated(NAME)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{decode, samples};
    use super::*;

    #[test]
    fn a_lossy_file_is_read() {
        let picture = decode(&samples::lossy_webp(), &Limits::default()).unwrap();
        assert_eq!((picture.width(), picture.height()), (24, 16));
        // The sample is a slope from black at the top left to 227 at the bottom right.
        assert!(picture.pixels()[(0, 0)][0] < 30 && picture.pixels()[(23, 15)][0] > 190);
    }

    #[test]
    fn a_canvas_cannot_hide_a_giant() {
        let mut bytes = samples::webp(24, 17, Some(1));
        let at = bytes.windows(4).position(|w| w == b"VP8L").unwrap() + 9;
        bytes[at..at + 4].copy_from_slice(&0x0FFF_FFFFu32.to_le_bytes());
        let error = outline(&bytes, &Limits::default()).unwrap_err();
        assert_eq!(error, PictureError::TooLarge { width: 16_384, height: 16_384, max_pixels: 25_000_000 });
        bytes[at..at + 4].copy_from_slice(&(30u32 | 30 << 14).to_le_bytes());
        let error = outline(&bytes, &Limits::default()).unwrap_err();
        assert_eq!(error, PictureError::broken(NAME, "its canvas and its picture differ in size"));
    }

    #[test]
    fn a_chunk_that_announces_more_than_there_is_counts_as_cut() {
        let mut bytes = samples::webp(24, 17, Some(6));
        let at = bytes.windows(4).position(|w| w == b"EXIF").unwrap() + 4;
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(outline(&bytes, &Limits::default()).unwrap_err(), PictureError::truncated(NAME));
    }

    #[test]
    fn a_jpeg_prefix_before_the_orientation_is_dropped() {
        let bytes = samples::webp_with_exif(24, 17, [&b"Exif\0\0"[..], &samples::exif(3)].concat());
        assert_eq!(outline(&bytes, &Limits::default()).unwrap().orientation(), 3);
    }
}
