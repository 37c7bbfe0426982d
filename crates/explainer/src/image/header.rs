//! What a file says of itself, before a pixel is decoded.
//!
//! The three walks share one result, [`Outline`]; each checks the size as soon as it has read it, so that a giant is
//! refused by its first bytes.

use image::ImageFormat;
use image::metadata::Orientation;

use super::{PictureError, jpeg, png, webp};

/// How large and how small a picture may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels, width times height.
    pub max_pixels: u64,
    /// Shortest side, in pixels.
    pub min_side: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: 25_000_000, min_side: 16 }
    }
}

/// What a file's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Width as displayed, in pixels.
    pub width: u32,
    /// Height as displayed, in pixels.
    pub height: u32,
    /// EXIF orientation, 1 to 8; 1 where the file has none.
    pub orientation: u8,
    decoding_bytes: u64,
}

impl Header {
    /// Most bytes that [`decode`](super::decode) holds at the same moment for this file, beyond the file itself: what the
    /// decoder allocates, the pixels in the decoder's form and in ours, the turned copy, and the picture that is returned.
    pub fn decoding_bytes(&self) -> u64 {
        self.decoding_bytes
    }
}

/// Checks a file's container and says the picture's size and what decoding it takes, without decoding a pixel or allocating
/// for one.
///
/// # Errors
/// [`PictureError`] for bytes that are empty, of an unknown format, animated, cut short, or of a size outside the limits.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Header, PictureError> {
    let outline = outline(bytes, limits)?;
    let orientation = outline.orientation();
    let (width, height) = upright(outline.width, outline.height, orientation);
    Ok(Header { width, height, orientation, decoding_bytes: outline.decoding_bytes() })
}

/// Width and height under an orientation; its own inverse.
pub(super) fn upright(width: u32, height: u32, orientation: u8) -> (u32, u32) {
    if orientation >= 5 { (height, width) } else { (width, height) }
}

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Jpeg,
    Png,
    WebP,
}

impl Container {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Jpeg => jpeg::NAME,
            Self::Png => png::NAME,
            Self::WebP => webp::NAME,
        }
    }

    pub(super) fn format(self) -> ImageFormat {
        match self {
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::WebP => ImageFormat::WebP,
        }
    }
}

/// What a walk over a container finds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outline<'a> {
    /// What the file is.
    pub(super) container: Container,
    /// Width as stored.
    pub(super) width: u32,
    /// Height as stored.
    pub(super) height: u32,
    /// The TIFF structure with the orientation, if any.
    pub(super) exif: Option<&'a [u8]>,
    /// Bytes that belong to the picture; what follows is ignored.
    pub(super) length: usize,
    /// Bytes of a pixel as the decoder gives it.
    pub(super) pixel: u64,
    /// Bytes that the decoder holds while it writes pixels, beside them and the file.
    pub(super) working: u64,
}

/// What any decoder may hold however small the picture is: prefix codes, windows, rows of a few pixels.
const TABLES: u64 = 1 << 19;

/// Bytes of a pixel of ours.
const OURS: u64 = 3;

impl Outline<'_> {
    pub(super) fn orientation(&self) -> u8 {
        self.exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms).to_exif()
    }

    /// The dearest of the steps of `decode`, each of which ends before the next begins.
    pub(super) fn decoding_bytes(&self) -> u64 {
        let (pixels, length) = (u64::from(self.width) * u64::from(self.height), self.length as u64);
        // Ours is beside the file's, and some decoders copy that once more when they are opened.
        let opened = 2 * length;
        let decoded = length + self.pixel * pixels + self.working;
        let converted = if self.pixel == OURS { 0 } else { (self.pixel + OURS) * pixels };
        let turned = if self.orientation() >= 5 { 2 * OURS * pixels } else { 0 };
        TABLES + opened.max(decoded).max(converted).max(turned)
    }

    /// The file without what says nothing about its pixels: text, profiles, previews, bytes after the end. No decoder sees
    /// those, so that none can unpack or collect them.
    pub(super) fn essential(&self, bytes: &[u8]) -> Vec<u8> {
        let bytes = &bytes[..self.length];
        match self.container {
            Container::Jpeg => jpeg::essential(bytes),
            Container::Png => png::essential(bytes),
            Container::WebP => webp::essential(bytes),
        }
    }
}

pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, PictureError> {
    match bytes {
        [] => Err(PictureError::Empty),
        [0xFF, 0xD8, 0xFF, ..] => jpeg::outline(bytes, limits),
        _ if bytes.starts_with(png::SIGNATURE) => png::outline(bytes, limits),
        _ if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") => webp::outline(bytes, limits),
        _ => Err(PictureError::UnknownFormat),
    }
}

impl Limits {
    pub(super) fn check(&self, width: u32, height: u32) -> Result<(), PictureError> {
        let min = self.min_side.max(1);
        if width < min || height < min {
            return Err(PictureError::TooSmall { width, height, min });
        }
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(PictureError::TooLarge { width, height, max_pixels: self.max_pixels });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn no_bytes_and_foreign_bytes_are_told_apart() {
        let inspect = |bytes: &[u8]| inspect(bytes, &Limits::default()).unwrap_err();
        assert_eq!(inspect(b""), PictureError::Empty);
        for foreign in [
            &b"just a line of text\n"[..],
            b"GIF89a\x10\0\x10\0",
            b"RIFF\x04\0\0\0WAVE",
            b"\xFF\xD8",
            b"\x89",
        ] {
            assert_eq!(inspect(foreign), PictureError::UnknownFormat);
        }
    }

    #[test]
    fn the_header_gives_the_displayed_size() {
        for (name, bytes) in samples::every_format(24, 17, Some(6)) {
            let header = inspect(&bytes, &Limits::default()).unwrap();
            assert_eq!((header.width, header.height, header.orientation), (17, 24, 6), "{name}");
        }
        for (name, bytes) in samples::every_format(24, 17, None) {
            let header = inspect(&bytes, &Limits::default()).unwrap();
            assert_eq!((header.width, header.height, header.orientation), (24, 17, 1), "{name}");
        }
    }

    #[test]
    fn bounds_are_allowed_and_one_beyond_is_refused() {
        let limits = Limits { max_pixels: 408, min_side: 17 };
        for (name, bytes) in samples::every_format(24, 17, None) {
            assert!(inspect(&bytes, &limits).is_ok(), "{name}");
        }
        for (name, bytes) in samples::every_format(25, 17, None) {
            let error = PictureError::TooLarge { width: 25, height: 17, max_pixels: 408 };
            assert_eq!(inspect(&bytes, &limits), Err(error), "{name}");
        }
        for (name, bytes) in samples::every_format(24, 16, None) {
            let error = PictureError::TooSmall { width: 24, height: 16, min: 17 };
            assert_eq!(inspect(&bytes, &limits), Err(error), "{name}");
        }
        assert!(matches!(
            inspect(&samples::png(1, 1), &Limits::default()),
            Err(PictureError::TooSmall { .. })
        ));
    }

    #[test]
    fn a_giant_is_refused_by_its_first_bytes() {
        let mut giant = samples::png(16, 16);
        giant[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
        let error = inspect(&giant[..33], &Limits::default()).unwrap_err();
        assert_eq!(error, PictureError::TooLarge { width: 30_000, height: 30_000, max_pixels: 25_000_000 });
        assert_eq!(
            error.to_string(),
            "the picture is 30000 x 30000 pixels, at most 25000000 in all are allowed: scale it down"
        );
        giant[16..24].fill(0xFF);
        assert!(matches!(inspect(&giant, &Limits::default()), Err(PictureError::TooLarge { .. })));
    }

    #[test]
    fn animations_are_refused() {
        let error = inspect(&samples::animated_png(), &Limits::default()).unwrap_err();
        assert_eq!(error, PictureError::Animated { format: "PNG" });
        let error = inspect(&samples::animated_webp(), &Limits::default()).unwrap_err();
        assert_eq!(error, PictureError::Animated { format: "WebP" });
    }

    #[test]
    fn an_orientation_out_of_range_counts_as_none() {
        for (name, bytes) in samples::every_format(24, 17, Some(9)) {
            assert_eq!(inspect(&bytes, &Limits::default()).unwrap().orientation, 1, "{name}");
        }
    }
}
