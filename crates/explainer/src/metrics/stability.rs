//! Stability: whether the explanation stays when its own best regions are changed a little.
//!
//! The best `regions` regions are attacked as for adversarial sufficiency. Of the points on the way the last one is taken on
//! which the probability of "real" differs from that of the untouched picture by at most `change`; it is explained in the
//! same way, and the value is Pearson's correlation of the two maps over all pixels, -1 to 1. Higher is better.
//!
//! arXiv 2404.18649, as its code has it. Cost: the attack, up to 16 passes, and an explanation. The attack `paper` takes steps
//! so small that its own points are looked at; `bounded` may change the decision in one step, so that 16 points are looked at
//! on the straight line from the picture to the attacked one.
//!
//! Departures: for LIME the code correlates the masks of the two best segments, here the maps. The code counts only rises of
//! "real"; here falls count as well, so that `bounded` has a value for a picture that is called real.
//!
//! A map that has not seen the picture is perfectly stable, so that the metric cannot tell a right explanation from a wrong one.

use std::sync::Arc;

use unmask_core::{Cells, Filter, ForwardError, Kind, Param, Perturbation, Tensor, softmax};

use super::attack::{regions, whole};
use super::{About, Better, Case, FLAT, FigureAbout, Measured, Metric, Need, SUPPLIED, Size};
use crate::catalogue::Descriptor;
use crate::fill::adversarial::Search;

/// Regions that are changed.
pub const REGIONS: Param = Param {
    name: "regions",
    unit: "regions",
    kind: Kind::Integer { default: 3, min: 1, max: 16 },
    paper: None,
    help: "Regions that are changed.",
    source: "arXiv 2404.18649",
};
/// Largest change of the probability of "real".
pub const CHANGE: Param = Param {
    name: "change",
    unit: "",
    kind: Kind::Real { default: 0.1, min: 0.001, max: 0.9 },
    paper: None,
    help: "Largest change of the probability of \"real\".",
    source: "arXiv 2404.18649",
};

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "stability",
        summary: "Correlation with the map of a picture whose best regions were changed a little.",
        citation: "arXiv 2404.18649",
        params: &[REGIONS, CHANGE],
        passes: "at most those of the attack + 16 + those of an explanation",
    },
    figures: &[FigureAbout { name: "stability", better: Better::Higher }],
    needs: &[Need::Method],
    tells: &[],
};

/// Points on the line to a picture that was attacked within a bound.
const POINTS: usize = 16;

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Stability {
    /// Regions that are changed.
    pub regions: usize,
    /// Largest change of the probability of "real".
    pub change: f64,
    /// The attack.
    pub attack: Search,
}

impl Metric for Stability {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, size: &Size) -> u64 {
        let line = match self.attack {
            Search::Bounded(_) => POINTS as u64,
            Search::Paper(_) => 0,
        };
        size.again.map_or(0, |again| self.attack.announced() + line + again)
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let none = |reason| Ok(Measured::of(&ABOUT, &[Err(reason)]));
        let Some(again) = case.again else { return none(SUPPLIED) };
        if case.is_flat() {
            return none(FLAT);
        }
        let mut regions = regions(case, self.regions);
        if regions.len() < self.regions {
            return none("the picture has fewer regions");
        }
        let Some(region) = regions.pop() else { return none("the picture has fewer regions") };
        let (nearby, measured) = self.nearby(case, region)?;
        let value = match nearby.filter(|picture| **picture != **case.image) {
            None => Err("no small change of these regions was found that leaves the score about as it is"),
            Some(picture) => pearson(&case.map.data, &again(&picture)?.data).ok_or(FLAT),
        };
        Ok(Measured { figures: Measured::of(&ABOUT, &[value]).figures, ..measured })
    }
}

impl Stability {
    fn is_near(&self, case: &Case<'_>, logits: &[f32]) -> bool {
        let real = |logits: &[f32]| f64::from(softmax(logits)[case.forward.spec().output.real]);
        (real(logits) - real(case.logits)).abs() <= self.change
    }

    /// The last near point on the way, and what of the attack was saved.
    fn nearby(
        &self,
        case: &Case<'_>,
        region: Arc<[bool]>,
    ) -> Result<(Option<Arc<Tensor>>, Measured), ForwardError> {
        let unused = |passes| self.attack.announced().saturating_sub(passes);
        match &self.attack {
            Search::Bounded(_) => {
                let (attacked, known) = case.shared.attack(case, &self.attack, region)?;
                let nearby = self.on_the_line(case, &attacked.picture)?;
                let shared = if known { attacked.passes } else { 0 };
                let flipped = if attacked.flipped { unused(attacked.passes) } else { 0 };
                Ok((nearby, Measured { flipped, shared, ..Measured::default() }))
            }
            Search::Paper(_) => {
                let mut nearby = None;
                let sample = whole(case, &self.attack, &region, &mut |point, logits| {
                    if self.is_near(case, logits) {
                        nearby = Some(Arc::clone(point));
                    }
                })?;
                let flipped = if sample.flipped { unused(sample.passes) } else { 0 };
                Ok((nearby, Measured { flipped, ..Measured::default() }))
            }
        }
    }

