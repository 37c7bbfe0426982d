//! Within a bound, by an estimator that works: Natural Evolution Strategies (Ilyas et al., arXiv 1804.08598) on a coarse grid
//! (the data-dependent prior of Ilyas et al., arXiv 1807.07978), with momentum (Dong et al., arXiv 1710.06081) and a step
//! that adapts.
//!
//! With m the log-odds of manipulated against real (of real against manipulated for a picture that is called real), x the
//! picture `[3, H, W]` and U deviates on a grid `[3, grid, grid]`, brought to the frame by cubic interpolation, a step is
//!
//! ```text
//! g = sum (m(x + sigma U) - m(x - sigma U)) U,  divided by its mean absolute value
//! v = momentum * v + g
//! x = x - step * sign(v on the frame),  within `bound` of the picture and within the range of pixels
//! ```
//!
//! Before each step one pass scores x. The search ends when the decision has changed and m is below `-margin`. Where m has
//! not fallen for four steps, the step is halved and the number of pairs doubled, because near the bound a small slope
//! drowns in the noise of few probes. The best x is returned. Cost: `2 * pairs + 1` passes a step, at most `max_passes`.
//!
//! Against the paper's search: log-odds in place of probabilities, which saturate; `3 * grid^2` unknowns in place of one per
//! pixel, whose signs 40 pairs cannot tell; noise and steps of some pixel values in place of fractions of one.

use std::sync::Arc;

use unmask_core::{
    Basis, Ended, Forward, ForwardError, InputSpec, Kind, ModelSpec, Param, Preset, Target, Tensor,
};

use super::{Asker, Directions, Drawing, MOST_PAIRS, Sample, called_manipulated};
use crate::catalogue::Descriptor;

