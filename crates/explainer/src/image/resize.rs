//! A crop brought to the model's size, exactly as the model's training did it.
//!
//! With antialias the result is Pillow's, to a grey level: a kernel that widens when it shrinks, first across, then down,
//! with eight bits in between. Without it the result is that of OpenCV and of torchvision's `antialias=False`: a fixed
//! kernel over repeated edges, rounded once at the end. Neither ever sees a pixel outside the crop.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use unmask_core::Resize;

use super::Rect;

/// Brings the crop of a picture to `size` (width, height); where the size is right already, pixels are copied.
pub(crate) fn resize(
    pixels: &RgbImage,
    crop: Rect,
    size: (u32, u32),
    filter: Resize,
    antialias: bool,
) -> RgbImage {
    if (crop.width, crop.height) == size {
        return image::imageops::crop_imm(pixels, crop.x, crop.y, crop.width, crop.height).to_image();
    }
    let kernel = match filter {
        Resize::Nearest => return nearest(pixels, crop, size),
        Resize::Bilinear => Kernel { radius: 1, weight: |x| 1.0 - x, smooth: FilterType::Bilinear },
        Resize::Bicubic => Kernel { radius: 2, weight: cubic, smooth: FilterType::CatmullRom },
        Resize::Lanczos3 => Kernel { radius: 3, weight: lanczos, smooth: FilterType::Lanczos3 },
    };
    if antialias {
        convolve(pixels, crop, size, kernel.smooth)
    } else {
        interpolate(pixels, crop, size, &kernel)
    }
}

struct Kernel {
    /// Pixels on either side that the fixed kernel reaches.
    radius: i64,
    /// Weight at a distance below the radius, for the fixed kernel.
    weight: fn(f64) -> f64,
    /// The kernel that widens.
    smooth: FilterType,
}

/// Keys's cubic with a = -0.75, the choice of OpenCV and torch.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.75;
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    }
}

fn lanczos(x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { x.sin() / x };
    sinc(std::f64::consts::PI * x) * sinc(std::f64::consts::PI * x / 3.0)
}

/// The pixel that holds the centre; whole numbers decide ties the same way everywhere.
fn nearest(pixels: &RgbImage, crop: Rect, size: (u32, u32)) -> RgbImage {
    let source = |i: u32, from: u32, to: u32| {
        // Below `from`, since 2 i + 1 < 2 to.
        ((2 * u64::from(i) + 1) * u64::from(from) / (2 * u64::from(to))) as u32
    };
    RgbImage::from_fn(size.0, size.1, |x, y| {
        pixels[(crop.x + source(x, crop.width, size.0), crop.y + source(y, crop.height, size.1))]
    })
}

/// Two passes with rounding and clipping between them, across and then down: Pillow's order, except that its version 13
/// turns it round where a picture loses far more rows than columns, which moves steep edges by a few grey levels.
fn convolve(pixels: &RgbImage, crop: Rect, size: (u32, u32), filter: FilterType) -> RgbImage {
    let across = pass(pixels, crop, (size.0, crop.height), filter);
    pass(&across, Rect::whole(size.0, crop.height), size, filter)
}

/// The typed interface keeps the twelve pixel types that are not used, each in every instruction set, out of the build.
fn pass(pixels: &RgbImage, crop: Rect, size: (u32, u32), filter: FilterType) -> RgbImage {
    const FITS: &str = "the crop lies in the picture and buffers hold three bytes a pixel";
    let whole = TypedImageRef::<U8x3>::from_buffer(pixels.width(), pixels.height(), pixels).expect(FITS);
    let source = TypedCroppedImage::from_ref(&whole, crop.x, crop.y, crop.width, crop.height).expect(FITS);
    let mut resized = RgbImage::new(size.0, size.1);
    let mut target = TypedImage::<U8x3>::from_buffer(size.0, size.1, &mut resized).expect(FITS);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Resizer::new().resize_typed(&source, &mut target, &options).expect(FITS);
    resized
}

fn interpolate(pixels: &RgbImage, crop: Rect, size: (u32, u32), kernel: &Kernel) -> RgbImage {
    let exact = exact(pixels, crop, size, kernel);
    // The cast saturates, which clips what a cubic overshoots.
    RgbImage::from_fn(size.0, size.1, |x, y| image::Rgb(exact(x, y).map(|s| s.round() as u8)))
}

/// The interpolated colour of each target pixel, before it is rounded.
fn exact(pixels: &RgbImage, crop: Rect, size: (u32, u32), kernel: &Kernel) -> impl Fn(u32, u32) -> [f64; 3] {
    let across: Vec<_> = (0..size.0).map(|x| taps(x, crop.width, size.0, kernel)).collect();
    let down: Vec<_> = (0..size.1).map(|y| taps(y, crop.height, size.1, kernel)).collect();
    move |x, y| {
        let mut sum = [0.0f64; 3];
        for (row, outer) in &down[y as usize] {
            for (column, inner) in &across[x as usize] {
                let pixel = pixels[(crop.x + column, crop.y + row)];
                sum.iter_mut().zip(pixel.0).for_each(|(s, v)| *s += outer * inner * f64::from(v));
            }
        }
        sum
    }
}

