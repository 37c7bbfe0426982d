//! Regions of one colour and about one size: Simple Linear Iterative Clustering (Achanta et al., TPAMI 2012, DOI
//! 10.1109/TPAMI.2012.120) with the arithmetic and the defaults of scikit-image 0.26: no smoothing, ten rounds, connected
//! regions of half to three times the mean size. A picture `[3, H, W]` becomes labels `[H, W]`; cost: no pass.
//!
//! Departures from the paper, all of them scikit-image's: seeds are not moved to low gradients and start with colour zero,
//! and the picture is first stretched to 0..=1 over all channels together. From scikit-image: colours become L*a*b* in
//! float64 and are rounded once.

mod cluster;
mod connect;
mod seeds;

use unmask_core::{InputSpec, Kind, LabelMap, Param, Preset, Tensor};

use super::merge::at_most;
use super::{MOST_SEGMENTS, lab};
use crate::catalogue::Descriptor;
use crate::image::{rgb_channels, to_pixels};
use cluster::{Planes, cluster};
use connect::connect;

/// Regions smaller than this share of the mean size join a neighbour.
const SMALLEST: f64 = 0.5;
/// Regions are cut at this many times the mean size.
const LARGEST: f64 = 3.0;

/// Wanted number of regions; about as many come out.
pub const SEGMENTS: Param = Param {
    name: "segments",
    unit: "regions",
    kind: Kind::Integer { default: 50, min: 2, max: 1024 },
    paper: None,
    help: "Wanted number of regions; about as many come out.",
    source: "arXiv 2502.03957",
};
/// Weight of closeness against colour.
pub const COMPACTNESS: Param = Param {
    name: "compactness",
    unit: "",
    kind: Kind::Real { default: 10.0, min: 0.01, max: 1000.0 },
    paper: None,
    help: "Weight of closeness against colour.",
    source: "scikit-image",
};
/// Whether the model's normalised values are segmented in place of the colours.
pub const NORMALISED: Param = Param {
    name: "normalised",
    unit: "",
    kind: Kind::Flag(false),
    paper: None,
    help: "Whether the model's normalised values are segmented in place of the colours.",
    source: "arXiv 2502.03957 for LIME; it scores maps on the other",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "slic",
    summary: "Regions of one colour and about one size.",
    citation: "Achanta et al., TPAMI 2012, DOI 10.1109/TPAMI.2012.120",
    params: &[SEGMENTS, COMPACTNESS, NORMALISED],
    passes: "0",
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Slic {
    /// Wanted number of regions.
    pub segments: usize,
    /// Weight of closeness against colour.
    pub compactness: f64,
    /// Whether the model's normalised values are segmented in place of the colours.
    pub normalised: bool,
}

impl Slic {
    /// The regions of `image`, which is in the units of `input`: every one is 4-connected.
    pub fn segment(&self, image: &Tensor, input: &InputSpec) -> LabelMap {
        let (height, width) = (image.height(), image.width());
        let rgb = if self.normalised {
            rgb_channels(input).map(|channel| image.channel(channel).to_vec())
        } else {
            let pixels = to_pixels(image, input);
            [0, 1, 2].map(|channel| pixels.iter().map(|pixel| f32::from(pixel[channel]) / 255.0).collect())
        };
        let planes = Planes { height, width, colour: scaled_lab(stretched(rgb), self.compactness) };
        let (clusters, seeds) = cluster(&planes, self.segments);
        let mean = (height * width) as f64 / seeds.max(1) as f64;
        let sizes = (SMALLEST * mean) as usize..(LARGEST * mean) as usize;
        let regions = at_most(MOST_SEGMENTS, height, width, &connect(&clusters, height, width, sizes));
        LabelMap::new(height, width, &regions).expect("there is one label per pixel")
    }
}

/// Brings the lowest value of all channels to 0 and the highest to 1; a flat picture becomes 0.
fn stretched(mut rgb: [Vec<f32>; 3]) -> [Vec<f32>; 3] {
    let values = || rgb.iter().flatten().copied();
    let (low, high) = (values().fold(f32::INFINITY, f32::min), values().fold(f32::NEG_INFINITY, f32::max));
    let range = if high > low { high - low } else { 1.0 };
    rgb.iter_mut().flatten().for_each(|value| *value = (*value - low) / range);
    rgb
}

/// L*a*b* planes over the compactness.
fn scaled_lab(mut rgb: [Vec<f32>; 3], compactness: f64) -> [Vec<f32>; 3] {
    let ratio = (1.0 / compactness) as f32;
    let [first, second, third] = &mut rgb;
    for ((first, second), third) in first.iter_mut().zip(second).zip(third) {
        let lab = lab::lab([*first, *second, *third].map(|value| lab::linear(f64::from(value))));
        [*first, *second, *third] = lab.map(|value| value as f32 * ratio);
    }
    rgb
}

impl Default for Slic {
    fn default() -> Self {
        let ignored = &mut Vec::new();
        Self {
            segments: SEGMENTS.integer(None, Preset::Clean, "", ignored) as usize,
            compactness: COMPACTNESS.real(None, Preset::Clean, "", ignored),
            normalised: NORMALISED.flag(None, Preset::Clean),
        }
    }
}

#[cfg(test)]
mod tests {
    use unmask_core::ModelSpec;

    use super::*;

    fn segment(
        slic: &Slic,
        height: usize,
        width: usize,
        value: impl Fn(usize, usize, usize) -> f32,
    ) -> LabelMap {
        let plane = height * width;
        let data = (0..3 * plane).map(|i| value(i / plane, i % plane / width, i % width)).collect();
        let input = ModelSpec::plain("m", height, width, &["real", "fake"]).input;
        slic.segment(&Tensor::new(3, height, width, data).unwrap(), &input)
    }

    /// Values without order, in 0..1.
    fn noise(c: usize, y: usize, x: usize) -> f32 {
        (((c * 7919 + y * 1009 + x) as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / 16_777_216.0
    }

    /// Waves with some noise on them.
    fn waves(c: usize, y: usize, x: usize) -> f32 {
        let wave = ((x as f32 / (9.0 + c as f32)).sin() * (y as f32 / 13.0).cos() + 1.0) / 2.0;
        0.8 * wave + 0.2 * noise(c, y, x)
    }

    /// Number of 4-connected parts of equal labels.
    fn parts(map: &LabelMap) -> usize {
        connect(map.labels(), map.height(), map.width(), 0..usize::MAX)
            .into_iter()
            .max()
            .map_or(0, |m| m as usize + 1)
    }

    #[test]
    fn a_flat_picture_of_224_pixels_is_cut_into_49_equal_squares() {
        let map = segment(&Slic::default(), 224, 224, |_, _, _| 0.4);
        assert_eq!(map.count(), 49);
        assert!((0..49).all(|label| map.labels().iter().filter(|l| **l == label).count() == 1024));
    }

    #[test]
    fn every_region_is_connected_and_every_label_in_use() {
        for slic in [
            Slic::default(),
            Slic { segments: 2, ..Slic::default() },
            Slic { segments: 300, compactness: 0.01, ..Slic::default() },
            Slic { segments: 1024, compactness: 1000.0, normalised: true },
        ] {
            for (height, width) in [(64, 64), (37, 101), (3, 90)] {
                for map in [segment(&slic, height, width, waves), segment(&slic, height, width, noise)] {
                    assert_eq!(parts(&map), map.count(), "{slic:?} {height} {width}");
                    assert!(map.labels().contains(&0) && map.count() <= MOST_SEGMENTS);
                }
            }
        }
    }

    #[test]
    fn the_smallest_pictures_and_more_segments_than_pixels_do_not_panic() {
        for segments in [2, 50, 1024] {
            let slic = Slic { segments, ..Slic::default() };
            assert_eq!(segment(&slic, 1, 1, noise).count(), 1);
            assert!(segment(&slic, 2, 3, noise).count() <= 6);
            assert!(segment(&slic, 1, 40, noise).count() <= 40);
            assert!(segment(&slic, 9, 1, noise).count() <= 9);
        }
    }

    #[test]
    fn the_normalised_values_are_another_picture() {
        let mut input = ModelSpec::plain("m", 48, 48, &["real", "fake"]).input;
        let data = (0..3 * 48 * 48).map(|i| waves(i / 2304, i % 2304 / 48, i % 48)).collect();
        let image = Tensor::new(3, 48, 48, data).unwrap();
        let colours = Slic::default();
        let normalised = Slic { normalised: true, ..Slic::default() };
        (input.mean, input.std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        assert_ne!(colours.segment(&image, &input), normalised.segment(&image, &input));
    }

    #[test]
    fn values_that_are_no_numbers_do_not_panic() {
        let slic = Slic { normalised: true, ..Slic::default() };
        assert!(segment(&slic, 8, 8, |_, _, _| f32::NAN).count() >= 1);
        assert!(segment(&slic, 8, 8, |_, y, _| if y == 3 { f32::INFINITY } else { 0.0 }).count() >= 1);
    }
}
