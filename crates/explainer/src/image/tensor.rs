//! Pixels in the model's units.

use image::RgbImage;
use unmask_core::{Colour, InputSpec, Tensor};

use super::{Picture, Rect, resize};

/// The model's input for a crop of a picture: cut in whole pixels, brought to size, scaled to the model's range, mean
/// subtracted, divided by the deviation; `[3, height, width]` in the model's channel order.
///
/// Mean and deviation number c belong to channel c of the tensor: for a blue-green-red model the first is blue's.
///
/// # Panics
/// When the crop does not lie [within](Rect::within) the picture.
pub fn to_tensor(picture: &Picture, crop: Rect, input: &InputSpec) -> Tensor {
    assert!(
        crop.within(picture.width(), picture.height()),
        "the crop {crop:?} lies outside a picture of {} x {} pixels",
        picture.width(),
        picture.height()
    );
    let size = (input.width as u32, input.height as u32);
    in_units(&resize(picture.pixels(), crop, size, input.resize, input.antialias), input)
}

/// All of a picture without a change of its shape: in the top left of the model's frame, on black, as large as fits into `share` of its
/// sides, 0 to 1; and how many pixels of the picture one of the frame is.
pub fn to_fit(picture: &Picture, input: &InputSpec, share: f64) -> (Tensor, f64) {
    let (width, height) = (picture.width(), picture.height());
    let side = |side: usize| ((side as f64 * share).round() as usize).clamp(1, side);
    let within = InputSpec { width: side(input.width), height: side(input.height), ..input.clone() };
    let (size, scale) = fitted((width, height), &within);
    let small = resize(picture.pixels(), Rect::whole(width, height), size, input.resize, input.antialias);
    let mut framed = RgbImage::new(input.width as u32, input.height as u32);
    image::imageops::replace(&mut framed, &small, 0, 0);
    (in_units(&framed, input), scale)
}

/// Width and height that a picture of this size takes of the model's frame without a change of its shape, and how many pixels of the
/// picture one of the frame is.
pub fn fitted((width, height): (u32, u32), input: &InputSpec) -> ((u32, u32), f64) {
    let across = f64::from(width) / input.width as f64;
    let scale = across.max(f64::from(height) / input.height as f64);
    let side = |length: u32, most: usize| ((f64::from(length) / scale).round() as u32).clamp(1, most as u32);
    ((side(width, input.width), side(height, input.height)), scale)
}

/// Pixels of the model's size in its units.
fn in_units(pixels: &RgbImage, input: &InputSpec) -> Tensor {
    // The order of the channels is its own inverse.
    let sources = rgb_channels(input);
    let mut data = Vec::with_capacity(3 * input.height * input.width);
    for (channel, source) in sources.into_iter().enumerate() {
        let units = units(input, channel);
        data.extend(pixels.pixels().map(|pixel| units[usize::from(pixel[source])]));
    }
    Tensor::new(3, input.height, input.width, data).expect("three channels of every pixel were written")
}

/// The pixels of a picture in the model's units, row by row: red, green and blue, rounded to the nearest of 0 to 255 and cut
/// there. What [`to_tensor`] made of a picture of the model's size comes back exactly.
///
/// # Panics
/// When the tensor has fewer than three channels.
pub fn to_pixels(tensor: &Tensor, input: &InputSpec) -> Vec<[u8; 3]> {
    let (low, high) = input.range;
    let value = |channel: usize, i: usize| {
        let unit = f64::from(tensor.channel(channel)[i]) * input.std[channel] + input.mean[channel];
        // A float that is out of range becomes the nearest byte, one that is no number becomes 0.
        ((unit - low) / (high - low) * 255.0).round() as u8
    };
    let channels = rgb_channels(input);
    (0..tensor.height() * tensor.width()).map(|i| channels.map(|channel| value(channel, i))).collect()
}

/// The channels of the model's tensor that hold red, green and blue.
pub(crate) fn rgb_channels(input: &InputSpec) -> [usize; 3] {
    match input.colour {
        Colour::Rgb => [0, 1, 2],
        Colour::Bgr => [2, 1, 0],
    }
}

