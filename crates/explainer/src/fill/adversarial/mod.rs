//! The same picture, changed a little so that the detector decides otherwise.

pub mod bounded;
pub mod paper;

use std::sync::Arc;

use unmask_core::{
    Basis, Direction, Forward, ForwardError, ModelSpec, Noise, Perturbation, Round, Scores, Tensor, highest,
};

use crate::catalogue::Descriptor;
pub use bounded::Bounded;
pub use paper::Paper;

/// Most pairs of a step: a step's probes are one round.
const MOST_PAIRS: u64 = 64;

pub(super) const BOUNDED: Descriptor = bounded::DESCRIPTOR;
pub(super) const PAPER: Descriptor = paper::DESCRIPTOR;

/// A search for an adversarial sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Search {
    /// Within a bound, by an estimator that works.
    Bounded(Bounded),
    /// The algorithm of arXiv 2502.03957.
    Paper(Paper),
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The sample in the model's units.
    pub tensor: Arc<Tensor>,
    /// Whether the detector decides otherwise on it.
    pub flipped: bool,
    /// Whether the search was over, and not out of passes.
    pub done: bool,
    /// Steps.
    pub steps: u64,
    /// Forward passes.
    pub passes: u64,
    /// Logits of the picture.
    pub before: Vec<f32>,
    /// Logits of the sample.
    pub after: Vec<f32>,
}

impl Search {
    /// Names of all of them in the contract.
    pub const NAMES: [&'static str; 2] = [BOUNDED.name, PAPER.name];

    /// Its name in the contract.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bounded(_) => BOUNDED.name,
            Self::Paper(_) => PAPER.name,
        }
    }

    /// Upper bound of the forward passes that `run` asks for.
    pub fn announced(&self) -> u64 {
        match self {
            Self::Bounded(bounded) => bounded.announced(),
            Self::Paper(paper) => paper.announced(),
        }
    }

    /// Fewest forward passes with which `run` takes a step.
    pub fn least(&self) -> u64 {
        match self {
            Self::Bounded(bounded) => Bounded::least(bounded.pairs),
            Self::Paper(paper) => paper.least(),
        }
    }

    /// The same search with at most so many passes: it goes the same way, and ends on it where they do.
    #[must_use]
    pub fn within(&self, passes: u64) -> Self {
        match self {
            Self::Bounded(bounded) => Self::Bounded(bounded.within(passes)),
            Self::Paper(paper) => Self::Paper(paper.within(passes)),
        }
    }

    /// Searches from `image`; only pixels of `region`, row-major `[H, W]`, may change. `each` sees every point on the way with
    /// its logits.
    ///
    /// # Errors
    /// What [`Forward`] answers, and [`ForwardError::Unanswered`] when the passes ended before the first step.
    pub fn run(
        &self,
        image: &Arc<Tensor>,
        region: Option<&Arc<[bool]>>,
        seed: u64,
        forward: &dyn Forward,
        each: &mut dyn FnMut(&Arc<Tensor>, &[f32]),
    ) -> Result<Sample, ForwardError> {
        match self {
            Self::Bounded(bounded) => bounded.run(image, region, seed, forward, each),
            Self::Paper(paper) => paper.run(image, region, seed, forward, each),
        }
    }

    /// Searches from `image`, all of which may change.
    ///
    /// # Errors
    /// As [`Search::run`].
    pub fn whole(
        &self,
        image: &Arc<Tensor>,
        seed: u64,
        forward: &dyn Forward,
    ) -> Result<Sample, ForwardError> {
        self.run(image, None, seed, forward, &mut |_, _| ())
    }
}

impl Sample {
    /// Largest and mean absolute change from `image`, in pixel values of 255.
    pub fn change(&self, image: &Tensor, spec: &ModelSpec) -> (f64, f64) {
        let (mut largest, mut sum) = (0.0f64, 0.0f64);
        for c in 0..image.channels() {
            let level = f64::from(spec.input.level(c % 3));
            for (a, b) in self.tensor.channel(c).iter().zip(image.channel(c)) {
                let change = f64::from((a - b).abs()) / level;
                largest = largest.max(change);
                sum += change;
            }
        }
        (largest, sum / image.data().len().max(1) as f64)
    }
}

/// Asks a model, counts, and remembers that the passes have run out.
struct Asker<'a> {
    forward: &'a dyn Forward,
    passes: u64,
}

