//! The walk over a JPEG file's segments (ITU-T T.81, annex B).
//!
//! The decoder paints what is missing of a cut file grey and calls it a success, so this walk insists on the
//! end-of-image marker. Bytes after it, such as the video of a moving photo or an archive, are ignored.

use super::PictureError;
use super::header::{Container, Limits, Outline};

pub(super) const NAME: &str = "JPEG";

pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, PictureError> {
    let (mut frame, mut exif, mut first_scan) = (None, None, None);
    let mut segments = Segments { bytes, at: 2, ended: false };
    for segment in &mut segments {
        let Segment { marker, payload, .. } = segment?;
        match marker {
            0xC0..=0xCF if !matches!(marker, HUFFMAN | EXTENSION | ARITHMETIC) && frame.is_none() => {
                frame = Some(Frame::read(marker, payload, limits)?);
            }
            APP1 if exif.is_none() => exif = payload.strip_prefix(b"Exif\0\0"),
            SCAN if first_scan.is_none() => first_scan = Some(payload.first().copied().unwrap_or(0)),
            _ => {}
        }
    }
    match (frame, first_scan) {
        (Some(frame), Some(first_scan)) => Ok(Outline {
            container: Container::Jpeg,
            width: frame.width,
            height: frame.height,
            exif,
            length: segments.at,
            pixel: if frame.components().len() == 1 { 1 } else { 3 },
            working: frame.working(first_scan),
        }),
        _ => Err(PictureError::broken(NAME, "it holds no pixels")),
    }
}

/// The file with nothing but what decoding needs: the frame, the tables, the scans, and Adobe's word about the colours.
/// Segments follow one another without a gap, so that the decoder sees the ones that [`outline`] saw.
pub(super) fn essential(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    out.extend([0xFF, START]);
    let (mut components, mut scanning) = (None, false);
    for segment in (Segments { bytes, at: 2, ended: false }).map_while(Result::ok) {
        if scanning {
            out.extend(segment.before);
        }
        let keep = match segment.marker {
            SCAN | HUFFMAN | QUANTISATION | RESTARTS => true,
            FRAME_FIRST..=FRAME_LAST if components.is_none() => {
                components = segment.payload.get(5);
                true
            }
            // Grey has no colours to say anything about; the decoder would take it for ink.
            ADOBE => components != Some(&1),
            // Frames of a film, which leave their tables out.
            APP0 => segment.payload.starts_with(b"AVI1\0"),
            _ => false,
        };
        scanning |= segment.marker == SCAN;
        if keep {
            out.extend([0xFF, segment.marker]);
            out.extend((segment.payload.len() as u16 + 2).to_be_bytes());
            out.extend(segment.payload);
        }
    }
    out.extend([0xFF, END]);
    out
}

const FRAME_FIRST: u8 = 0xC0;
const PROGRESSIVE: u8 = 0xC2;
const FRAME_LAST: u8 = PROGRESSIVE;
const HUFFMAN: u8 = 0xC4;
const EXTENSION: u8 = 0xC8;
const ARITHMETIC: u8 = 0xCC;
const TEMPORARY: u8 = 0x01;
const START: u8 = 0xD8;
const END: u8 = 0xD9;
const SCAN: u8 = 0xDA;
const QUANTISATION: u8 = 0xDB;
const RESTARTS: u8 = 0xDD;
const APP0: u8 = 0xE0;
const APP1: u8 = 0xE1;
const ADOBE: u8 = 0xEE;

struct Segment<'a> {
    marker: u8,
    /// What lies between the end of the segment before and the marker: entropy-coded data, or nothing of meaning.
    before: &'a [u8],
    payload: &'a [u8],
}

/// The segments after the start-of-image marker, up to the end-of-image marker and with it.
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
    ended: bool,
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<Segment<'a>, PictureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let found = self.read();
        self.ended = found.as_ref().map_or(true, |segment| segment.marker == END);
        Some(found)
    }
}

impl<'a> Segments<'a> {
    fn read(&mut self) -> Result<Segment<'a>, PictureError> {
        let (marker, body) = next_marker(self.bytes, self.at).ok_or_else(|| PictureError::truncated(NAME))?;
        let before = &self.bytes[self.at..body - 2];
        let (payload, end): (&[u8], _) = match marker {
            END | START | TEMPORARY => (&[], body),
            _ => {
                let payload = segment(self.bytes, body)?;
                (payload, body + 2 + payload.len())
            }
        };
        self.at = end;
        Ok(Segment { marker, before, payload })
    }
}

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

/// What a frame header says.
struct Frame {
    progressive: bool,
    width: u32,
    height: u32,
    /// Samples across and down in a unit of the picture, one pair for each component.
    sampling: [(u64, u64); 4],
    count: usize,
}

impl Frame {
    /// The size is checked first, so that a giant is told to be one whatever else it is.
    fn read(marker: u8, payload: &[u8], limits: &Limits) -> Result<Self, PictureError> {
        let [precision, h1, h0, w1, w0, count, parts @ ..] = payload else {
            return Err(PictureError::broken(NAME, "its frame header is too short"));
        };
        let (width, height) = (u16::from_be_bytes([*w1, *w0]).into(), u16::from_be_bytes([*h1, *h0]).into());
        limits.check(width, height)?;
        if *precision != 8 || !(FRAME_FIRST..=FRAME_LAST).contains(&marker) {
            let reason = "only baseline and progressive files of 8 bits are read";
            return Err(PictureError::broken(NAME, reason));
        }
        let count = usize::from(*count);
        if !matches!(count, 1 | 3 | 4) || parts.len() != 3 * count {
            return Err(PictureError::broken(NAME, "only files with 1, 3 or 4 components are read"));
        }
        let mut sampling = [(1, 1); 4];
        for (place, part) in sampling.iter_mut().zip(parts.chunks(3)) {
            *place = (u64::from(part[1] >> 4), u64::from(part[1] & 15));
            if !(1..=4).contains(&place.0) || !(1..=4).contains(&place.1) {
                return Err(PictureError::broken(NAME, "its sampling factors are not within 1 to 4"));
            }
        }
        Ok(Self { progressive: marker == PROGRESSIVE, width, height, sampling, count })
    }

    fn components(&self) -> &[(u64, u64)] {
        &self.sampling[..self.count]
    }

    /// What the decoder holds beside the pixels: rows of samples, of what they are enlarged to and of their neighbours, and
    /// every coefficient where the components do not come together.
    fn working(&self, first_scan: u8) -> u64 {
        let widest = |side: fn(&(u64, u64)) -> u64| self.components().iter().map(side).max().unwrap_or(1);
        let (h_max, v_max) = (widest(|c| c.0), widest(|c| c.1));
        let across = u64::from(self.width).div_ceil(8 * h_max);
        let down = u64::from(self.height).div_ceil(8 * v_max);
        let rows = self.components().iter().map(|(h, v)| {
            let enlarged = (h_max / h) * (v_max / v);
            8 * across * h * (8 + (26 + enlarged) * v + 32 * enlarged)
        });
        let apart = self.progressive || usize::from(first_scan) < self.count;
        let coefficients = self.components().iter().map(|(h, v)| 64 * across * down * h * v);
        // Samples and coefficients have two bytes.
        2 * (rows.sum::<u64>() + if apart { coefficients.sum() } else { 0 })
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
