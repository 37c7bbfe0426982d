//! The walk over a JPEG file's segments (ITU-T T.81, annex B).
//!
//! The decoder paints what is missing of a cut file grey and calls it a success, so this walk insists on the
//! end-of-image marker. Bytes after it, such as the video of a moving photo, are ignored.

use image::ImageFormat;

use super::PictureError;
use super::header::{Limits, Outline};

const NAME: &str = "JPEG";

pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, PictureError> {
    let (mut size, mut exif, mut scanned) = (None, None, false);
    let mut at = 2;
    loop {
        let (marker, body) = next_marker(bytes, at).ok_or_else(|| PictureError::truncated(NAME))?;
        at = body;
        match marker {
            END => break,
            START | TEMPORARY => continue,
            _ => {}
        }
        let segment = segment(bytes, body)?;
        at = body + 2 + segment.len();
        match marker {
            0xC0..=0xCF if !matches!(marker, HUFFMAN | EXTENSION | ARITHMETIC) && size.is_none() => {
                let found = frame_size(segment)?;
                limits.check(found.0, found.1)?;
                size = Some(found);
            }
            APP1 if exif.is_none() => exif = segment.strip_prefix(b"Exif\0\0"),
            SCAN => scanned = true,
            _ => {}
        }
    }
    match size {
        Some((width, height)) if scanned => {
            Ok(Outline { name: NAME, format: ImageFormat::Jpeg, width, height, exif, length: at })
        }
        _ => Err(PictureError::broken(NAME, "it holds no pixels")),
    }
}

const HUFFMAN: u8 = 0xC4;
const EXTENSION: u8 = 0xC8;
const ARITHMETIC: u8 = 0xCC;
const TEMPORARY: u8 = 0x01;
const START: u8 = 0xD8;
const END: u8 = 0xD9;
const SCAN: u8 = 0xDA;
const APP1: u8 = 0xE1;

/// The next marker at or after `from` and where its body begins. Stuffed zeros, fill bytes and restarts belong to the
/// entropy-coded data and are skipped with it.
fn next_marker(bytes: &[u8], from: usize) -> Option<(u8, usize)> {
    let rest = bytes.get(from..)?;
    let found = rest.windows(2).position(|w| w[0] == 0xFF && !matches!(w[1], 0x00 | 0xFF | 0xD0..=0xD7))?;
    Some((rest[found + 1], from + found + 2))
}

/// A segment's payload; its length field counts itself.
fn segment(bytes: &[u8], body: usize) -> Result<&[u8], PictureError> {
    let rest = &bytes[body..];
    let length = match rest {
        [high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => return Err(PictureError::truncated(NAME)),
    };
    if length < 2 {
        return Err(PictureError::broken(NAME, "a segment is shorter than its own header"));
    }
    rest.get(2..length).ok_or_else(|| PictureError::truncated(NAME))
}

fn frame_size(segment: &[u8]) -> Result<(u32, u32), PictureError> {
    match segment {
        [_precision, h1, h0, w1, w0, ..] => {
            Ok((u16::from_be_bytes([*w1, *w0]).into(), u16::from_be_bytes([*h1, *h0]).into()))
        }
        _ => Err(PictureError::broken(NAME, "its frame header is too short")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{decode, samples};
    use super::*;

    #[test]
    fn bytes_after_the_end_are_ignored() {
        let mut bytes = samples::jpeg(24, 17);
        let whole = bytes.len();
        bytes.extend_from_slice(b"\xFF\xD8\xFF\xE1 the video of a moving photo");
        assert_eq!(outline(&bytes, &Limits::default()).unwrap().length, whole);
        assert!(decode(&bytes, &Limits::default()).is_ok());
    }

    // An EXIF thumbnail is a whole JPEG file with an end marker of its own.
    #[test]
    fn a_thumbnail_does_not_end_the_picture() {
        let mut exif = b"Exif\0\0".to_vec();
        exif.extend(samples::jpeg(16, 16));
        let mut bytes = vec![0xFF, 0xD8, 0xFF, APP1];
        bytes.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
        bytes.extend(exif);
        bytes.extend(&samples::jpeg(24, 17)[2..]);
        let found = outline(&bytes, &Limits::default()).unwrap();
        assert_eq!((found.width, found.height, found.length), (24, 17, bytes.len()));
        bytes.truncate(bytes.len() - 20);
        assert_eq!(outline(&bytes, &Limits::default()).unwrap_err(), PictureError::truncated(NAME));
    }

    #[test]
    fn a_file_without_a_scan_holds_no_pixels() {
        let bytes = samples::jpeg(24, 17);
        let scan = bytes.windows(2).position(|w| w == [0xFF, SCAN]).unwrap();
        let mut headless = bytes[..scan].to_vec();
        headless.extend([0xFF, END]);
        let error = outline(&headless, &Limits::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the JPEG file cannot be decoded (it holds no pixels), send an intact one"
        );
    }
}
