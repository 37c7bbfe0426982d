//! A picture in the model's units as a picture file.

use image::{Rgb, RgbImage};
use unmask_core::{InputSpec, Tensor};

use super::encode;
use crate::image::to_pixels;

/// The tensor as PNG in the model's frame: red, green, blue, each value at the nearest of the 256 pixel values; what lies
/// beyond their range is cut.
pub fn plain(tensor: &Tensor, input: &InputSpec) -> Vec<u8> {
    let (width, pixels) = (tensor.width(), to_pixels(tensor, input));
    let pixel = |x: u32, y: u32| Rgb(pixels[y as usize * width + x as usize]);
    encode(&RgbImage::from_fn(width as u32, tensor.height() as u32, pixel))
}

#[cfg(test)]
mod tests {
    use unmask_core::ModelSpec;

    use super::*;
    use crate::image::{Picture, Rect, to_tensor};

    #[test]
    fn a_picture_that_became_a_tensor_is_written_as_it_was() {
        let picture =
            Picture::new(RgbImage::from_fn(16, 8, |x, y| Rgb([(16 * y + x) as u8, 255 - x as u8, 7])));
        let input = ModelSpec::plain("m", 8, 16, &["real", "fake"]).input;
        let png = plain(&to_tensor(&picture, Rect::whole(16, 8), &input), &input);
        assert_eq!(&image::load_from_memory(&png).unwrap().into_rgb8(), picture.pixels());
    }
}