/// The pixels that the kernel reaches from target pixel `i`, edges repeated, and their weights, which sum to one.
fn taps(i: u32, from: u32, to: u32, kernel: &Kernel) -> Vec<(u32, f64)> {
    let centre = (f64::from(i) + 0.5) * f64::from(from) / f64::from(to) - 0.5;
    let first = centre.floor() as i64 - kernel.radius + 1;
    let last = i64::from(from) - 1;
    let reach = first..first + 2 * kernel.radius;
    let mut taps: Vec<(u32, f64)> =
        reach.map(|p| (p.clamp(0, last) as u32, (kernel.weight)((p as f64 - centre).abs()))).collect();
    let total: f64 = taps.iter().map(|tap| tap.1).sum();
    taps.iter_mut().for_each(|tap| tap.1 /= total);
    taps
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    const WHOLE: Rect = Rect { x: 0, y: 0, width: 9, height: 7 };
    const PART: Rect = Rect { x: 2, y: 1, width: 6, height: 5 };
    const CORNER: Rect = Rect { x: 2, y: 1, width: 4, height: 3 };

    #[track_caller]
    fn check(filter: Resize, antialias: bool, crop: Rect, size: (u32, u32), expected: &[u8]) {
        let found = resize(&samples::pattern(9, 7), crop, size, filter, antialias);
        assert_eq!(found.as_raw().len(), expected.len());
        let near = found.as_raw().iter().zip(expected).all(|(a, b)| a.abs_diff(*b) <= 1);
        assert!(near, "found    {found:?}\nexpected {expected:?}");
    }

    /// On the scale of 0 to 1: torchvision works in float32 and this in float64.
    const CLOSE: f64 = 1e-3;

    #[test]
    fn a_cubic_without_antialias_is_torchvisions() {
        let golden = include_str!("../../../../tests/parity/golden/resize.json");
        let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
        for case in golden["cases"].as_array().unwrap() {
            let size = |name: &str| {
                let sides = case[name].as_array().unwrap();
                (sides[1].as_u64().unwrap() as u32, sides[0].as_u64().unwrap() as u32)
            };
            let (from, to) = (size("from"), size("to"));
            let level = |x: u32, y: u32, c: u32| ((37 * y + 101 * x + 53 * c + 7 * x * y) % 256) as u8;
            let pixels =
                RgbImage::from_fn(from.0, from.1, |x, y| image::Rgb([0, 1, 2].map(|c| level(x, y, c))));
            let kernel = Kernel { radius: 2, weight: cubic, smooth: FilterType::CatmullRom };
            let exact = exact(&pixels, Rect::whole(from.0, from.1), to, &kernel);
            for (i, expected) in (0..).zip(case["values"].as_array().unwrap()) {
                let got = exact(i / 3 % to.0, i / 3 / to.0)[(i % 3) as usize] / 255.0;
                assert!(
                    (got - expected.as_f64().unwrap()).abs() < CLOSE,
                    "{from:?} to {to:?}, {i}: {got} {expected}"
                );
            }
        }
    }

    // All expected values are those of Pillow 13.0.0: Image.crop(box).resize(size, filter).
    #[test]
    fn antialiased_bilinear_is_pillows() {
        let halved =
            [128, 140, 145, 130, 135, 142, 130, 109, 102, 126, 148, 113, 117, 145, 115, 134, 128, 115];
        check(Resize::Bilinear, true, WHOLE, (3, 2), &halved);
        let narrow =
            [151, 122, 138, 131, 133, 104, 111, 150, 128, 114, 139, 142, 108, 161, 100, 116, 128, 108];
        check(Resize::Bilinear, true, PART, (2, 3), &narrow);
        let grown = [
            199, 252, 49, 237, 111, 87, 152, 77, 130, 67, 120, 173, 105, 158, 211, 117, 170, 127, 163, 149,
            173, 166, 91, 144, 122, 63, 116, 55, 108, 161, 115, 168, 125, 102, 155, 179, 135, 108, 161, 149,
            90, 114, 91, 144, 101, 193, 246, 43, 75, 128, 105, 69, 122, 175, 139, 192, 169, 201, 254, 51,
        ];
        check(Resize::Bilinear, true, CORNER, (5, 4), &grown);
        // A kernel that does not widen is the same thing when the picture grows.
        check(Resize::Bilinear, false, CORNER, (5, 4), &grown);
    }

    #[test]
    fn antialiased_bicubic_is_pillows() {
        let halved =
            [125, 140, 145, 132, 138, 145, 128, 105, 98, 126, 151, 111, 115, 144, 114, 137, 129, 115];
        check(Resize::Bicubic, true, WHOLE, (3, 2), &halved);
        let narrow =
            [150, 122, 140, 130, 131, 103, 109, 148, 129, 115, 141, 146, 110, 165, 94, 111, 125, 113];
        check(Resize::Bicubic, true, PART, (2, 3), &narrow);
        let grown = [
            204, 255, 41, 255, 99, 76, 150, 59, 129, 46, 129, 182, 112, 164, 217, 105, 160, 134, 169, 159,
            190, 186, 85, 142, 123, 42, 100, 37, 98, 170, 106, 159, 130, 86, 166, 197, 142, 105, 169, 164,
            75, 101, 81, 140, 95, 207, 255, 32, 63, 116, 93, 46, 106, 193, 143, 207, 184, 215, 255, 39,
        ];
        check(Resize::Bicubic, true, CORNER, (5, 4), &grown);
    }

    #[test]
    fn antialiased_lanczos_is_pillows() {
        let halved =
            [125, 137, 147, 133, 142, 146, 126, 105, 97, 127, 154, 108, 113, 142, 114, 140, 128, 117];
        check(Resize::Lanczos3, true, WHOLE, (3, 2), &halved);
        let narrow =
            [148, 122, 142, 129, 129, 101, 107, 146, 130, 115, 139, 150, 111, 168, 91, 110, 123, 114];
        check(Resize::Lanczos3, true, PART, (2, 3), &narrow);
        let grown = [
            204, 255, 36, 255, 102, 67, 144, 35, 130, 37, 145, 189, 123, 169, 216, 98, 152, 134, 171, 166,
            198, 212, 77, 135, 111, 32, 94, 27, 93, 184, 105, 152, 130, 69, 175, 202, 145, 102, 181, 172, 74,
            91, 78, 146, 88, 217, 255, 28, 72, 117, 74, 18, 83, 216, 152, 225, 184, 220, 255, 35,
        ];
        check(Resize::Lanczos3, true, CORNER, (5, 4), &grown);
    }

    #[test]
    fn nearest_takes_the_pixel_that_holds_the_centre() {
        let shrunk = [
            145, 198, 251, 253, 50, 103, 105, 158, 211, 213, 10, 63, 105, 158, 211, 25, 78, 131, 201, 254,
            51, 121, 174, 227, 65, 118, 171, 53, 106, 159, 41, 94, 147, 29, 82, 135,
        ];
        for antialias in [false, true] {
            check(Resize::Nearest, antialias, WHOLE, (4, 3), &shrunk);
        }
    }

    // torch.nn.functional.interpolate(mode="bicubic", antialias=False) by hand: one row 10, 20, 40, 80, 160 grown from 5
    // to 10 has its centres a quarter beside a pixel, where the weights for a = -0.75 are
    // -0.10546875, 0.87890625, 0.26171875, -0.03515625 or their mirror image, over repeated edges.
    #[test]
    fn a_fixed_cubic_has_torchs_weights_and_repeats_edges() {
        let mut row = RgbImage::new(5, 1);
        let values = [10.0, 20.0, 40.0, 80.0, 160.0];
        row.pixels_mut().zip(values).for_each(|(p, v)| p.0 = [v as u8; 3]);
        let found = resize(&row, Rect::whole(5, 1), (10, 1), Resize::Bicubic, false);
        let weights = [-0.105_468_75, 0.878_906_25, 0.261_718_75, -0.035_156_25];
        let at = |i: i64| values[i.clamp(0, 4) as usize];
        for i in 0..10i64 {
            let (pixel, step) = if i % 2 == 0 { (i / 2, -1) } else { (i / 2, 1) };
            let expected: f64 = (-1..3).zip(weights).map(|(k, w)| w * at(pixel + step * k)).sum();
            assert_eq!(f64::from(found[(i as u32, 0)][0]), expected.round(), "{i}");
        }
    }

    #[test]
    fn without_antialias_shrinking_skips_pixels() {
        let row = RgbImage::from_fn(8, 1, |x, _| image::Rgb([if x % 4 == 1 { 200 } else { 0 }; 3]));
        // Centres lie between pixels 1 and 2, and 5 and 6: a fixed kernel sees these two of each four.
        assert_eq!(resize(&row, Rect::whole(8, 1), (2, 1), Resize::Bilinear, false).as_raw(), &[100; 6]);
        let smooth = resize(&row, Rect::whole(8, 1), (2, 1), Resize::Bilinear, true);
        assert!(smooth.as_raw().iter().all(|v| (40..=80).contains(v)), "{smooth:?}");
    }

    #[test]
    fn pixels_outside_the_crop_do_not_leak_in() {
        let framed = RgbImage::from_fn(12, 12, |x, y| {
            image::Rgb([if (3..9).contains(&x) && (3..9).contains(&y) { 90 } else { 255 }; 3])
        });
        let crop = Rect { x: 3, y: 3, width: 6, height: 6 };
        for filter in [Resize::Nearest, Resize::Bilinear, Resize::Bicubic, Resize::Lanczos3] {
            for (antialias, size) in [(false, (4, 13)), (true, (4, 13)), (true, (6, 6)), (false, (1, 1))] {
                let found = resize(&framed, crop, size, filter, antialias);
                assert!(found.as_raw().iter().all(|v| *v == 90), "{filter:?} {antialias} {size:?}");
            }
        }
    }
}
