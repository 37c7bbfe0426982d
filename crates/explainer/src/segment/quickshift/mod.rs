//! Regions of one colour: quickshift (Vedaldi and Soatto, ECCV 2008, DOI 10.1007/978-3-540-88693-8_52) as in scikit-image
//! 0.26, in float64, on the L*a*b* colours of the picture, with the defaults of lime's `LimeImageExplainer`. A picture
//! `[3, H, W]` becomes labels `[H, W]`; cost: no pass.
//!
//! From scikit-image: the noise that breaks ties is drawn from the seed, kernels narrower than a pixel are allowed, and
//! regions beyond the most that a method takes are joined, the smallest first. A region need not be connected.

mod forest;

use unmask_core::{Draws, InputSpec, Kind, LabelMap, Param, Preset, Stream, Tensor};

use super::merge::at_most;
use super::{MOST_SEGMENTS, lab};
use crate::catalogue::Descriptor;
use crate::image::to_pixels;
use forest::{Colours, roots};

/// Standard deviation of the noise on a density, which is 1 or more.
const NOISE: f64 = 1e-5;

/// Width of the Gaussian kernel.
pub const KERNEL_SIZE: Param = Param {
    name: "kernel_size",
    unit: "pixels",
    kind: Kind::Real { default: 4.0, min: 0.5, max: 20.0 },
    paper: None,
    help: "Width of the Gaussian kernel.",
    source: "lime 0.2.0.1",
};
/// Longest link between a pixel and its parent.
pub const MAX_DISTANCE: Param = Param {
    name: "max_distance",
    unit: "",
    kind: Kind::Real { default: 200.0, min: 0.0, max: 1000.0 },
    paper: None,
    help: "Longest link between a pixel and its parent.",
    source: "lime 0.2.0.1",
};
/// Weight of colour against closeness.
pub const RATIO: Param = Param {
    name: "ratio",
    unit: "",
    kind: Kind::Real { default: 0.2, min: 0.0, max: 1.0 },
    paper: None,
    help: "Weight of colour against closeness.",
    source: "lime 0.2.0.1",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "quickshift",
    summary: "Regions of one colour.",
    citation: "Vedaldi and Soatto, ECCV 2008, DOI 10.1007/978-3-540-88693-8_52",
    params: &[KERNEL_SIZE, MAX_DISTANCE, RATIO],
    passes: "0",
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Quickshift {
    /// Width of the Gaussian kernel.
    pub kernel_size: f64,
    /// Longest link between a pixel and its parent.
    pub max_distance: f64,
    /// Weight of colour against closeness.
    pub ratio: f64,
}

impl Quickshift {
    /// The regions of `image`, which is in the units of `input`; equal densities are told apart by the seed.
    pub fn segment(&self, image: &Tensor, input: &InputSpec, seed: u64) -> LabelMap {
        let (height, width) = (image.height(), image.width());
        let linear: Vec<f64> = (0..=u8::MAX).map(|value| lab::linear(f64::from(value) / 255.0)).collect();
        let weighed =
            |pixel: [u8; 3]| lab::lab(pixel.map(|value| linear[usize::from(value)])).map(|v| v * self.ratio);
        let pixels: Vec<[f64; 3]> = to_pixels(image, input).into_iter().map(weighed).collect();
        let mut draws = Draws::of(Stream::Segmentation, seed, 0);
        let noise: Vec<f64> = pixels.iter().map(|_| f64::from(draws.normal()) * NOISE).collect();
        let colours = Colours { height, width, pixels: &pixels };
        let roots = roots(&colours, &noise, self.kernel_size, self.max_distance);
        let regions = at_most(MOST_SEGMENTS, height, width, &roots);
        LabelMap::new(height, width, &regions).expect("there is one label per pixel")
    }
}

impl Default for Quickshift {
    fn default() -> Self {
        let ignored = &mut Vec::new();
        Self {
            kernel_size: KERNEL_SIZE.real(None, Preset::Clean, "", ignored),
            max_distance: MAX_DISTANCE.real(None, Preset::Clean, "", ignored),
            ratio: RATIO.real(None, Preset::Clean, "", ignored),
        }
    }
}

#[cfg(test)]
mod tests {
    use unmask_core::ModelSpec;

    use super::*;

    fn segment(height: usize, width: usize, seed: u64, value: impl Fn(usize, usize) -> f32) -> LabelMap {
        let data = (0..3 * height * width).map(|i| value(i % (height * width) / width, i % width)).collect();
        let image = Tensor::new(3, height, width, data).unwrap();
        let input = ModelSpec::plain("m", height, width, &["real", "fake"]).input;
        Quickshift::default().segment(&image, &input, seed)
    }

    #[test]
    fn colours_far_apart_are_never_one_region() {
        let map = segment(32, 48, 0, |_, x| if x < 20 { 0.1 } else { 0.9 });
        let side = |i: usize| i % 48 < 20;
        for a in 0..map.labels().len() {
            let first = map.labels().iter().position(|label| *label == map.labels()[a]).unwrap();
            assert_eq!(side(a), side(first), "{a}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_regions_and_another_breaks_ties_otherwise() {
        let flat = |seed| segment(100, 100, seed, |_, _| 0.5);
        assert!(flat(1) == flat(1));
        assert!(flat(1) != flat(2));
    }

    #[test]
    fn a_noisy_picture_has_no_more_regions_than_a_method_takes() {
        let mut draws = Draws::new(5, 0);
        let image = Tensor::new(3, 96, 96, (0..3 * 96 * 96).map(|_| draws.unit()).collect()).unwrap();
        let input = ModelSpec::plain("m", 96, 96, &["real", "fake"]).input;
        let map = Quickshift { max_distance: 0.0, ..Quickshift::default() }.segment(&image, &input, 0);
        assert_eq!(map.count(), MOST_SEGMENTS);
    }

    #[test]
    fn the_smallest_pictures_do_not_panic() {
        assert_eq!(segment(1, 1, 0, |_, _| 0.3).count(), 1);
        assert_eq!(segment(2, 3, 0, |_, _| 0.3).count(), 1);
    }
}
