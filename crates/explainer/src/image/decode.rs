//! The pixels of a file, upright, eight bits, red, green, blue.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, RgbImage};

use super::PictureError;
use super::header::{Limits, Outline, outline};

/// A picture as it is displayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pixels: RgbImage,
    orientation: u8,
}

impl Picture {
    /// A picture whose pixels are upright already.
    pub fn new(pixels: RgbImage) -> Self {
        Self { pixels, orientation: 1 }
    }

    /// Width as displayed, in pixels.
    pub fn width(&self) -> u32 {
        self.pixels.width()
    }

    /// Height as displayed, in pixels.
    pub fn height(&self) -> u32 {
        self.pixels.height()
    }

    /// EXIF orientation of the file, 1 to 8; the pixels have been turned by it.
    pub fn orientation(&self) -> u8 {
        self.orientation
    }

    /// The pixels as displayed.
    pub fn pixels(&self) -> &RgbImage {
        &self.pixels
    }
}

/// Decodes a JPEG, PNG or WebP file.
///
/// Grey becomes red = green = blue and sixteen bits are rounded to eight. Transparent pixels are laid over white, because
/// that is what a viewer shows on a page: the model judges what a person would see.
///
/// # Errors
/// As [`inspect`](super::inspect), and [`PictureError::Broken`] where the pixels cannot be decoded.
///
/// # Examples
/// ```
/// use unmask_explainer::image::{Limits, PictureError, decode};
///
/// let mut file = std::io::Cursor::new(Vec::new());
/// image::RgbImage::from_pixel(32, 24, image::Rgb([200, 150, 120])).write_to(&mut file, image::ImageFormat::Png)?;
/// let picture = decode(file.get_ref(), &Limits::default())?;
/// assert_eq!((picture.width(), picture.height()), (32, 24));
/// assert_eq!(decode(b"not a picture", &Limits::default()), Err(PictureError::UnknownFormat));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, PictureError> {
    decode_by(bytes, limits, library)
}

/// As [`decode`], with another library.
fn decode_by(
    bytes: &[u8],
    limits: &Limits,
    library: impl FnOnce(&Outline<'_>, Vec<u8>) -> Result<DynamicImage, PictureError>,
) -> Result<Picture, PictureError> {
    let outline = outline(bytes, limits)?;
    let file = outline.essential(bytes);
    // A panic is a fault of the library, but the file that finds it is the caller's: nobody else's answer depends on it, and
    // what it says is for the log of the process and not for the caller.
    let decoded = catch_unwind(AssertUnwindSafe(|| library(&outline, file)));
    let decoded = decoded.unwrap_or_else(|_| {
        Err(PictureError::broken(outline.container.name(), "its decoder gave up on it"))
    })?;
    let mut upright = DynamicImage::ImageRgb8(opaque(decoded));
    let orientation = outline.orientation();
    upright.apply_orientation(Orientation::from_exif(orientation).unwrap_or(Orientation::NoTransforms));
    Ok(Picture { pixels: upright.into_rgb8(), orientation })
}

fn library(outline: &Outline<'_>, file: Vec<u8>) -> Result<DynamicImage, PictureError> {
    let name = outline.container.name();
    let broken = |reason: image::ImageError| PictureError::broken(name, reason);
    let mut reader = ImageReader::with_format(Cursor::new(file), outline.container.format());
    let mut allowed = image::Limits::no_limits();
    allowed.max_image_width = Some(outline.width);
    allowed.max_image_height = Some(outline.height);
    allowed.max_alloc = Some(outline.decoding_bytes());
    reader.limits(allowed);
    let decoder = reader.into_decoder().map_err(broken)?;
    if decoder.dimensions() != (outline.width, outline.height) {
        return Err(PictureError::broken(name, "its headers disagree about its size"));
    }
    if u64::from(decoder.color_type().bytes_per_pixel()) > outline.pixel {
        return Err(PictureError::broken(name, "its headers disagree about its colours"));
    }
    DynamicImage::from_decoder(decoder).map_err(broken)
}

/// Eight bits of red, green and blue, laid over white where there is transparency. Pixels that have that form are not copied.
fn opaque(image: DynamicImage) -> RgbImage {
    let (width, height) = (image.width(), image.height());
    let data = match &image {
        DynamicImage::ImageRgb8(_) => return image.into_rgb8(),
        DynamicImage::ImageLuma8(from) => over_white(from, |[v]| [v, v, v, u8::MAX], u8::MAX),
        DynamicImage::ImageLumaA8(from) => over_white(from, |[v, a]| [v, v, v, a], u8::MAX),
        DynamicImage::ImageRgba8(from) => over_white(from, |rgba: [u8; 4]| rgba, u8::MAX),
        DynamicImage::ImageLuma16(from) => over_white(from, |[v]| [v, v, v, u16::MAX], u16::MAX),
        DynamicImage::ImageLumaA16(from) => over_white(from, |[v, a]| [v, v, v, a], u16::MAX),
        DynamicImage::ImageRgb16(from) => over_white(from, |[r, g, b]| [r, g, b, u16::MAX], u16::MAX),
        DynamicImage::ImageRgba16(from) => over_white(from, |rgba: [u16; 4]| rgba, u16::MAX),
        // Floats, which none of the formats holds, and what the library may add.
        DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_) | _ => return image.into_rgb8(),
    };
    RgbImage::from_raw(width, height, data).expect("three values were written for each pixel")
}