/// What each of the 256 pixel values becomes; computed in float64, so that the table is the nearest float32.
fn units(input: &InputSpec, channel: usize) -> Vec<f32> {
    let (low, high) = input.range;
    let unit = |v: u8| (f64::from(v) / 255.0 * (high - low) + low - input.mean[channel]) / input.std[channel];
    (0..=u8::MAX).map(|v| unit(v) as f32).collect()
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use unmask_core::{Layout, PictureKind, Resize};

    use super::*;

    fn input(colour: Colour, range: (f64, f64)) -> InputSpec {
        InputSpec {
            name: "input".into(),
            layout: Layout::Nchw,
            height: 2,
            width: 3,
            colour,
            range,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            resize: Resize::Bilinear,
            antialias: true,
            picture: PictureKind::Whole,
        }
    }

    #[test]
    fn values_are_scaled_centred_and_divided() {
        let picture = Picture::new(RgbImage::from_pixel(6, 4, Rgb([0, 128, 255])));
        let tensor = to_tensor(&picture, Rect::whole(6, 4), &input(Colour::Rgb, (0.0, 1.0)));
        assert_eq!((tensor.channels(), tensor.height(), tensor.width()), (3, 2, 3));
        let expected = [-0.485 / 0.229, (128.0 / 255.0 - 0.456) / 0.224, (1.0 - 0.406) / 0.225];
        for (channel, value) in expected.into_iter().enumerate() {
            assert!(tensor.channel(channel).iter().all(|v| *v == value as f32), "{channel}");
        }
    }

    #[test]
    fn a_bgr_model_gets_blue_first_with_the_first_mean() {
        let picture = Picture::new(RgbImage::from_pixel(6, 4, Rgb([0, 128, 255])));
        let tensor = to_tensor(&picture, Rect::whole(6, 4), &input(Colour::Bgr, (-1.0, 1.0)));
        assert_eq!(tensor.channel(0)[0], ((1.0 - 0.485) / 0.229) as f32);
        assert_eq!(tensor.channel(2)[0], ((-1.0 - 0.406) / 0.225) as f32);
    }

    #[test]
    fn a_crop_of_the_models_size_is_not_resampled() {
        let picture = Picture::new(RgbImage::from_fn(9, 7, |x, y| Rgb([(x * 20 + y) as u8, 0, 0])));
        let mut spec = input(Colour::Rgb, (0.0, 255.0));
        (spec.mean, spec.std) = ([0.0; 3], [1.0; 3]);
        for antialias in [false, true] {
            spec.antialias = antialias;
            let tensor = to_tensor(&picture, Rect { x: 4, y: 3, width: 3, height: 2 }, &spec);
            assert_eq!(tensor.channel(0), [83.0, 103.0, 123.0, 84.0, 104.0, 124.0]);
        }
    }

    #[test]
    fn all_pixel_values_come_back_from_the_models_units() {
        let picture = Picture::new(RgbImage::from_fn(16, 16, |x, y| {
            Rgb([(16 * y + x) as u8, (255 - 16 * y - x) as u8, (x * 37 + y * 11) as u8])
        }));
        for (colour, range) in
            [(Colour::Rgb, (0.0, 1.0)), (Colour::Bgr, (-1.0, 1.0)), (Colour::Bgr, (0.0, 255.0))]
        {
            let spec = InputSpec { height: 16, width: 16, ..input(colour, range) };
            let pixels = to_pixels(&to_tensor(&picture, Rect::whole(16, 16), &spec), &spec);
            assert!(
                pixels.iter().zip(picture.pixels().pixels()).all(|(back, pixel)| *back == pixel.0),
                "{range:?}"
            );
        }
    }

    #[test]
    fn values_beyond_a_pixels_range_are_cut() {
        let spec = InputSpec { mean: [0.0; 3], std: [1.0; 3], ..input(Colour::Rgb, (0.0, 1.0)) };
        let tensor = Tensor::constant(&[-3.0, f32::INFINITY, f32::NAN], 1, 2);
        assert_eq!(to_pixels(&tensor, &spec), [[0, 255, 0]; 2]);
        assert_eq!(to_pixels(&Tensor::constant(&[0.5, 0.4999, 1.2], 1, 1), &spec), [[128, 127, 255]]);
    }

    #[test]
    fn a_picture_that_is_fitted_keeps_its_shape_and_leaves_black() {
        // Red, 4 x 2 pixels, into a frame of 3 x 2.
        let picture = Picture::new(RgbImage::from_pixel(4, 2, Rgb([255, 0, 0])));
        let input = InputSpec { width: 3, mean: [0.0; 3], std: [1.0; 3], ..input(Colour::Rgb, (0.0, 255.0)) };
        let (tensor, scale) = to_fit(&picture, &input, 1.0);
        assert_eq!(scale, 4.0 / 3.0);
        // Two rows of four pixels become a row and a half, which is two.
        assert_eq!(tensor.channel(0), [255.0; 6]);
        let picture = Picture::new(RgbImage::from_pixel(6, 2, Rgb([255, 0, 0])));
        let (tensor, scale) = to_fit(&picture, &input, 1.0);
        assert_eq!((tensor.channel(0), scale), (&[255.0, 255.0, 255.0, 0.0, 0.0, 0.0][..], 2.0));
    }
}