    /// The last near point on the line to the attacked picture.
    fn on_the_line(
        &self,
        case: &Case<'_>,
        attacked: &Arc<Tensor>,
    ) -> Result<Option<Arc<Tensor>>, ForwardError> {
        let items = (1..=POINTS).map(|i| {
            Perturbation::Cells(Cells {
                rows: 1,
                cols: 1,
                values: [1.0 - part(i)].into(),
                plane: (attacked.height(), attacked.width()),
                offset: (0, 0),
                filter: Filter::Nearest,
            })
        });
        let logits = case.ask(attacked, items)?;
        let last = (1..=POINTS).rev().find(|i| self.is_near(case, &logits[i - 1]));
        Ok(last.map(|i| {
            let pairs = case.image.data().iter().zip(attacked.data());
            let data = pairs.map(|(from, to)| (1.0 - part(i)) * from + part(i) * to).collect();
            let (channels, height, width) = (attacked.channels(), attacked.height(), attacked.width());
            Arc::new(Tensor::new(channels, height, width, data).expect("every value is kept"))
        }))
    }
}

/// How far along the line a point lies.
fn part(i: usize) -> f32 {
    i as f32 / POINTS as f32
}

/// Pearson's correlation; `None` where one of the two does not vary.
pub fn pearson(a: &[f32], b: &[f32]) -> Option<f64> {
    let mean = |v: &[f32]| v.iter().map(|v| f64::from(*v)).sum::<f64>() / v.len().max(1) as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (f64::from(*a) - mean_a, f64::from(*b) - mean_b);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    let scale = (aa * bb).sqrt();
    (scale > 0.0).then(|| (ab / scale).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fill::adversarial::{Bounded, Paper};
    use crate::metrics::planted::Planted;

    const SIDE: usize = 8;

    fn planted(scale: f32) -> Planted {
        let map = (0..SIDE * SIDE).map(|i| (i % 7) as f32 - 2.0).collect();
        let logits = move |x: &[f32]| vec![0.0, scale * (x[..64].iter().sum::<f32>() / 64.0 - 0.5) + 1.0];
        let mut planted = Planted::new(SIDE, SIDE, &["real", "fake"], map, logits);
        planted.image = Arc::new(Tensor::constant(&[0.5; 3], SIDE, SIDE));
        planted
    }

    fn stability(attack: Search) -> Stability {
        Stability { regions: 16, change: 0.1, attack }
    }

    #[test]
    fn correlation_is_that_of_the_definition() {
        assert_eq!(pearson(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]), Some(1.0));
        assert_eq!(pearson(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
        // Deviations -1, 0, 1 and -1, 1, 0: 1 / 2.
        assert!((pearson(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(pearson(&[1.0, 1.0], &[1.0, 2.0]), None);
    }

    #[test]
    fn a_picture_that_has_hardly_changed_is_explained_alike() {
        // The planted explanation is the picture times the map: nearly the same, not quite.
        for attack in [
            Search::Bounded(Bounded { grid: 8, ..Bounded::default() }),
            Search::Paper(Paper { steps: 20, step: 0.02, sigma: 0.01, ..Paper::default() }),
        ] {
            let value = planted(20.0).value(&stability(attack));
            assert!(value > 0.9 && value < 1.0, "{value}");
        }
    }

    #[test]
    fn what_cannot_be_told_says_why() {
        let bounded = Search::Bounded(Bounded { grid: 8, max_passes: 100, ..Bounded::default() });
        let reason =
            |planted: Planted, metric: &Stability| planted.measure(metric).figures[0].value.unwrap_err();
        let flat = Planted { map: unmask_core::Map::zeros(SIDE, SIDE), ..planted(20.0) };
        assert_eq!(reason(flat, &stability(bounded.clone())), FLAT);
        let many = Stability { regions: 65, ..stability(bounded) };
        assert_eq!(reason(planted(20.0), &many), "the picture has fewer regions");
        // The paper's attack leaves what is called real.
        let real = Planted { image: Arc::new(Tensor::constant(&[0.0; 3], SIDE, SIDE)), ..planted(20.0) };
        let paper = stability(Search::Paper(Paper::default()));
        assert!(reason(real, &paper).starts_with("no small change"));
    }
}
