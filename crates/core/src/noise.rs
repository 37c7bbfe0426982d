//! A probe of the model around a picture: the picture plus or minus seeded Gaussian noise.

use std::sync::Arc;

use crate::{Draws, Stream, Tensor, cubic};

/// Where noise may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// One deviate per pixel, the same for every channel.
    Plane,
    /// Deviates on a square grid of this many rows for each channel, cubic in between.
    Grid(usize),
}

/// `image + sign * scale * noise`, where noise is a function of (seed, index) and the basis alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    /// Seed of the search.
    pub seed: u64,
    /// Number of the direction within the search.
    pub index: u64,
    /// Where noise may go.
    pub basis: Basis,
    /// Standard deviation of a deviate, per channel in the model's units; negative for the opposite probe.
    pub scale: [f32; 3],
    /// Pixels that may change, row-major `[height, width]`; all where `None`.
    pub region: Option<Arc<[bool]>>,
}

impl Basis {
    /// Number of deviates of one direction.
    pub fn len(self, channels: usize, height: usize, width: usize) -> usize {
        match self {
            Self::Plane => height * width,
            Self::Grid(side) => channels * side * side,
        }
    }

    /// The deviates of direction `index` under `seed`.
    pub fn deviates(
        self,
        seed: u64,
        index: u64,
        (channels, height, width): (usize, usize, usize),
    ) -> Vec<f32> {
        let mut draws = Draws::of(Stream::Search, seed, index);
        (0..self.len(channels, height, width)).map(|_| draws.normal()).collect()
    }

    /// Deviates, or a sum of them, as a field over one channel: row-major `[height, width]`.
    pub fn field(self, deviates: &[f32], channel: usize, (height, width): (usize, usize)) -> Vec<f32> {
        match self {
            Self::Plane => deviates.to_vec(),
            Self::Grid(side) => {
                let plane = side * side;
                cubic(&deviates[channel * plane..(channel + 1) * plane], (side, side), (height, width))
            }
        }
    }
}

impl Noise {
    /// The probe's values, channel by channel, row-major.
    pub(crate) fn each_channel(&self, image: &Tensor, mut each: impl FnMut(usize, &[f32])) {
        let shape = (image.channels(), image.height(), image.width());
        let deviates = self.basis.deviates(self.seed, self.index, shape);
        for c in 0..shape.0 {
            let mut values = self.basis.field(&deviates, c, (shape.1, shape.2));
            let scale = self.scale[c % 3];
            values.iter_mut().zip(image.channel(c)).for_each(|(v, pixel)| *v = pixel + scale * *v);
            if let Some(region) = &self.region {
                let pixels = values.iter_mut().zip(image.channel(c)).zip(region.iter());
                pixels.filter(|(_, free)| !**free).for_each(|((v, pixel), _)| *v = *pixel);
            }
            each(c, &values);
        }
    }
}