/// Most forward passes.
pub const MAX_PASSES: Param = Param {
    name: "max_passes",
    unit: "passes",
    kind: Kind::Integer { default: 2000, min: 21, max: 20_000 },
    paper: None,
    help: "Most forward passes.",
    source: "measured: docs/adversarial.md",
};
/// Largest change of a pixel value.
pub const BOUND: Param = Param {
    name: "bound",
    unit: "pixel values",
    kind: Kind::Real { default: 16.0, min: 1.0, max: 64.0 },
    paper: None,
    help: "Largest change of a pixel value.",
    source: "arXiv 2502.03957",
};
/// How far beyond the flip to go, in log-odds between manipulated and real.
pub const MARGIN: Param = Param {
    name: "margin",
    unit: "nats",
    kind: Kind::Real { default: 2.0, min: 0.0, max: 20.0 },
    paper: None,
    help: "How far beyond the flip to go, in log-odds between manipulated and real.",
    source: "measured: docs/adversarial.md",
};
/// Pairs of opposite probes in a step.
pub const PAIRS: Param = Param {
    name: "pairs",
    unit: "pairs",
    kind: Kind::Integer { default: 10, min: 1, max: 63 },
    paper: None,
    help: "Pairs of opposite probes in a step.",
    source: "measured: docs/adversarial.md",
};
/// Rows and columns of the grid of noise.
pub const GRID: Param = Param {
    name: "grid",
    unit: "cells",
    kind: Kind::Integer { default: 64, min: 2, max: 256 },
    paper: None,
    help: "Rows and columns of the grid of noise.",
    source: "measured: docs/adversarial.md",
};
/// Standard deviation of a probe's noise.
pub const SIGMA: Param = Param {
    name: "sigma",
    unit: "pixel values",
    kind: Kind::Real { default: 6.0, min: 0.1, max: 64.0 },
    paper: None,
    help: "Standard deviation of a probe's noise.",
    source: "measured: docs/adversarial.md",
};
/// Change of a pixel value in one step.
pub const STEP: Param = Param {
    name: "step",
    unit: "pixel values",
    kind: Kind::Real { default: 4.0, min: 0.1, max: 64.0 },
    paper: None,
    help: "Change of a pixel value in one step.",
    source: "measured: docs/adversarial.md",
};
/// Share of the last direction that is kept.
pub const MOMENTUM: Param = Param {
    name: "momentum",
    unit: "",
    kind: Kind::Real { default: 0.9, min: 0.0, max: 0.99 },
    paper: None,
    help: "Share of the last direction that is kept.",
    source: "measured: docs/adversarial.md",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "adversarial",
    summary: "The same picture, changed within a bound so that the detector decides otherwise.",
    citation: "Ilyas et al., ICML 2018, arXiv 1804.08598",
    params: &[MAX_PASSES, BOUND, MARGIN, PAIRS, GRID, SIGMA, STEP, MOMENTUM],
    passes: "at most max_passes",
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounded {
    /// Most forward passes.
    pub max_passes: u64,
    /// Largest change of a pixel value.
    pub bound: f64,
    /// How far beyond the flip to go, in log-odds between manipulated and real.
    pub margin: f64,
    /// Pairs of opposite probes in a step.
    pub pairs: usize,
    /// Rows and columns of the grid of noise.
    pub grid: usize,
    /// Standard deviation of a probe's noise.
    pub sigma: f64,
    /// Change of a pixel value in one step.
    pub step: f64,
    /// Share of the last direction that is kept.
    pub momentum: f64,
}

impl Default for Bounded {
    fn default() -> Self {
        let ignored = &mut Vec::new();
        Self {
            max_passes: MAX_PASSES.integer(None, Preset::Clean, "", ignored),
            bound: BOUND.real(None, Preset::Clean, "", ignored),
            margin: MARGIN.real(None, Preset::Clean, "", ignored),
            pairs: PAIRS.integer(None, Preset::Clean, "", ignored) as usize,
            grid: GRID.integer(None, Preset::Clean, "", ignored) as usize,
            sigma: SIGMA.real(None, Preset::Clean, "", ignored),
            step: STEP.real(None, Preset::Clean, "", ignored),
            momentum: MOMENTUM.real(None, Preset::Clean, "", ignored),
        }
    }
}

/// Steps without progress after which the step is halved and the pairs doubled.
const PATIENCE: u32 = 4;
/// Smallest step, in pixel values.
const SMALLEST_STEP: f64 = 0.5;
/// A fall of the log-odds that counts as progress, in nats.
const PROGRESS: f64 = 1e-3;

impl Bounded {
    pub(super) fn announced(&self) -> u64 {
        self.max_passes
    }

    /// Fewest passes with which a search of so many pairs takes a step: a score, the probes, and the score after it.
    pub fn least(pairs: usize) -> u64 {
        2 * pairs as u64 + 2
    }

    pub(super) fn within(&self, passes: u64) -> Self {
        Self { max_passes: self.max_passes.min(passes), ..self.clone() }
    }

    pub(super) fn run(
        &self,
        image: &Arc<Tensor>,
        region: Option<&Arc<[bool]>>,
        seed: u64,
        forward: &dyn Forward,
        each: &mut dyn FnMut(&Arc<Tensor>, &[f32]),
    ) -> Result<Sample, ForwardError> {
        let spec = forward.spec();
        let mut asker = Asker { forward, passes: 0 };
        let before = asker.logits(image)?.ok_or(ForwardError::Unanswered(Ended::Budget))?;
        let goal = Goal::new(&before, spec, self.margin);
        let mut best = Point { tensor: Arc::clone(image), logits: before.clone() };
        let mut current = best.clone();
        let mut pace = Pace { step: self.step, pairs: self.pairs, idle: 0 };
        let (mut velocity, mut steps) = (Vec::new(), 0);
        while !goal.is_reached(&current.logits) {
            if asker.passes + 2 * pace.pairs as u64 + 1 > self.max_passes {
                break;
            }
            let basis = Basis::Grid(self.grid);
            let drawing = Drawing { seed, step: steps, pairs: pace.pairs, basis };
            let scale = std::array::from_fn(|c| self.sigma as f32 * spec.input.level(c));
            let directions = Directions::new(&drawing, image, scale, region);
            let Some(scores) = asker.ask(&current.tensor, directions.probes())? else { break };
            let values: Vec<f64> = scores.rows().map(|row| goal.value(row)).collect();
            self.accelerate(&mut velocity, &directions.slope(&values));
            let moved = self.moved(image, &current.tensor, &velocity, pace.step, &spec.input);
            let next = Arc::new(within(moved, &current.tensor, region));
            let Some(logits) = asker.logits(&next)? else { break };
            current = Point { tensor: next, logits };
            each(&current.tensor, &current.logits);
            steps += 1;
            let progress = goal.value(&current.logits) < goal.value(&best.logits) - PROGRESS;
            if progress || goal.is_reached(&current.logits) {
                best = current.clone();
            }
            pace.after(progress);
        }
        let flipped = called_manipulated(&best.logits, spec) != called_manipulated(&before, spec);
        let done = goal.is_reached(&current.logits);
        let Point { tensor, logits: after } = best;
        Ok(Sample { tensor, flipped, done, steps, passes: asker.passes, before, after })
    }

    /// Mixes a slope, brought to mean absolute value 1, into the direction of the last steps.
    fn accelerate(&self, velocity: &mut Vec<f32>, slope: &[f32]) {
        let mean = slope.iter().map(|v| f64::from(v.abs())).sum::<f64>() / slope.len().max(1) as f64;
        let factor = if mean > 0.0 { (1.0 / mean) as f32 } else { 0.0 };
        velocity.resize(slope.len(), 0.0);
        for (velocity, slope) in velocity.iter_mut().zip(slope) {
            *velocity = self.momentum as f32 * *velocity + factor * slope;
        }
    }

    /// The point one step down from `current`, within the bound around `image` and within the range of pixels.
    fn moved(
        &self,
        image: &Tensor,
        current: &Tensor,
        velocity: &[f32],
        step: f64,
        input: &InputSpec,
    ) -> Tensor {
        let shape = (image.height(), image.width());
        let mut data = Vec::with_capacity(image.data().len());
        for c in 0..image.channels() {
            let field = Basis::Grid(self.grid).field(velocity, c, shape);
            let level = input.level(c % 3);
            let (step, bound) = (step as f32 * level, self.bound as f32 * level);
            let ends = (input.units(c % 3, 0.0), input.units(c % 3, 255.0));
            let (lowest, highest) = (ends.0.min(ends.1), ends.0.max(ends.1));
            let pixels = image.channel(c).iter().zip(current.channel(c)).zip(&field);
            data.extend(pixels.map(|((origin, value), slope)| {
                // A slope of 0 is no direction; signum would take it for one.
                let moved = if *slope == 0.0 { *value } else { value - step * slope.signum() };
                moved.clamp(origin - bound, origin + bound).clamp(lowest, highest)
            }));
        }
        Tensor::new(image.channels(), shape.0, shape.1, data).expect("every value is kept")
    }
}

/// The moved picture inside the region, the other one outside.
fn within(moved: Tensor, other: &Tensor, region: Option<&Arc<[bool]>>) -> Tensor {
    let Some(region) = region else { return moved };
    let pairs = moved.data().iter().zip(other.data()).zip(region.iter().cycle());
    let data = pairs.map(|((moved, other), free)| if *free { *moved } else { *other }).collect();
    Tensor::new(moved.channels(), moved.height(), moved.width(), data).expect("every value is kept")
}

/// A picture and its scores.
#[derive(Clone)]
struct Point {
    tensor: Arc<Tensor>,
    logits: Vec<f32>,
}

/// What is to become small, and when it is small enough.
struct Goal<'a> {
    manipulated: Target,
    sign: f64,
    margin: f64,
    spec: &'a ModelSpec,
}

