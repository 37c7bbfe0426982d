//! A probe of the model around a picture: the picture plus or minus seeded Gaussian noise.

use std::sync::{Arc, OnceLock};

use crate::upsample::Cubic;
use crate::{Draws, Stream, Tensor, cubic};

/// Where noise may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// One deviate per pixel, the same for every channel.
    Plane,
    /// Deviates on a square grid of this many rows for each channel, cubic in between.
    Grid(usize),
}

/// Standard normal deviates, a function of (seed, index) and the basis alone.
///
/// They are drawn when somebody first needs them, such as a worker, and kept for whoever needs them next: the opposite
/// probe, and the fold of both scores.
#[derive(Debug)]
pub struct Direction {
    seed: u64,
    index: u64,
    basis: Basis,
    deviates: OnceLock<Box<[f32]>>,
    len: usize,
}

/// `image + scale * noise`.
#[derive(Clone, Debug)]
pub struct Noise {
    /// The noise.
    pub direction: Arc<Direction>,
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

    /// Deviates, or a sum of them, as a field over one channel: row-major `[height, width]`.
    pub fn field(self, deviates: &[f32], channel: usize, (height, width): (usize, usize)) -> Vec<f32> {
        match self {
            Self::Plane => deviates.to_vec(),
            Self::Grid(side) => cubic(plane(deviates, channel, side), (side, side), (height, width)),
        }
    }
}

/// The deviates of one channel.
fn plane(deviates: &[f32], channel: usize, side: usize) -> &[f32] {
    &deviates[channel * side * side..(channel + 1) * side * side]
}

impl Direction {
    /// Direction number `index` under `seed`, for pictures of this size.
    pub fn new(
        seed: u64,
        index: u64,
        basis: Basis,
        (channels, height, width): (usize, usize, usize),
    ) -> Self {
        Self { seed, index, basis, deviates: OnceLock::new(), len: basis.len(channels, height, width) }
    }

    /// Where its noise may go.
    pub fn basis(&self) -> Basis {
        self.basis
    }

    /// Number of deviates.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it goes nowhere.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The deviates, as [`Basis`] has them.
    pub fn deviates(&self) -> &[f32] {
        self.deviates.get_or_init(|| {
            let mut draws = Draws::of(Stream::Search, self.seed, self.index);
            (0..self.len).map(|_| draws.normal()).collect()
        })
    }
}

impl Noise {
    /// Calls `each` with every channel's and pixel row's number and values.
    pub(crate) fn each_row(&self, image: &Tensor, mut each: impl FnMut(usize, usize, &[f32])) {
        let (height, width) = (image.height(), image.width());
        let deviates = self.direction.deviates();
        let mut values = vec![0.0; width];
        for c in 0..image.channels() {
            let scale = self.scale[c % 3];
            let mut row = |y: usize, noise: &[f32]| {
                let span = y * width..(y + 1) * width;
                let pixels = &image.channel(c)[span.clone()];
                for (value, (pixel, noise)) in values.iter_mut().zip(pixels.iter().zip(noise)) {
                    *value = pixel + scale * noise;
                }
                if let Some(region) = &self.region {
                    let kept = values.iter_mut().zip(pixels).zip(&region[span]);
                    kept.filter(|(_, free)| !**free).for_each(|((value, pixel), _)| *value = *pixel);
                }
                each(c, y, &values);
            };
            match self.direction.basis {
                Basis::Plane => deviates.chunks_exact(width).enumerate().for_each(|(y, noise)| row(y, noise)),
                Basis::Grid(side) => {
                    Cubic::new((side, side), (height, width)).each_row(plane(deviates, c, side), row);
                }
            }
        }
    }
}