impl Asker<'_> {
    /// The scores of a round, or `None` where a budget or deadline came first.
    fn ask(&mut self, image: &Arc<Tensor>, items: Vec<Perturbation>) -> Result<Option<Scores>, ForwardError> {
        let asked = items.len() as u64;
        let round = Round { image: Arc::clone(image), fill: Arc::clone(image), items };
        match self.forward.scores(round) {
            Ok(scores) => {
                self.passes += asked;
                Ok(Some(scores))
            }
            Err(ForwardError::Unanswered(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The logits of one picture.
    fn logits(&mut self, image: &Arc<Tensor>) -> Result<Option<Vec<f32>>, ForwardError> {
        let scores = self.ask(image, vec![Perturbation::Dense(Arc::clone(image))])?;
        Ok(scores.map(|scores| scores.row(0).to_vec()))
    }
}

/// The directions of one step, each probed on both sides.
struct Directions<'a> {
    directions: Vec<Arc<Direction>>,
    scale: [f32; 3],
    region: Option<&'a Arc<[bool]>>,
}

/// Which directions.
struct Drawing {
    seed: u64,
    step: u64,
    pairs: usize,
    basis: Basis,
}

impl<'a> Directions<'a> {
    /// As many as there are pairs, for pictures like this one.
    fn new(drawing: &Drawing, image: &Tensor, scale: [f32; 3], region: Option<&'a Arc<[bool]>>) -> Self {
        let shape = (image.channels(), image.height(), image.width());
        let first = drawing.step * MOST_PAIRS;
        let directions = (first..first + drawing.pairs as u64)
            .map(|index| Arc::new(Direction::new(drawing.seed, index, drawing.basis, shape)))
            .collect();
        Self { directions, scale, region }
    }

    fn probes(&self) -> Vec<Perturbation> {
        let probe = |direction: &Arc<Direction>, sign: f32| {
            Perturbation::Noise(Noise {
                direction: Arc::clone(direction),
                scale: self.scale.map(|scale| sign * scale),
                region: self.region.cloned(),
            })
        };
        self.directions.iter().flat_map(|d| [probe(d, 1.0), probe(d, -1.0)]).collect()
    }

    /// Sum over the pairs of how much higher the score is on the positive side, times the direction.
    fn slope(&self, scores: &[f64]) -> Vec<f32> {
        let mut sum = vec![0.0f64; self.directions.first().map_or(0, |direction| direction.len())];
        for (direction, pair) in self.directions.iter().zip(scores.chunks_exact(2)) {
            let rise = pair[0] - pair[1];
            sum.iter_mut().zip(direction.deviates()).for_each(|(sum, v)| *sum += rise * f64::from(*v));
        }
        sum.iter().map(|v| *v as f32).collect()
    }
}

/// Whether a detector calls a picture manipulated.
fn called_manipulated(logits: &[f32], spec: &ModelSpec) -> bool {
    highest(logits) != spec.output.real
}

#[cfg(test)]
mod planted {
    use super::*;
    use unmask_core::{FromFn, softmax};

    pub(super) const SIDE: usize = 32;

    pub(super) fn image() -> Arc<Tensor> {
        let data = (0..3 * SIDE * SIDE).map(|i| 0.3 + 0.4 * ((i * 37 % 101) as f32 / 101.0)).collect();
        Arc::new(Tensor::new(3, SIDE, SIDE, data).unwrap())
    }

    /// Weights that vary slowly over the picture: mean 0, mean absolute value about 0.6.
    pub(super) fn weight(i: usize) -> f32 {
        let (y, x) = (i / SIDE % SIDE, i % SIDE);
        (y as f32 / 5.0).sin() * (x as f32 / 4.0).cos()
    }

    /// A detector that is linear in the pixels; on [`image`] its log-odds of manipulated are `margin`.
    pub(super) fn linear(margin: f32) -> FromFn<impl Fn(&[f32]) -> Vec<f32>> {
        let start = image();
        let logits = move |x: &[f32]| {
            let sum: f32 =
                x.iter().zip(start.data()).enumerate().map(|(i, (x, s))| weight(i) * (x - s)).sum();
            vec![0.0, 0.2 * sum + margin]
        };
        FromFn::new(ModelSpec::plain("linear", SIDE, SIDE, &["real", "fake"]), logits)
    }

    #[test]
    fn the_planted_detector_calls_its_image_manipulated_by_the_margin() {
        let round = Round { image: image(), fill: image(), items: vec![Perturbation::Dense(image())] };
        let logits = linear(2.0).scores(round).unwrap();
        assert!((softmax(logits.row(0))[1] - 0.880_797).abs() < 1e-4);
    }
}