impl<'a> Goal<'a> {
    fn new(before: &[f32], spec: &'a ModelSpec, margin: f64) -> Self {
        let sign = if called_manipulated(before, spec) { 1.0 } else { -1.0 };
        Self { manipulated: Target::manipulated(spec.output.real, spec.classes()), sign, margin, spec }
    }

    /// Log-odds of the first decision.
    fn value(&self, logits: &[f32]) -> f64 {
        self.sign * self.manipulated.value(logits)
    }

    fn is_reached(&self, logits: &[f32]) -> bool {
        let other = called_manipulated(logits, self.spec) != (self.sign > 0.0);
        other && self.value(logits) < -self.margin
    }
}

/// How far and how carefully the next step goes.
struct Pace {
    step: f64,
    pairs: usize,
    idle: u32,
}

impl Pace {
    fn after(&mut self, progress: bool) {
        self.idle = if progress { 0 } else { self.idle + 1 };
        if self.idle == PATIENCE {
            self.step = (self.step / 2.0).max(SMALLEST_STEP.min(self.step));
            self.pairs = (2 * self.pairs).min(MOST_PAIRS as usize - 1);
            self.idle = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Search;
    use super::super::planted::{SIDE, image, linear, weight};
    use super::*;
    use unmask_core::FromFn;

    fn found(search: Bounded, seed: u64, model: &dyn Forward) -> Sample {
        Search::Bounded(search).whole(&image(), seed, model).unwrap()
    }

    fn small() -> Bounded {
        Bounded { grid: 16, ..Bounded::default() }
    }

    #[test]
    fn a_linear_detector_is_flipped_both_ways_within_the_bound_and_the_range_of_pixels() {
        for margin in [3.0, -3.0] {
            let model = linear(margin);
            let sample = found(small(), 1, &model);
            assert!(sample.flipped, "{margin}: {sample:?}");
            let manipulated = Target::manipulated(0, 2);
            assert!(manipulated.value(&sample.after) * f64::from(margin.signum()) < -2.0);
            let (largest, mean) = sample.change(&image(), model.spec());
            assert!(largest <= 16.001 && mean > 0.1 && mean < largest, "{largest} {mean}");
            assert!(sample.tensor.data().iter().all(|v| (0.0..=1.0).contains(v)));
            assert!(sample.passes <= sample.steps * 21 + 1, "{sample:?}");
        }
    }

    #[test]
    fn several_kinds_of_manipulation_together_are_no_decision_yet() {
        // Each of two kinds is less likely than "real", both together are more: the search goes on until one is the highest.
        let start = image();
        let logits = move |x: &[f32]| {
            let sum: f32 =
                x.iter().zip(start.data()).enumerate().map(|(i, (x, s))| weight(i) * (x - s)).sum();
            vec![0.3, 0.2 * sum, 0.0]
        };
        let model = FromFn::new(ModelSpec::plain("m", SIDE, SIDE, &["real", "swap", "mouth"]), logits);
        let sample = found(Bounded { margin: 0.0, ..small() }, 0, &model);
        assert!(sample.flipped && sample.steps > 0, "{:?}", sample.after);
    }

    #[test]
    fn the_change_follows_the_slope() {
        let sample = found(small(), 1, &linear(12.0));
        let agreement: f32 = sample
            .tensor
            .data()
            .iter()
            .zip(image().data())
            .enumerate()
            .map(|(i, (a, b))| (a - b) * weight(i) * 255.0 / 16.0)
            .sum::<f32>()
            / (0..3 * SIDE * SIDE).map(|i| weight(i).abs()).sum::<f32>();
        assert!(agreement < -0.3, "{agreement}");
    }

    #[test]
    fn a_detector_that_cannot_be_flipped_costs_no_more_than_allowed_and_says_so() {
        let stubborn =
            FromFn::new(ModelSpec::plain("m", SIDE, SIDE, &["real", "fake"]), |_: &[f32]| vec![0.0, 4.0]);
        let sample = found(Bounded { max_passes: 500, ..small() }, 0, &stubborn);
        assert!(!sample.flipped && sample.passes <= 500);
        assert_eq!(sample.tensor, image());
    }

    #[test]
    fn the_fewest_passes_are_those_of_one_step() {
        let steps = |max_passes| found(Bounded { max_passes, ..small() }, 0, &linear(50.0)).steps;
        let least = Bounded::least(small().pairs);
        assert_eq!((steps(least), steps(least - 1)), (1, 0));
    }

    #[test]
    fn only_a_region_changes_and_every_point_on_the_way_is_seen() {
        let region: Arc<[bool]> = (0..SIDE * SIDE).map(|i| i % SIDE < SIDE / 2).collect();
        let mut seen = Vec::new();
        let search = Search::Bounded(Bounded { max_passes: 100, ..small() });
        let sample = search
            .run(&image(), Some(&region), 0, &linear(50.0), &mut |point, _| seen.push(Arc::clone(point)))
            .unwrap();
        let pairs = sample.tensor.data().iter().zip(image().data().to_vec()).zip(region.iter().cycle());
        assert!(pairs.clone().all(|((a, b), free)| *free || *a == b));
        assert!(pairs.filter(|((a, b), free)| **free && *a != b).count() > SIDE * SIDE);
        assert!(seen.len() as u64 == sample.steps && seen.contains(&sample.tensor));
    }

    #[test]
    fn the_same_seed_gives_the_same_sample() {
        let run = |seed| found(small(), seed, &linear(3.0));
        assert_eq!(run(4), run(4));
        assert_ne!(run(4).tensor, run(5).tensor);
    }

    #[test]
    fn an_idle_search_takes_smaller_steps_and_more_probes() {
        let mut pace = Pace { step: 4.0, pairs: 10, idle: 0 };
        (0..PATIENCE).for_each(|_| pace.after(false));
        assert_eq!((pace.step, pace.pairs), (2.0, 20));
        (0..20 * PATIENCE).for_each(|_| pace.after(false));
        assert_eq!((pace.step, pace.pairs), (0.5, 63));
    }
}
