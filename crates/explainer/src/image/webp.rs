//! The walk over a WebP file's chunks (RFC 9649).
//!
//! An extended file states its size twice, for the canvas and for the picture on it. Both are read and must agree, so
//! that a small canvas cannot hide a giant picture from the limits.

use super::header::{Container, Limits, Outline};
use super::{PictureError, vp8, vp8l};

pub(super) const NAME: &str = "WebP";

pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, PictureError> {
    let truncated = || PictureError::truncated(NAME);
    let (size, _) = bytes.get(4..).and_then(|b| b.split_first_chunk::<4>()).ok_or_else(truncated)?;
    let length = usize::try_from(u32::from_le_bytes(*size)).map_or(usize::MAX, |v| v.saturating_add(8));
    let (mut canvas, mut picture, mut alpha, mut exif) = (None, None, None, None);
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
            b"ALPH" if alpha.is_none() => {
                alpha = Some(data);
                None
            }
            _ => None,
        };
        if let Some(size) = frame {
            limits.check(size.0, size.1)?;
            let place = if &kind == b"VP8X" { &mut canvas } else { &mut picture };
            place.get_or_insert((kind, size, data));
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
    let Some((kind, size, data)) = picture else {
        return Err(PictureError::broken(NAME, "it holds no pixels"));
    };
    if canvas.is_some_and(|(_, canvas, _)| canvas != size) {
        return Err(PictureError::broken(NAME, "its canvas and its picture differ in size"));
    }
    const ALPHA: u8 = 0b1_0000;
    let lossless = &kind == b"VP8L";
    let has_alpha = match canvas {
        Some((_, _, data)) => data[0] & ALPHA != 0,
        None => lossless && data[4] & ALPHA != 0,
    };
    let pixels = u64::from(size.0) * u64::from(size.1);
    let working = match (lossless, has_alpha) {
        // Without alpha the decoder writes four channels beside the three that it hands over.
        (true, _) => vp8l::working(&data[5..], size)? + if has_alpha { 0 } else { 4 * pixels },
        (false, false) => vp8::working(data, size)?,
        // Transparency is a picture of its own, lossless or plain, of which one channel of four is kept.
        (false, true) => {
            vp8::working(data, size)?
                + pixels
                + match alpha {
                    Some([method, stream @ ..]) if method & 3 == 1 => {
                        4 * pixels + vp8l::working(stream, size)?
                    }
                    Some(_) | None => 0,
                }
        }
    };
    let pixel = if has_alpha { 4 } else { 3 };
    let (width, height) = size;
    Ok(Outline { container: Container::WebP, width, height, exif, length, pixel, working })
}

/// The file with nothing but canvas, pixels and transparency, the first of each.
pub(super) fn essential(bytes: &[u8]) -> Vec<u8> {
    /// All flags of a canvas but the one that says that there is transparency name chunks that are left out.
    const KEPT: u8 = 0b1_0000;
    let mut out = Vec::with_capacity(bytes.len());
    out.extend(b"RIFF\0\0\0\0WEBP");
    let (mut at, mut known) = (12, [false; 3]);
    while let Some((kind, declared, data)) = chunk(bytes, at) {
        let place = match &kind {
            b"VP8X" => Some(0),
            b"ALPH" => Some(1),
            b"VP8 " | b"VP8L" => Some(2),
            _ => None,
        };
        if place.is_some_and(|place: usize| !std::mem::replace(&mut known[place], true)) {
            out.extend(kind);
            out.extend((data.len() as u32).to_le_bytes());
            let start = out.len();
            out.extend(data);
            out.extend(&[0][..data.len() % 2]);
            if place == Some(0) {
                out[start] &= KEPT;
            }
        }
        at += 8 + declared + declared % 2;
    }
    let length = (out.len() - 8) as u32;
    out[4..8].copy_from_slice(&length.to_le_bytes());
    out
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