/// The samples, `N` a pixel, widened to red, green, blue and alpha of 0 to `top` and blended.
fn over_white<T: Copy + Into<u64>, const N: usize>(
    samples: &[T],
    widen: impl Fn([T; N]) -> [T; 4],
    top: T,
) -> Vec<u8> {
    let top = top.into();
    let blend = |value: T, alpha: T| {
        let (value, alpha) = (value.into(), alpha.into());
        // The blend has the scale top * top; dividing once rounds once.
        (((value * alpha + top * (top - alpha)) * 255 + top * top / 2) / (top * top)) as u8
    };
    let (pixels, _) = samples.as_chunks::<N>();
    let mut out = Vec::with_capacity(3 * pixels.len());
    for pixel in pixels {
        let [r, g, b, alpha] = widen(*pixel);
        out.extend([blend(r, alpha), blend(g, alpha), blend(b, alpha)]);
    }
    out
}

#[cfg(test)]
mod tests {
    use image::{GrayAlphaImage, GrayImage, ImageBuffer, Luma, LumaA, Rgb, Rgba, RgbaImage};
    use unmask_core::Draws;

    use super::super::{inspect, samples};
    use super::*;

    fn picture(image: impl Into<DynamicImage>) -> RgbImage {
        let bytes = samples::encode(image.into(), image::ImageFormat::Png, None);
        decode(&bytes, &Limits { min_side: 1, ..Limits::default() }).unwrap().pixels
    }

    #[test]
    fn grey_becomes_equal_channels() {
        assert_eq!(picture(GrayImage::from_pixel(2, 2, Luma([77])))[(1, 1)], Rgb([77; 3]));
    }

    #[test]
    fn transparency_shows_white() {
        assert_eq!(picture(GrayAlphaImage::from_pixel(2, 2, LumaA([77, 0])))[(0, 0)], Rgb([255; 3]));
        assert_eq!(picture(GrayAlphaImage::from_pixel(2, 2, LumaA([77, 255])))[(0, 0)], Rgb([77; 3]));
        // 255 - (255 - 100) * 102 / 255 = 193
        assert_eq!(picture(GrayAlphaImage::from_pixel(2, 2, LumaA([100, 102])))[(0, 0)], Rgb([193; 3]));
        assert_eq!(
            picture(RgbaImage::from_pixel(2, 2, Rgba([0, 100, 255, 102])))[(0, 0)],
            Rgb([153, 193, 255])
        );
    }

    #[test]
    fn sixteen_bits_are_rounded_not_cut() {
        let deep = |v: u16| ImageBuffer::<Luma<u16>, _>::from_pixel(2, 2, Luma([v]));
        for (value, expected) in [(0, 0), (128, 0), (129, 1), (32_767, 127), (32_768, 128), (65_535, 255)] {
            assert_eq!(picture(deep(value))[(0, 0)], Rgb([expected; 3]), "{value}");
        }
        let half = ImageBuffer::<Rgba<u16>, Vec<u16>>::from_pixel(2, 2, Rgba([0, 25_700, 65_535, 26_214]));
        assert_eq!(picture(half)[(0, 0)], Rgb([153, 193, 255]));
        let grey = ImageBuffer::<LumaA<u16>, Vec<u16>>::from_pixel(2, 2, LumaA([25_700, 26_214]));
        assert_eq!(picture(grey)[(0, 0)], Rgb([193; 3]));
    }

    #[test]
    fn a_single_pixel_decodes_where_the_limits_allow_it() {
        let limits = Limits { min_side: 0, ..Limits::default() };
        for (name, bytes) in samples::every_format(1, 1, None) {
            assert_eq!(decode(&bytes, &limits).unwrap().pixels.dimensions(), (1, 1), "{name}");
        }
    }

