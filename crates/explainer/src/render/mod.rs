//! A map to pictures that people read: a heat map and an overlay on the photograph, each with a legend.
//!
//! Rendering is a view: the map's values are never changed, and the same scene always gives the same bytes.

mod legend;
mod paint;
mod palette;
mod place;
mod plain;
mod scale;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ImageEncoder, RgbImage};
use unmask_core::{Map, Reading};

use crate::image::{Frame, Picture};
use place::Placed;
pub use plain::plain;
use scale::Scale;

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The map, over the model's input.
    pub map: &'a Map,
    /// How its values read.
    pub reading: Reading,
    /// Where the model's input lies in the picture.
    pub frame: &'a Frame,
    /// What the values are, such as "evidence for mouth (log-odds)".
    pub legend: &'a str,
}

/// The map alone, as PNG: warm is for, cool is against, light grey is neither, hatched is what the model did not see. Of a
/// map that reads as importance, the lowest value is light grey and the highest warm.
///
/// The picture's corner is the corner of the image, at a scale that makes its longest side 512 to 1024 pixels; the
/// legend stands below.
pub fn heat_map(scene: &Scene<'_>) -> Vec<u8> {
    let scale = Scale::new(scene.map, scene.reading);
    let placed = Placed::new(scene.map, scene.frame, drawn_size(scene.frame));
    encode(&legend::attach(paint::heat_map(&placed, scale), scene, scale, paint::HATCHED))
}

/// The map over the photograph, as PNG: colour covers the more the larger the value is, and nothing where it is grey in
/// the heat map; what the model did not see is dimmed. Size and legend are those of [`heat_map`].
///
/// # Examples
/// ```
/// use unmask_core::{Map, Reading};
/// use unmask_explainer::image::{Frame, Picture, Rect};
/// use unmask_explainer::render::{Scene, overlay};
///
/// let picture = Picture::new(image::RgbImage::new(64, 48));
/// let map = Map { height: 2, width: 2, data: vec![0.5, 0.0, 0.0, -0.25] };
/// let frame = Frame { crop: Rect::whole(64, 48), displayed: (64, 48), orientation: 1, model: (2, 2) };
/// let legend = "evidence for mouth (log-odds)";
/// let png = overlay(&Scene { map: &map, reading: Reading::Evidence, frame: &frame, legend }, &picture);
/// assert_eq!(image::load_from_memory(&png)?.width(), 512);
/// # Ok::<(), image::ImageError>(())
/// ```
pub fn overlay(scene: &Scene<'_>, picture: &Picture) -> Vec<u8> {
    let scale = Scale::new(scene.map, scene.reading);
    let placed = Placed::new(scene.map, scene.frame, drawn_size(scene.frame));
    encode(&legend::attach(paint::overlay(&placed, scale, picture), scene, scale, paint::DIMMED))
}

/// The map in the frame of the displayed picture, at the picture's own size or, where that is larger, with a longest side
/// of 1024 pixels.
///
/// Values are linear between the centres of the map's pixels, edges repeated; where the map is finer than the
/// result, each value is the weighted mean of what it covers, so that no evidence falls between pixels. Outside the crop
/// there is 0.
pub fn picture_map(map: &Map, frame: &Frame) -> Map {
    let longest = frame.displayed.0.max(frame.displayed.1);
    Placed::new(map, frame, fitted(frame.displayed, longest.min(LONGEST))).into_map()
}

const SHORTEST: u32 = 512;
const LONGEST: u32 = 1024;

/// Size of the picture in a drawing.
fn drawn_size(frame: &Frame) -> (u32, u32) {
    let longest = frame.displayed.0.max(frame.displayed.1);
    fitted(frame.displayed, longest.clamp(SHORTEST, LONGEST))
}

/// A size of the same shape whose longest side is given; no side vanishes.
fn fitted((width, height): (u32, u32), longest: u32) -> (u32, u32) {
    let ratio = f64::from(longest) / f64::from(width.max(height).max(1));
    let side = |side: u32| ((f64::from(side) * ratio).round() as u32).max(1);
    (side(width), side(height))
}

