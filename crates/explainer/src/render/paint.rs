//! The two ways to draw a map: alone, and over the photograph.

use image::{Rgb, RgbImage};
use unmask_core::Resize;

use super::palette::Palette;
use super::place::Placed;
use super::scale::Scale;
use crate::image::{Picture, Rect, resize};

/// What the legend says of the part that the model did not see.
pub(super) const HATCHED: &str = "hatched: not seen by the model";
/// As [`HATCHED`], in an overlay.
pub(super) const DIMMED: &str = "dimmed: not seen by the model";

pub(super) fn heat_map(placed: &Placed, scale: Scale) -> RgbImage {
    let palette = Palette::new();
    let mut image = RgbImage::from_fn(placed.size.0, placed.size.1, |x, y| match placed.value(x, y) {
        Some(value) => Rgb(palette.colour(scale.share(value))),
        None => Rgb([if (x + y) % 10 < 2 { 160 } else { 178 }; 3]),
    });
    border(&mut image, placed);
    image
}

/// How much of the photograph's own colour goes, so that skin is not taken for evidence.
const GREYING: f64 = 0.85;
/// The colour's opacity at the largest value; what shows through keeps the face recognisable.
const OPACITY: f64 = 0.75;
/// Exponent of opacity over the value; below 1, so that a quarter of the largest value can still be seen on a photograph.
const EMPHASIS: f64 = 0.75;
/// What is left of the light outside the crop.
const DIMMING: f64 = 0.45;

pub(super) fn overlay(placed: &Placed, scale: Scale, picture: &Picture) -> RgbImage {
    let palette = Palette::new();
    let (cool, warm) = (palette.colour(-1.0), palette.colour(1.0));
    let whole = Rect::whole(picture.width(), picture.height());
    let mut image = resize(picture.pixels(), whole, placed.size, Resize::Bicubic, true);
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let grey = luma(*pixel);
        let muted = pixel.0.map(|v| mix(v.into(), grey, GREYING));
        pixel.0 = match placed.value(x, y) {
            Some(value) => {
                let share = scale.share(value);
                let end = if share < 0.0 { cool } else { warm };
                let opacity = OPACITY * share.abs().powf(EMPHASIS);
                [0, 1, 2].map(|c| mix(muted[c], end[c].into(), opacity).round() as u8)
            }
            None => muted.map(|v| (v * DIMMING).round() as u8),
        };
    }
    border(&mut image, placed);
    image
}

/// Brightness of a pixel (ITU-R BT.601).
fn luma(Rgb([r, g, b]): Rgb<u8>) -> f64 {
    0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b)
}

fn mix(from: f64, to: f64, share: f64) -> f64 {
    from + share * (to - from)
}

/// A white line just inside the crop and a dark one just outside, to be seen on any ground.
fn border(image: &mut RgbImage, placed: &Placed) {
    if placed.is_whole() {
        return;
    }
    let (left, top) = (i64::from(placed.columns.start), i64::from(placed.rows.start));
    let (right, bottom) = (i64::from(placed.columns.end) - 1, i64::from(placed.rows.end) - 1);
    ring(image, [left - 1, top - 1, right + 1, bottom + 1], Rgb([40; 3]));
    ring(image, [left, top, right, bottom], Rgb([255; 3]));
}

fn ring(image: &mut RgbImage, [left, top, right, bottom]: [i64; 4], colour: Rgb<u8>) {
    let across = (left..=right).flat_map(|x| [(x, top), (x, bottom)]);
    let down = (top..=bottom).flat_map(|y| [(left, y), (right, y)]);
    for (x, y) in across.chain(down) {
        if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
            && let Some(pixel) = image.get_pixel_mut_checked(x, y)
        {
            *pixel = colour;
        }
    }
}

#[cfg(test)]
mod tests {
    use unmask_core::{Map, Reading};

    use super::*;
    use crate::image::Frame;

    fn overlaid(value: f32, pixel: [u8; 3]) -> [u8; 3] {
        let map = Map { height: 1, width: 2, data: vec![value, 1.0] };
        let frame = Frame { crop: Rect::whole(2, 1), displayed: (2, 1), orientation: 1, model: (2, 1) };
        let picture = Picture::new(RgbImage::from_pixel(2, 1, Rgb(pixel)));
        overlay(&Placed::new(&map, &frame, (2, 1)), Scale::new(&map, Reading::Evidence), &picture)[(0, 0)].0
    }

    #[test]
    fn colour_grows_with_the_value_on_any_ground() {
        for ground in [0, 90, 180, 255] {
            let chroma = |value| {
                let [r, _, b] = overlaid(value, [ground; 3]).map(i32::from);
                (r - b) * if value < 0.0 { -1 } else { 1 }
            };
            assert_eq!(chroma(0.0), 0);
            for sign in [-1.0, 1.0] {
                assert!(chroma(0.25 * sign) < chroma(0.5 * sign) && chroma(0.5 * sign) < chroma(sign));
            }
        }
    }

    #[test]
    fn light_and_shade_show_through_the_strongest_colour() {
        let (dark, light) = (luma(Rgb(overlaid(1.0, [30; 3]))), luma(Rgb(overlaid(1.0, [220; 3]))));
        assert!(light - dark > 40.0, "{dark} {light}");
    }

    #[test]
    fn what_the_model_did_not_see_is_dimmed_behind_a_border() {
        let map = Map { height: 1, width: 1, data: vec![1.0] };
        let crop = Rect { x: 4, y: 4, width: 6, height: 6 };
        let frame = Frame { crop, displayed: (16, 16), orientation: 1, model: (1, 1) };
        let picture = Picture::new(RgbImage::from_pixel(16, 16, Rgb([200; 3])));
        let placed = Placed::new(&map, &frame, (16, 16));
        let image = overlay(&placed, Scale::new(&map, Reading::Evidence), &picture);
        assert_eq!(image[(0, 0)], Rgb([90; 3]));
        assert_eq!(
            (image[(4, 4)], image[(9, 9)], image[(10, 10)]),
            (Rgb([255; 3]), Rgb([255; 3]), Rgb([40; 3]))
        );
        assert_eq!(
            heat_map(&placed, Scale::new(&map, Reading::Evidence))[(6, 6)],
            Rgb(Palette::new().colour(1.0))
        );
    }
}
