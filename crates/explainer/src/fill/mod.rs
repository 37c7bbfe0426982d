//! What stands where a region is hidden. A fill is resolved once per request, to a picture of the model's own shape;
//! methods receive the resolved picture and do not know where it came from.

mod blur;

use std::sync::Arc;

use unmask_core::{InputSpec, Kind, Param, Tensor};

use crate::catalogue::Descriptor;

/// A fill that has not met its image yet.
#[derive(Clone, Debug)]
pub enum Fill {
    /// One colour: red, green, blue, 0 to 255.
    Constant([f64; 3]),
    /// The mean colour of the image.
    Mean,
    /// The image under a Gaussian blur of this standard deviation, in pixels.
    Blur(f64),
    /// A picture of the caller's, already in the model's units.
    Image(Arc<Tensor>),
}

impl Fill {
    /// The picture that stands where `image` is hidden; it has the image's shape.
    pub fn resolve(&self, image: &Tensor, input: &InputSpec) -> Arc<Tensor> {
        let (height, width) = (image.height(), image.width());
        match self {
            Self::Constant(colour) => {
                let values: Vec<f32> =
                    (0..image.channels()).map(|c| input.units(c, colour[input.source(c)])).collect();
                Arc::new(Tensor::constant(&values, height, width))
            }
            Self::Mean => {
                let values: Vec<f32> = (0..image.channels()).map(|c| mean(image.channel(c))).collect();
                Arc::new(Tensor::constant(&values, height, width))
            }
            Self::Blur(sigma) => Arc::new(blur::gaussian(image, *sigma)),
            Self::Image(picture) => Arc::clone(picture),
        }
    }
}

fn mean(values: &[f32]) -> f32 {
    (values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len().max(1) as f64) as f32
}

/// One channel of a constant fill.
const fn channel(name: &'static str, help: &'static str) -> Param {
    Param {
        name,
        unit: "pixel value",
        kind: Kind::Real { default: 127.5, min: 0.0, max: 255.0 },
        help,
        source: "middle of the range",
    }
}

/// Red of a constant fill.
pub const RED: Param = channel("red", "Red of the fill.");
/// Green of a constant fill.
pub const GREEN: Param = channel("green", "Green of the fill.");
/// Blue of a constant fill.
pub const BLUE: Param = channel("blue", "Blue of the fill.");
/// Width of a blur.
pub const SIGMA: Param = Param {
    name: "sigma",
    unit: "pixels of the model's frame",
    kind: Kind::Real { default: 10.0, min: 0.5, max: 100.0 },
    help: "Standard deviation of the Gaussian.",
    source: "Fong and Vedaldi, arXiv 1704.03296",
};
/// The picture of an image fill.
pub const IMAGE: Param = Param {
    name: "image",
    unit: "JPEG, PNG or still WebP",
    kind: Kind::Picture,
    help: "A picture with the explained picture's displayed size, such as its untouched original.",
    source: "",
};

/// All fills.
pub const FILLS: &[Descriptor] = &[
    Descriptor {
        name: "constant",
        summary: "One colour, mid-grey by default.",
        citation: "",
        params: &[RED, GREEN, BLUE],
        passes: "0",
    },
    Descriptor {
        name: "mean",
        summary: "The mean colour of the picture.",
        citation: "",
        params: &[],
        passes: "0",
    },
    Descriptor {
        name: "blur",
        summary: "The picture under a Gaussian blur, edges mirrored.",
        citation: "Fong and Vedaldi, ICCV 2017, arXiv 1704.03296",
        params: &[SIGMA],
        passes: "0",
    },
    Descriptor {
        name: "image",
        summary: "A picture that the caller sends, such as the untouched original.",
        citation: "",
        params: &[IMAGE],
        passes: "0",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use unmask_core::{Colour, ModelSpec};

    fn picture() -> Tensor {
        Tensor::new(3, 1, 2, vec![0.0, 1.0, 0.5, 0.5, 1.0, 0.0]).unwrap()
    }

    #[test]
    fn a_constant_fill_is_a_colour_in_the_models_units_and_channel_order() {
        let mut input = ModelSpec::plain("m", 1, 2, &["real", "fake"]).input;
        input.colour = Colour::Bgr;
        input.range = (-1.0, 1.0);
        let fill = Fill::Constant([255.0, 127.5, 0.0]).resolve(&picture(), &input);
        assert_eq!(fill.data(), [-1.0, -1.0, 0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn a_mean_fill_is_the_mean_of_each_channel() {
        let input = ModelSpec::plain("m", 1, 2, &["real", "fake"]).input;
        assert_eq!(Fill::Mean.resolve(&picture(), &input).data(), [0.5; 6]);
    }

    #[test]
    fn a_callers_image_is_itself() {
        let input = ModelSpec::plain("m", 1, 2, &["real", "fake"]).input;
        let mine = Arc::new(picture());
        assert!(Arc::ptr_eq(&mine, &Fill::Image(Arc::clone(&mine)).resolve(&picture(), &input)));
    }
}
