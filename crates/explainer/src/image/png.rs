//! The walk over a PNG file's chunks (W3C PNG, third edition, section 5).
//!
//! Checksums and pixel data are the decoder's business; this walk asks for the header, the animation control, the EXIF
//! chunk wherever it stands, and the end.

use image::ImageFormat;

use super::PictureError;
use super::header::{Limits, Outline};

const NAME: &str = "PNG";

/// The first bytes of every PNG file.
pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, PictureError> {
    let (width, height) = size(bytes)?;
    limits.check(width, height)?;
    let (mut exif, mut pixels) = (None, false);
    let mut at = SIGNATURE.len();
    loop {
        let chunk = Chunk::at(bytes, at).ok_or_else(|| PictureError::truncated(NAME))?;
        at = chunk.end;
        match &chunk.kind {
            b"IEND" => break,
            b"IDAT" => pixels = true,
            b"acTL" if !pixels => return Err(PictureError::Animated { format: NAME }),
            b"eXIf" if exif.is_none() => exif = Some(chunk.data),
            _ => {}
        }
    }
    if !pixels {
        return Err(PictureError::broken(NAME, "it holds no pixels"));
    }
    Ok(Outline { name: NAME, format: ImageFormat::Png, width, height, exif, length: at })
}

struct Chunk<'a> {
    kind: [u8; 4],
    data: &'a [u8],
    end: usize,
}

impl<'a> Chunk<'a> {
    /// The chunk that begins at `at`, if the file holds all of it: length, kind, data, checksum.
    fn at(bytes: &'a [u8], at: usize) -> Option<Self> {
        let (length, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let data = rest.get(..length)?;
        rest[length..].first_chunk::<4>()?;
        Some(Self { kind: *kind, data, end: at + length + 12 })
    }
}

fn size(bytes: &[u8]) -> Result<(u32, u32), PictureError> {
    let header = Chunk::at(bytes, SIGNATURE.len()).ok_or_else(|| PictureError::truncated(NAME))?;
    match (&header.kind, header.data) {
        (b"IHDR", [w3, w2, w1, w0, h3, h2, h1, h0, ..]) => {
            Ok((u32::from_be_bytes([*w3, *w2, *w1, *w0]), u32::from_be_bytes([*h3, *h2, *h1, *h0])))
        }
        _ => Err(PictureError::broken(NAME, "it does not begin with a header chunk")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{decode, inspect, samples};
    use super::*;

    #[test]
    fn an_exif_chunk_counts_even_after_the_pixels() {
        let bytes = samples::png(24, 17);
        let end = bytes.len() - 12;
        let mut late = bytes[..end].to_vec();
        late.extend(samples::png_chunk(b"eXIf", &samples::exif(8)));
        late.extend(&bytes[end..]);
        assert_eq!(inspect(&late, &Limits::default()).unwrap().orientation, 8);
        let picture = decode(&late, &Limits::default()).unwrap();
        assert_eq!((picture.width(), picture.height()), (17, 24));
    }

    // The container is whole, its checksums are right, but the compressed stream stops short.
    #[test]
    fn missing_rows_are_an_error_of_the_decoder() {
        let bytes = samples::png(64, 64);
        let at = bytes.windows(4).position(|w| w == b"IDAT").unwrap();
        let length = u32::from_be_bytes(bytes[at - 4..at].try_into().unwrap()) as usize;
        for kept in [2, length / 2, length - 30] {
            let mut short = bytes[..at - 4].to_vec();
            short.extend(samples::png_chunk(b"IDAT", &bytes[at + 4..at + 4 + kept]));
            short.extend(samples::png_chunk(b"IEND", b""));
            assert!(inspect(&short, &Limits::default()).is_ok());
            let error = decode(&short, &Limits::default()).unwrap_err();
            assert!(matches!(error, PictureError::Broken { format: "PNG", .. }), "{kept}: {error}");
        }
    }

    #[test]
    fn a_file_must_begin_with_its_header() {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend(samples::png_chunk(b"IDAT", b""));
        let error = outline(&bytes, &Limits::default()).unwrap_err();
        assert_eq!(error, PictureError::broken(NAME, "it does not begin with a header chunk"));
    }
}
