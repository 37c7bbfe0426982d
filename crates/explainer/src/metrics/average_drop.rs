//! Average drop, increase and gain: what the score loses or gains when only the map's part of the picture is left.
//!
//! The map's evidence, brought to 0..1, is kept for the highest K % of the pixels, rounded up, and set to 0 elsewhere; each pixel is the
//! picture's by that share and the fill's by the rest. With p the probability of the target's classes on the picture and p' on
//! the blend,
//!
//! ```text
//! average_drop_K     = max(0, p - p') / p          lower is better
//! average_increase_K = 1 where p' > p, else 0      higher is better
//! average_gain_K     = max(0, p' - p) / (1 - p)    higher is better
//! ```
//!
//! for K = 100, 50, 15. Chattopadhay et al., WACV 2018, arXiv 1710.11063; the levels are those of P-TAME's evaluation, the gain
//! is that of Zhang et al., arXiv 2301.07002. Cost: 3 passes. Read in probabilities whatever the scale of the plan. The
//! default fill is black, as the picture is multiplied by the map there.

use unmask_core::{Cells, Filter, ForwardError, Perturbation};

use super::{About, Better, Case, FLAT, FigureAbout, Measured, Metric, Need, Size, Wrong};
use crate::catalogue::Descriptor;

/// Percents of the pixels that are kept.
const KEPT: [usize; 3] = [100, 50, 15];

const DROP: FigureAbout = FigureAbout { name: "average_drop_K", better: Better::Lower };
const INCREASE: FigureAbout = FigureAbout { name: "average_increase_K", better: Better::Higher };
const GAIN: FigureAbout = FigureAbout { name: "average_gain_K", better: Better::Higher };

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "average_drop",
        summary: "What the probability loses or gains when only the map's part of the picture is left.",
        citation: "Chattopadhay et al., WACV 2018, arXiv 1710.11063",
        params: &[],
        passes: "3",
    },
    figures: &[DROP, INCREASE, GAIN],
    needs: &[Need::Fill],
    tells: &[Wrong::Shifted, Wrong::Inverted],
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct AverageDrop {}

impl Metric for AverageDrop {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        KEPT.len() as u64
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        if case.is_flat() {
            let figures =
                [DROP, INCREASE, GAIN].iter().flat_map(|about| KEPT.map(|k| about.at(k, Err(FLAT))));
            return Ok(Measured { figures: figures.collect(), ..Measured::default() });
        }
        let logits = case.ask(case.fill, KEPT.iter().map(|kept| blend(case, *kept)))?;
        let before = case.probability(case.logits);
        let after: Vec<f64> = logits.iter().map(|logits| case.probability(logits)).collect();
        let share = |part: f64, of: f64| if of > 0.0 { part.max(0.0) / of } else { 0.0 };
        let of = |about: FigureAbout, value: &dyn Fn(f64) -> f64| {
            let pairs = KEPT.iter().zip(&after);
            pairs.map(|(k, after)| about.at(*k, Ok(value(*after)))).collect::<Vec<_>>()
        };
        let figures = [
            of(DROP, &|after| share(before - after, before)),
            of(INCREASE, &|after| if after > before { 1.0 } else { 0.0 }),
            of(GAIN, &|after| share(after - before, 1.0 - before)),
        ];
        Ok(Measured { figures: figures.concat(), ..Measured::default() })
    }
}

/// The picture where the map is high, the fill where it is low.
fn blend(case: &Case<'_>, kept: usize) -> Perturbation {
    let (evidence, ranks) = (case.evidence(), case.ranks());
    let (low, high) =
        evidence.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let top = (kept * evidence.len()).div_ceil(100);
    let values = evidence.iter().zip(ranks.ranks()).map(|(value, rank)| {
        let share = ((value - low) / (high - low)) as f32;
        if (*rank as usize) < top { share.clamp(0.0, 1.0) } else { 0.0 }
    });
    Perturbation::Cells(Cells {
        rows: case.map.height,
        cols: case.map.width,
        values: values.collect(),
        plane: (case.map.height, case.map.width),
        offset: (0, 0),
        filter: Filter::Nearest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    fn values(planted: &Planted) -> Vec<f64> {
        planted.measure(&AverageDrop {}).figures.iter().map(|f| f.value.unwrap()).collect()
    }

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    #[test]
    fn the_drop_is_that_of_the_blended_picture() {
        // Log-odds are the sum of the pixels; the map 4, 2, 0, 1 is 1, 0.5, 0, 0.25 and its higher half 1, 0.5.
        let planted = Planted::new(1, 4, &["real", "fake"], vec![4.0, 2.0, 0.0, 1.0], |x| {
            vec![0.0, x[..4].iter().sum()]
        });
        let p = sigmoid(4.0);
        let expected = [1.75, 1.5, 1.0].map(|sum| (p - sigmoid(sum)) / p);
        let values = values(&planted);
        assert!(values[..3].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{values:?}");
        assert_eq!(values[3..], [0.0; 6]);
    }

    #[test]
    fn a_rise_counts_as_an_increase_and_as_a_gain() {
        // The second pixel speaks against: without it the score rises from 0 to 2.
        let planted =
            Planted::new(1, 2, &["real", "fake"], vec![1.0, 0.0], |x| vec![0.0, 2.0 * x[0] - 2.0 * x[1]]);
        let gain = (sigmoid(2.0) - 0.5) / 0.5;
        let values = values(&planted);
        assert_eq!(values[..6], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        assert!(values[6..].iter().all(|v| (v - gain).abs() < 1e-6), "{values:?}");
    }

    #[test]
    fn the_gain_of_a_sure_detector_stays_a_share() {
        for steps in 0..200u8 {
            let (a, b) = (f32::from(steps % 13) * 0.37, f32::from(steps % 7) * 0.91);
            let real = -12.0 - f32::from(steps) * 0.05;
            let logits = move |x: &[f32]| vec![real + 2.0 * x[1], a, b + x[1], 0.5];
            let labels = ["real", "swapped", "reenacted", "made"];
            let target = unmask_core::Target::manipulated(0, labels.len());
            let sure = Planted { target, ..Planted::new(1, 2, &labels, vec![1.0, 0.0], logits) };
            let values = values(&sure);
            assert!(values.iter().all(|v| (0.0..=1.0).contains(v)), "{steps}: {values:?}");
        }
    }

    #[test]
    fn a_flat_map_has_no_part() {
        let flat = Planted::new(1, 2, &["real", "fake"], vec![1.0, 1.0], |x| vec![0.0, x[0]]);
        assert!(flat.measure(&AverageDrop {}).figures.iter().all(|f| f.value == Err(FLAT)));
    }
}
