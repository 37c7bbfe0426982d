//! What stands where a region is hidden. A fill is resolved once per request, to a picture of the model's own shape;
//! methods receive the resolved picture and do not know where it came from.

pub mod adversarial;
mod blur;
mod box_blur;
mod list;
mod noise;

use std::sync::Arc;

use unmask_core::{InputSpec, LabelMap, Tensor};

pub use list::{BLUE, FILLS, GREEN, IMAGE, RED, SIGMA, STRENGTH, WIDTH};

/// A fill that is made from the picture, without a forward pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    /// One colour: red, green, blue, 0 to 255.
    Constant([f64; 3]),
    /// The mean colour of the image.
    Mean,
    /// The image under a Gaussian blur of this standard deviation, in pixels.
    Blur(f64),
    /// A picture of the caller's, already in the model's units.
    Image(Arc<Tensor>),
    /// The mean colour of each segment.
    SegmentMean,
    /// The image under a box blur of this width, in pixels.
    BoxBlur(usize),
    /// Gaussian noise with the moments of each channel; factor of the standard deviation.
    Noise(f64),
    /// 0 in the model's units.
    Zero,
}

impl Made {
    /// Whether the fill depends on the segmentation.
    pub fn needs_segments(&self) -> bool {
        match self {
            Self::SegmentMean => true,
            Self::Constant(_)
            | Self::Mean
            | Self::Blur(_)
            | Self::Image(_)
            | Self::BoxBlur(_)
            | Self::Noise(_)
            | Self::Zero => false,
        }
    }

    /// The picture that stands where `image` is hidden; it has the image's shape.
    pub fn resolve(&self, image: &Tensor, segments: &LabelMap, input: &InputSpec, seed: u64) -> Arc<Tensor> {
        let (height, width) = (image.height(), image.width());
        let flat = |value: &dyn Fn(usize) -> f32| {
            let values: Vec<f32> = (0..image.channels()).map(value).collect();
            Arc::new(Tensor::constant(&values, height, width))
        };
        match self {
            Self::Constant(colour) => flat(&|c| input.units(c, colour[input.source(c)])),
            Self::Mean => flat(&|c| mean(image.channel(c))),
            Self::Zero => flat(&|_| 0.0),
            Self::Blur(sigma) => Arc::new(blur::gaussian(image, *sigma)),
            Self::BoxBlur(width) => Arc::new(box_blur::box_blur(image, *width)),
            Self::SegmentMean => Arc::new(segment_mean(image, segments)),
            Self::Noise(strength) => Arc::new(noise::noise(image, input, *strength, seed)),
            Self::Image(picture) => Arc::clone(picture),
        }
    }
}

fn mean(values: &[f32]) -> f32 {
    (values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len().max(1) as f64) as f32
}

fn segment_mean(image: &Tensor, segments: &LabelMap) -> Tensor {
    let mut data = Vec::with_capacity(image.data().len());
    for c in 0..image.channels() {
        let mut sums = vec![(0.0f64, 0.0f64); segments.count()];
        for (value, label) in image.channel(c).iter().zip(segments.labels()) {
            let (sum, pixels) = &mut sums[*label as usize];
            *sum += f64::from(*value);
            *pixels += 1.0;
        }
        data.extend(segments.labels().iter().map(|label| {
            let (sum, pixels) = sums[*label as usize];
            (sum / pixels) as f32
        }));
    }
    Tensor::new(image.channels(), image.height(), image.width(), data).expect("each channel keeps its size")
}

#[cfg(test)]
mod tests {
    use super::*;
    use unmask_core::{Colour, ModelSpec};

    fn whole() -> LabelMap {
        LabelMap::new(1, 2, &[0, 0]).unwrap()
    }

    #[test]
    fn a_segment_takes_its_own_mean() {
        let input = ModelSpec::plain("m", 1, 2, &["real", "fake"]).input;
        let apart = LabelMap::new(1, 2, &[0, 1]).unwrap();
        assert_eq!(*Made::SegmentMean.resolve(&picture(), &apart, &input, 0), picture());
        assert_eq!(Made::SegmentMean.resolve(&picture(), &whole(), &input, 0).data(), [0.5; 6]);
    }

    #[test]
    fn zero_is_zero_in_the_models_units() {
        let input = ModelSpec::plain("m", 1, 2, &["real", "fake"]).input;
        assert_eq!(Made::Zero.resolve(&picture(), &whole(), &input, 0).data(), [0.0; 6]);
    }

    fn picture() -> Tensor {
        Tensor::new(3, 1, 2, vec![0.0, 1.0, 0.5, 0.5, 1.0, 0.0]).unwrap()
    }

    #[test]
    fn a_constant_fill_is_a_colour_in_the_models_units_and_channel_order() {
        let mut input = ModelSpec::plain("m", 1, 2, &["real", "fake"]).input;
        input.colour = Colour::Bgr;
        input.range = (-1.0, 1.0);
        let fill = Made::Constant([255.0, 127.5, 0.0]).resolve(&picture(), &whole(), &input, 0);
        assert_eq!(fill.data(), [-1.0, -1.0, 0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn a_mean_fill_is_the_mean_of_each_channel() {
        let input = ModelSpec::plain("m", 1, 2, &["real", "fake"]).input;
        assert_eq!(Made::Mean.resolve(&picture(), &whole(), &input, 0).data(), [0.5; 6]);
    }

    #[test]
    fn a_callers_image_is_itself() {
        let input = ModelSpec::plain("m", 1, 2, &["real", "fake"]).input;
        let mine = Arc::new(picture());
        assert!(Arc::ptr_eq(&mine, &Made::Image(Arc::clone(&mine)).resolve(&picture(), &whole(), &input, 0)));
    }
}