    #[test]
    fn every_format_gives_its_pixels() {
        let expected = samples::pattern(24, 17);
        for (name, bytes) in samples::every_format(24, 17, None) {
            let found = decode(&bytes, &Limits::default()).unwrap().pixels;
            let worst =
                found.as_raw().iter().zip(expected.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(worst <= if name == "JPEG" { 40 } else { 0 }, "{name}: {worst}");
        }
    }

    #[test]
    fn no_cut_of_a_file_is_taken_for_a_picture() {
        let mut files = samples::every_format(24, 17, Some(6));
        files.extend([("WebP", samples::lossy_webp()), ("JPEG", samples::progressive_jpeg())]);
        for (name, bytes) in files {
            assert!(decode(&bytes, &Limits::default()).is_ok(), "{name}");
            for length in 0..bytes.len() {
                let error = decode(&bytes[..length], &Limits::default()).unwrap_err();
                let cut = matches!(&error, PictureError::Broken { format, .. } if *format == name);
                let unrecognised = matches!(error, PictureError::Empty | PictureError::UnknownFormat);
                assert!(cut || (length < 12 && unrecognised), "{name} cut to {length} bytes: {error}");
            }
        }
    }

    #[test]
    fn the_decoders_agree_about_the_orientation() {
        for orientation in 1..=8 {
            for (name, bytes) in samples::every_format(24, 17, Some(orientation)) {
                let format = outline(&bytes, &Limits::default()).unwrap().container.format();
                let mut decoder =
                    ImageReader::with_format(Cursor::new(bytes.as_slice()), format).into_decoder().unwrap();
                assert_eq!(decoder.orientation().unwrap().to_exif(), orientation, "{name}");
                assert_eq!(decode(&bytes, &Limits::default()).unwrap().orientation(), orientation, "{name}");
            }
        }
    }

    // Small limits keep a mutated header from asking for real memory; the point is that every input gets an answer.
    #[test]
    fn damaged_and_random_bytes_get_an_answer() {
        let limits = Limits { max_pixels: 4_096, min_side: 1 };
        let mut files = samples::every_format(24, 17, Some(6));
        files.extend([("WebP", samples::lossy_webp()), ("JPEG", samples::progressive_jpeg())]);
        for (file, (_, bytes)) in files.iter().enumerate() {
            for index in 0..300 {
                let mut draws = Draws::new(file as u64, index);
                let mut damaged = bytes.clone();
                for _ in 0..=draws.below(6) {
                    let at = draws.below(damaged.len() as u32) as usize;
                    damaged[at] = draws.word() as u8;
                }
                answers(&damaged, &limits);
            }
        }
        for index in 0..300 {
            let mut draws = Draws::new(99, index);
            let mut noise = files[index as usize % files.len()].1[..12].to_vec();
            noise.extend((0..draws.below(300)).map(|_| draws.word() as u8));
            answers(&noise, &limits);
            answers(&noise[12..], &limits);
        }
    }

    #[test]
    fn what_the_decoder_finds_is_what_the_header_has_announced() {
        for (name, bytes) in samples::every_format(24, 17, None) {
            let found = outline(&bytes, &Limits::default()).unwrap();
            let read = |announced: Outline<'_>| library(&announced, announced.essential(&bytes));
            assert!(read(found).is_ok(), "{name}");
            for (width, height) in [(25, 17), (24, 18), (23, 17), (24, 16)] {
                let error = read(Outline { width, height, ..found }).unwrap_err();
                assert!(
                    matches!(error, PictureError::Broken { .. }),
                    "{name} of {width} x {height}: {error}"
                );
            }
            let error = read(Outline { pixel: found.pixel - 1, ..found }).unwrap_err();
            let reason = "its headers disagree about its colours";
            assert_eq!(error, PictureError::broken(found.container.name(), reason), "{name}");
        }
    }

    #[test]
    fn a_panic_of_a_decoder_is_the_files_fault() {
        for (name, bytes) in samples::every_format(24, 17, None) {
            let error = decode_by(&bytes, &Limits::default(), |_, _| panic!("at 0xdeadbeef")).unwrap_err();
            assert_eq!(error, PictureError::broken(name, "its decoder gave up on it"));
        }
    }

    fn answers(bytes: &[u8], limits: &Limits) {
        match (inspect(bytes, limits), decode(bytes, limits)) {
            (Ok(header), Ok(picture)) => {
                assert_eq!((header.width, header.height), (picture.width(), picture.height()));
            }
            (Ok(_), Err(error)) => assert!(matches!(error, PictureError::Broken { .. }), "{error}"),
            (Err(refused), decoded) => assert_eq!(Err(refused), decoded),
        }
    }
}
