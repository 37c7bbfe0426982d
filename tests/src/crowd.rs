//! A picture with several people in it, of the samples that ship.

use std::io::Cursor;

use image::imageops::{FilterType, flip_horizontal, replace, resize};
use image::{Rgb, RgbImage};

use crate::sample;

/// What lies between the faces.
pub const GREY: Rgb<u8> = Rgb([128; 3]);

/// A sample's pixels.
///
/// # Panics
/// When it is no picture.
pub fn read(name: &str) -> RgbImage {
    image::load_from_memory(&sample(name)).expect("samples are pictures").to_rgb8()
}

/// A picture as PNG.
///
/// # Panics
/// When it cannot be encoded.
pub fn file(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a picture in memory");
    bytes.into_inner()
}

/// The picture turned about its middle, on grey.
pub fn tilted(picture: &RgbImage, degrees: f64) -> RgbImage {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let middle = f64::from(picture.width()) / 2.0;
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let (x, y) = (f64::from(x) + 0.5 - middle, f64::from(y) + 0.5 - middle);
        let (x, y) = (cos * x + sin * y + middle, cos * y - sin * x + middle);
        let inside = |v: f64| v >= 0.0 && v < 2.0 * middle;
        if inside(x) && inside(y) { *picture.get_pixel(x as u32, y as u32) } else { GREY }
    })
}

/// Left, top and side of each face's square: what the detector expects of it, the largest first.
pub const SQUARES: [(u32, u32, u32); 4] = [(330, 60, 240), (40, 320, 180), (60, 60, 128), (660, 400, 96)];

/// Four faces of one person at several sizes: with other eyes and flipped, tilted, with another mouth, small.
pub fn crowd() -> RgbImage {
    together(&[
        flip_horizontal(&read("astronaut-eyes.png")),
        tilted(&read("astronaut-real.png"), 15.0),
        read("astronaut-mouth.png"),
        read("astronaut-real.png"),
    ])
}

/// Four faces in their squares.
pub fn together(pictures: &[RgbImage; 4]) -> RgbImage {
    let mut canvas = RgbImage::from_pixel(840, 560, GREY);
    for (picture, (x, y, side)) in pictures.iter().zip(SQUARES) {
        let picture = resize(picture, side, side, FilterType::Triangle);
        replace(&mut canvas, &picture, x.into(), y.into());
    }
    canvas
}

/// The picture as PNG stored turned, with an orientation that shows it upright: 6 or 8.
///
/// # Panics
/// When it cannot be encoded.
pub fn stored(picture: &RgbImage, orientation: u8) -> Vec<u8> {
    use image::ImageEncoder as _;
    use image::imageops::{rotate90, rotate270};
    // Orientation 6 is shown turned to the right, 8 to the left.
    let stored = if orientation == 6 { rotate270(picture) } else { rotate90(picture) };
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    encoder.set_exif_metadata(exif).expect("PNG holds it");
    let (width, height) = stored.dimensions();
    encoder.write_image(&stored, width, height, image::ExtendedColorType::Rgb8).expect("a picture in memory");
    bytes
}

/// The shared area of two boxes (left, top, right, bottom) over that of both.
pub fn iou(a: [f64; 4], b: [f64; 4]) -> f64 {
    let area = |c: [f64; 4]| (c[2] - c[0]).max(0.0) * (c[3] - c[1]).max(0.0);
    let shared = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    shared / (area(a) + area(b) - shared)
}