/// Fixed settings, so that equal pixels are equal bytes; fast ones, because a smaller file is not worth tens of passes.
fn encode(pixels: &RgbImage) -> Vec<u8> {
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Adaptive)
        .write_image(pixels, pixels.width(), pixels.height(), image::ExtendedColorType::Rgb8)
        .expect("memory takes every byte and the image has an area");
    png
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::image::Rect;

    fn frame(displayed: (u32, u32), crop: Rect, model: (u32, u32)) -> Frame {
        Frame { crop, displayed, orientation: 1, model }
    }

    fn whole(width: u32, height: u32) -> Frame {
        frame((width, height), Rect::whole(width, height), (2, 2))
    }

    fn drawn(png: &[u8]) -> RgbImage {
        image::load_from_memory(png).unwrap().into_rgb8()
    }

    const SIGNED: [f32; 4] = [1.0, -1.0, 0.0, 0.0];

    fn map(data: [f32; 4]) -> Map {
        Map { height: 2, width: 2, data: data.into() }
    }

    #[test]
    fn the_longest_side_is_512_to_1024() {
        for (displayed, expected) in [
            ((16, 16), (512, 512)),
            ((24, 200), (61, 512)),
            ((512, 100), (512, 100)),
            ((900, 700), (900, 700)),
            ((4000, 3000), (1024, 768)),
            ((1_500_000, 16), (1024, 1)),
        ] {
            assert_eq!(drawn_size(&whole(displayed.0, displayed.1)), expected);
        }
    }

    #[test]
    fn evidence_for_is_warm_and_against_is_cool() {
        let (map, frame) = (map(SIGNED), whole(600, 600));
        let scene = Scene { map: &map, reading: Reading::Evidence, frame: &frame, legend: "evidence" };
        let picture = Picture::new(RgbImage::from_pixel(600, 600, Rgb([128; 3])));
        for png in [heat_map(&scene), overlay(&scene, &picture)] {
            let pixels = drawn(&png);
            assert_eq!(pixels.width(), 600);
            let Rgb([r, _, b]) = pixels[(10, 10)];
            assert!(r > b + 60, "warm: {r} {b}");
            let Rgb([r, _, b]) = pixels[(590, 10)];
            assert!(b > r + 60, "cool: {r} {b}");
            let Rgb([r, g, b]) = pixels[(10, 590)];
            assert!(r == g && g == b, "neutral: {r} {g} {b}");
        }
    }

    #[test]
    fn importance_is_warm_from_its_lowest_value_to_its_highest() {
        let (map, frame) = (map([3.0, 1.0, 1.0, 1.0]), whole(600, 600));
        let scene = Scene { map: &map, reading: Reading::Importance, frame: &frame, legend: "importance" };
        let picture = Picture::new(RgbImage::from_pixel(600, 600, Rgb([128; 3])));
        for png in [heat_map(&scene), overlay(&scene, &picture)] {
            let pixels = drawn(&png);
            let Rgb([r, _, b]) = pixels[(10, 10)];
            assert!(r > b + 60, "warm: {r} {b}");
            let Rgb([r, g, b]) = pixels[(590, 590)];
            assert!(r == g && g == b, "neutral: {r} {g} {b}");
        }
    }

    #[test]
    fn a_flat_map_leaves_the_photograph_alone() {
        let (map, frame) = (map([0.0; 4]), whole(600, 600));
        let scene = Scene { map: &map, reading: Reading::Evidence, frame: &frame, legend: "evidence" };
        let pixels = drawn(&heat_map(&scene));
        assert!((0..600).all(|i| pixels[(i, i)] == pixels[(0, 0)]));
        let picture = Picture::new(RgbImage::from_fn(600, 600, |x, y| Rgb([((x + y) / 5) as u8; 3])));
        let pixels = drawn(&overlay(&scene, &picture));
        assert!((0..600).all(|i| pixels[(i, i)] == picture.pixels()[(i, i)]));
    }

    #[test]
    fn values_that_are_no_numbers_are_drawn_as_nothing() {
        for data in
            [[f32::NAN; 4], [f32::INFINITY, 0.0, 1.0, -1.0], [f32::MAX, f32::MIN, 1e-45, 0.0], [1e-45; 4]]
        {
            let (map, frame) = (map(data), whole(20, 30));
            assert!(
                !heat_map(&Scene { map: &map, reading: Reading::Evidence, frame: &frame, legend: "x" })
                    .is_empty()
            );
        }
    }

    #[test]
    fn the_same_scene_gives_the_same_bytes_and_leaves_the_map() {
        let (map, crop) = (map([0.5, -0.25, 0.125, 3.0]), Rect { x: 10, y: 20, width: 100, height: 50 });
        let (before, frame) = (map.clone(), frame((300, 200), crop, (2, 2)));
        let scene = Scene {
            map: &map,
            reading: Reading::Evidence,
            frame: &frame,
            legend: "evidence for mouth (log-odds)",
        };
        let picture = Picture::new(RgbImage::from_fn(300, 200, |x, y| Rgb([x as u8, y as u8, 7])));
        assert_eq!(overlay(&scene, &picture), overlay(&scene, &picture));
        assert_eq!(heat_map(&scene), heat_map(&scene));
        assert_eq!(map, before);
    }

    #[test]
    fn extreme_shapes_and_legends_are_drawn() {
        let long = "an uncommonly_long_name_of_a_class_that_no_strip_can_hold_in_one_line ".repeat(20);
        for (width, height) in [(16, 16), (16, 5000), (5000, 16), (24, 200)] {
            for crop in [Rect::whole(width, height), Rect { x: 3, y: 5, width: 1, height: 1 }] {
                let (map, frame) = (map(SIGNED), frame((width, height), crop, (2, 2)));
                for legend in ["", "\u{1F642} \n\t", long.as_str()] {
                    let scene = Scene { map: &map, reading: Reading::Evidence, frame: &frame, legend };
                    let picture = Picture::new(RgbImage::new(width, height));
                    let pixels = drawn(&overlay(&scene, &picture));
                    assert!(pixels.width() >= drawn_size(&frame).0 && pixels.height() > drawn_size(&frame).1);
                    assert_eq!(drawn(&heat_map(&scene)).dimensions(), pixels.dimensions());
                }
            }
        }
    }

    #[test]
    fn the_raw_map_keeps_its_values_and_knows_its_place() {
        let crop = Rect { x: 4, y: 2, width: 2, height: 2 };
        let placed = picture_map(&map([1.0, 2.0, 3.0, -4.0]), &frame((8, 6), crop, (2, 2)));
        assert_eq!((placed.height, placed.width), (6, 8));
        assert_eq!(placed.data[2 * 8 + 4..2 * 8 + 6], [1.0, 2.0]);
        assert_eq!(placed.data[3 * 8 + 4..3 * 8 + 6], [3.0, -4.0]);
        assert_eq!(placed.data.iter().filter(|v| **v != 0.0).count(), 4);
    }

    #[test]
    fn the_raw_map_is_never_larger_than_the_picture_or_1024() {
        for (displayed, expected) in
            [((40, 30), (40, 30)), ((4000, 2000), (1024, 512)), ((1024, 7), (1024, 7))]
        {
            let placed = picture_map(&map(SIGNED), &whole(displayed.0, displayed.1));
            assert_eq!((placed.width, placed.height), expected);
        }
    }
}
