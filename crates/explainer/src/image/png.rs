//! The walk over a PNG file's chunks (W3C PNG, third edition, section 5).
//!
//! Checksums and pixel data are the decoder's business; this walk asks for the header, the animation control, the EXIF
//! chunk wherever it stands, and the end.

use super::PictureError;
use super::header::{Container, Limits, Outline};

pub(super) const NAME: &str = "PNG";

/// The first bytes of every PNG file.
pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The last chunk of every PNG file: no length, its name, its checksum.
const LAST: &[u8] = b"\0\0\0\0IEND\xAE\x42\x60\x82";

pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, PictureError> {
    let header = Header::read(bytes, limits)?;
    let (mut exif, mut pixels, mut transparent) = (None, false, false);
    let mut at = SIGNATURE.len();
    loop {
        let chunk = Chunk::at(bytes, at).ok_or_else(|| PictureError::truncated(NAME))?;
        at = chunk.end;
        match &chunk.kind {
            b"IEND" => break,
            b"IDAT" => pixels = true,
            b"acTL" if !pixels => return Err(PictureError::Animated { format: NAME }),
            b"eXIf" if exif.is_none() => exif = Some(chunk.data),
            b"tRNS" => transparent = true,
            _ => {}
        }
    }
    if !pixels {
        return Err(PictureError::broken(NAME, "it holds no pixels"));
    }
    Ok(Outline {
        container: Container::Png,
        width: header.width,
        height: header.height,
        exif,
        length: at,
        pixel: header.pixel(transparent),
        working: header.working(transparent),
    })
}

/// The file with nothing but header, palette, its transparency and pixels: what is compressed beside those is never unpacked.
pub(super) fn essential(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    out.extend(SIGNATURE);
    let (mut at, mut known) = (SIGNATURE.len(), [false; 3]);
    while let Some(chunk) = Chunk::at(bytes, at) {
        let mut first = |place: usize| !std::mem::replace(&mut known[place], true);
        let keep = match &chunk.kind {
            b"IDAT" => true,
            b"IHDR" => first(0),
            b"PLTE" => first(1),
            b"tRNS" => first(2),
            _ => false,
        };
        if keep {
            out.extend(&bytes[at..chunk.end]);
        }
        at = chunk.end;
    }
    out.extend(LAST);
    out
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

/// What the header chunk says.
struct Header {
    width: u32,
    height: u32,
    /// Bits of a sample, as stored.
    depth: u64,
    /// Samples of a pixel, as stored and once a palette is looked up.
    stored: u64,
    shown: u64,
    alpha: bool,
    interlaced: bool,
}

impl Header {
    /// The size is checked first, so that a giant is told to be one whatever else it is.
    fn read(bytes: &[u8], limits: &Limits) -> Result<Self, PictureError> {
        let chunk = Chunk::at(bytes, SIGNATURE.len()).ok_or_else(|| PictureError::truncated(NAME))?;
        let (b"IHDR", [w3, w2, w1, w0, h3, h2, h1, h0, depth, colour, _, _, interlace]) =
            (&chunk.kind, chunk.data)
        else {
            return Err(PictureError::broken(NAME, "it does not begin with a header chunk"));
        };
        let width = u32::from_be_bytes([*w3, *w2, *w1, *w0]);
        let height = u32::from_be_bytes([*h3, *h2, *h1, *h0]);
        limits.check(width, height)?;
        let (stored, shown, alpha) = match (colour, depth) {
            (0, 1 | 2 | 4 | 8 | 16) => (1, 1, false),
            (2, 8 | 16) => (3, 3, false),
            (3, 1 | 2 | 4 | 8) => (1, 3, false),
            (4, 8 | 16) => (2, 2, true),
            (6, 8 | 16) => (4, 4, true),
            _ => {
                return Err(PictureError::broken(NAME, "its header names a colour type that does not exist"));
            }
        };
        Ok(Self {
            width,
            height,
            depth: u64::from(*depth),
            stored,
            shown,
            alpha,
            interlaced: *interlace != 0,
        })
    }

    /// Bytes of a pixel as the decoder gives it.
    fn pixel(&self, transparent: bool) -> u64 {
        (self.shown + u64::from(transparent && !self.alpha)) * self.depth.div_ceil(8)
    }

    /// What the decoder holds beside the pixels: a window over unpacked rows that grows by doubling, the row before, and
    /// the row that an interlaced file spreads.
    fn working(&self, transparent: bool) -> u64 {
        let (width, height) = (u64::from(self.width), u64::from(self.height));
        let row = 1 + (width * self.stored * self.depth).div_ceil(8);
        // The passes of an interlaced file have up to twice as many rows, each with a filter and a part of a byte more.
        let all = row * height + if self.interlaced { 4 * height } else { 0 };
        let window = all.min(8 * row + (1 << 18));
        3 * window + 2 * row + if self.interlaced { 2 * width * self.pixel(transparent) } else { 0 }
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
