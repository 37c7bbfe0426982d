//! The algorithm of arXiv 2502.03957, as its code has it: Natural Evolution Strategies (arXiv 1804.08598) towards "real".
//!
//! With x the picture `[3, H, W]` in the model's units, p(x) the probability of the class "real" and `pairs` planes U of
//! standard normal deviates `[H, W]`, shared by the channels, a step is
//!
//! ```text
//! g = sum (p(x + sigma U) - p(x - sigma U)) U        x += step * sign(g)        sign(0) = 0
//! ```
//!
//! Before each step one pass tests whether the class with the highest score is "real", which ends the search; a picture that
//! is called real is returned as it is. There is no bound on the whole change, no clamp to valid pixels, no momentum. (The
//! code clips each step at 16/255, which never acts.) Cost: `2 * pairs + 1` passes a step.
//!
//! Departures: the deviates are a function of the seed; one pass after the last step tells whether the sample is flipped,
//! which the code leaves open.

use std::sync::Arc;

use unmask_core::{Basis, Ended, Forward, ForwardError, Kind, Param, Preset, Tensor, softmax};

use super::{Asker, Directions, Drawing, Sample, called_manipulated};
use crate::catalogue::Descriptor;

/// Most steps.
pub const STEPS: Param = Param {
    name: "steps",
    unit: "steps",
    kind: Kind::Integer { default: 80, min: 1, max: 1000 },
    paper: None,
    help: "Most steps.",
    source: "arXiv 2502.03957, for explaining; it evaluates with 50",
};
/// Pairs of opposite probes in a step.
pub const PAIRS: Param = Param {
    name: "pairs",
    unit: "pairs",
    kind: Kind::Integer { default: 40, min: 1, max: 63 },
    paper: None,
    help: "Pairs of opposite probes in a step.",
    source: "arXiv 2502.03957",
};
/// Standard deviation of the noise.
pub const SIGMA: Param = Param {
    name: "sigma",
    unit: "model's units",
    kind: Kind::Real { default: 0.001, min: 0.000_001, max: 10.0 },
    paper: None,
    help: "Standard deviation of the noise.",
    source: "arXiv 2502.03957",
};
/// Change of a value in one step.
pub const STEP: Param = Param {
    name: "step",
    unit: "model's units",
    kind: Kind::Real { default: 1.0 / 255.0, min: 0.000_001, max: 1.0 },
    paper: None,
    help: "Change of a value in one step.",
    source: "arXiv 2502.03957",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "adversarial_paper",
    summary: "The same picture, changed by the algorithm of the paper until it is called real.",
    citation: "arXiv 2502.03957",
    params: &[STEPS, PAIRS, SIGMA, STEP],
    passes: "at most steps * (2 * pairs + 1) + 1",
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Paper {
    /// Most steps.
    pub steps: u64,
    /// Pairs of opposite probes in a step.
    pub pairs: usize,
    /// Standard deviation of the noise.
    pub sigma: f64,
    /// Change of a value in one step.
    pub step: f64,
}

impl Default for Paper {
    fn default() -> Self {
        let ignored = &mut Vec::new();
        Self {
            steps: STEPS.integer(None, Preset::Clean, "", ignored),
            pairs: PAIRS.integer(None, Preset::Clean, "", ignored) as usize,
            sigma: SIGMA.real(None, Preset::Clean, "", ignored),
            step: STEP.real(None, Preset::Clean, "", ignored),
        }
    }
}

impl Paper {
    pub(super) fn announced(&self) -> u64 {
        self.steps * self.step_passes() + 1
    }

    pub(super) fn least(&self) -> u64 {
        self.step_passes() + 1
    }

    pub(super) fn within(&self, passes: u64) -> Self {
        Self { steps: self.steps.min(passes.saturating_sub(1) / self.step_passes()), ..self.clone() }
    }

    fn step_passes(&self) -> u64 {
        2 * self.pairs as u64 + 1
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
        let mut current = Arc::clone(image);
        let before = asker.logits(&current)?.ok_or(ForwardError::Unanswered(Ended::Budget))?;
        let (mut after, mut steps) = (before.clone(), 0);
        while steps < self.steps && called_manipulated(&after, spec) {
            let drawing = Drawing { seed, step: steps, pairs: self.pairs, basis: Basis::Plane };
            let directions = Directions::new(&drawing, image, [self.sigma as f32; 3], region);
            let Some(scores) = asker.ask(&current, directions.probes())? else { break };
            let real: Vec<f64> = scores.rows().map(|row| f64::from(softmax(row)[spec.output.real])).collect();
            let next = Arc::new(self.step(&current, &directions.slope(&real), region));
            // A sample whose score is not known is not returned.
            let Some(logits) = asker.logits(&next)? else { break };
            (current, after) = (next, logits);
            each(&current, &after);
            steps += 1;
        }
        let flipped = called_manipulated(&before, spec) && !called_manipulated(&after, spec);
        let done = !called_manipulated(&after, spec);
        Ok(Sample { tensor: current, flipped, done, steps, passes: asker.passes, before, after })
    }

    /// One step along the signs of the slope, the same in every channel.
    fn step(&self, image: &Tensor, slope: &[f32], region: Option<&Arc<[bool]>>) -> Tensor {
        let step = self.step as f32;
        let mut data = Vec::with_capacity(image.data().len());
        for c in 0..image.channels() {
            data.extend(image.channel(c).iter().zip(slope).enumerate().map(|(i, (value, slope))| {
                let free = region.is_none_or(|region| region[i]);
                // A slope of 0 is no direction; signum would take it for one.
                if free && *slope != 0.0 { value + step * slope.signum() } else { *value }
            }));
        }
        Tensor::new(image.channels(), image.height(), image.width(), data).expect("every value is kept")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Search;
    use super::super::planted::{SIDE, image, linear};
    use super::*;
    use unmask_core::{FromFn, ModelSpec};

    fn found(steps: u64, region: Option<&Arc<[bool]>>, seed: u64, model: &dyn Forward) -> Sample {
        let search = Search::Paper(Paper { steps, ..Paper::default() });
        search.run(&image(), region, seed, model, &mut |_, _| ()).unwrap()
    }

    fn changes(sample: &Sample) -> Vec<f32> {
        sample.tensor.data().iter().zip(image().data()).map(|(a, b)| a - b).collect()
    }

    #[test]
    fn a_picture_that_is_called_real_is_returned_after_one_pass() {
        let image = image();
        let sample = Search::Paper(Paper::default()).whole(&image, 0, &linear(-0.5)).unwrap();
        assert_eq!((sample.passes, sample.steps, sample.flipped), (1, 0, false));
        assert!(Arc::ptr_eq(&sample.tensor, &image));
    }

    #[test]
    fn every_step_costs_81_passes_and_moves_all_channels_alike_by_the_step() {
        let sample = found(3, None, 0, &linear(50.0));
        assert_eq!((sample.passes, sample.steps, sample.flipped), (3 * 81 + 1, 3, false));
        let changes = changes(&sample);
        let plane = SIDE * SIDE;
        for i in 0..plane {
            assert!(
                (changes[i] - changes[plane + i]).abs() < 1e-6
                    && (changes[i] - changes[2 * plane + i]).abs() < 1e-6
            );
            let steps = changes[i] * 255.0;
            assert!((steps - steps.round()).abs() < 1e-3 && steps.abs() < 3.01, "{steps}");
        }
    }

    #[test]
    fn outside_the_region_the_image_keeps_its_bits() {
        let region: Arc<[bool]> = (0..SIDE * SIDE).map(|i| i % SIDE < 7).collect();
        let sample = found(1, Some(&region), 0, &linear(50.0));
        for (i, change) in changes(&sample).iter().enumerate() {
            assert_eq!(*change != 0.0, region[i % (SIDE * SIDE)], "{i}");
        }
    }

    // Of d = 16 free pixels of equal weight and n = 40 pairs, a pixel's estimate has mean n and variance n (d + 1): its sign is
    // right with the probability that a standard normal deviate lies below 40 / sqrt(40 * 17), which is 0.94.
    #[test]
    fn the_signs_of_a_linear_detector_are_found_as_often_as_theory_says() {
        let region: Arc<[bool]> = (0..SIDE * SIDE).map(|i| i / SIDE < 4 && i % SIDE < 4).collect();
        let weight = |i: usize| if i.is_multiple_of(3) { -1.0f32 } else { 1.0 };
        let logits = move |x: &[f32]| {
            let sum: f32 = (0..SIDE * SIDE).map(|i| weight(i) * x[i]).sum();
            vec![0.0, sum + 1000.0]
        };
        // The probability of "real" saturates; a linear score keeps the test about the signs.
        let small = move |x: &[f32]| logits(x).iter().map(|v| v / 1000.0).collect();
        let model = FromFn::new(ModelSpec::plain("m", SIDE, SIDE, &["real", "fake"]), small);
        let (mut right, mut all) = (0, 0);
        for seed in 0..40 {
            let sample = found(1, Some(&region), seed, &model);
            for (i, change) in changes(&sample)[..SIDE * SIDE].iter().enumerate().filter(|(i, _)| region[*i])
            {
                right += u32::from(change.signum() == -weight(i));
                all += 1;
            }
        }
        let share = f64::from(right) / f64::from(all);
        assert!((share - 0.94).abs() < 0.03, "{share}");
    }

    #[test]
    fn a_constant_added_to_every_score_changes_nothing() {
        // Opposite probes are subtracted; where they agree there is no direction and no step.
        let flat =
            FromFn::new(ModelSpec::plain("flat", SIDE, SIDE, &["real", "fake"]), |_: &[f32]| vec![0.0, 1.0]);
        let sample = found(2, None, 0, &flat);
        assert_eq!(sample.steps, 2);
        assert!(changes(&sample).iter().all(|c| *c == 0.0));
    }
}
