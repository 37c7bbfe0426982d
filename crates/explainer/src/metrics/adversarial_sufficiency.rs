//! Adversarial sufficiency: whether changing the best regions alone changes the decision.
//!
//! Regions are ranked by the mean of the map inside, the highest first. For K = 1 to `regions` the union of the best K is
//! attacked, each K on its own from the untouched picture x, by a search that may change nothing else. With c the class
//! that the detector predicts, p its probability and x_K the attacked picture,
//!
//! ```text
//! sufficiency_K = p_c(x) - p_c(x_K)                    higher is better
//! accuracy_K    = 1 where argmax p(x_K) is the true class, else 0     lower is better; K = 0 is the untouched picture
//! ```
//!
//! arXiv 2404.18649 and 2502.03957. (ERASER's sufficiency, arXiv 1911.03429, is another metric.) Cost: at most `regions`
//! attacks; explanations of one request that name the same regions share theirs. The attack `paper` is that of the papers'
//! code with its 50 steps, which leaves a picture that is called real as it is; `bounded` changes the decision either way.
//!
//! Departure: the papers' code leaves a picture out for LIME where fewer than three regions have a positive weight; here
//! regions are ranked for every method alike. Equal regions keep the order of their labels, which for a uniform map is that
//! of the frame.

use unmask_core::{ForwardError, Kind, Param, highest, softmax};

use super::attack::regions;
use super::{About, Better, Case, FigureAbout, Measured, Metric, Size, Wrong};
use crate::catalogue::Descriptor;
use crate::fill::adversarial::Search;

/// Largest K.
pub const REGIONS: Param = Param {
    name: "regions",
    unit: "regions",
    kind: Kind::Integer { default: 3, min: 1, max: 16 },
    paper: None,
    help: "Largest number of regions that are attacked.",
    source: "arXiv 2404.18649",
};

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "adversarial_sufficiency",
        summary: "Whether changing the best K regions adversarially changes the decision.",
        citation: "arXiv 2404.18649, 2502.03957",
        params: &[REGIONS],
        passes: "at most regions * those of the attack",
    },
    figures: &[SUFFICIENCY, ACCURACY],
    needs: &[],
    tells: &[Wrong::Shifted, Wrong::Inverted, Wrong::Random],
};
const SUFFICIENCY: FigureAbout = FigureAbout { name: "sufficiency_K", better: Better::Higher };
const ACCURACY: FigureAbout = FigureAbout { name: "accuracy_K", better: Better::Lower };

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct AdversarialSufficiency {
    /// Largest K.
    pub regions: usize,
    /// The attack.
    pub attack: Search,
}

impl Metric for AdversarialSufficiency {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        self.regions as u64 * self.attack.announced()
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let class = highest(case.logits);
        let own = |logits: &[f32]| f64::from(softmax(logits)[class]);
        let right = |logits: &[f32]| {
            let truth = case.truth.ok_or("the true class is not known")?;
            Ok(if highest(logits) == truth { 1.0 } else { 0.0 })
        };
        let mut measured = Measured::default();
        let mut accuracies = vec![ACCURACY.at(0, right(case.logits))];
        let regions = regions(case, self.regions);
        let missing = regions.len() + 1..=self.regions;
        for (k, region) in (1..).zip(regions) {
            let (attacked, shared) = case.shared.attack(case, &self.attack, region)?;
            measured.figures.push(SUFFICIENCY.at(k, Ok(own(case.logits) - own(&attacked.after))));
            accuracies.push(ACCURACY.at(k, right(&attacked.after)));
            measured.shared += if shared { attacked.passes } else { 0 };
            if attacked.flipped {
                measured.flipped += self.attack.announced().saturating_sub(attacked.passes);
            }
        }
        let too_few = Err("the picture has fewer regions");
        measured.figures.extend(missing.clone().map(|k| SUFFICIENCY.at(k, too_few)));
        measured.figures.extend(accuracies);
        measured.figures.extend(missing.map(|k| ACCURACY.at(k, too_few)));
        Ok(measured)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use unmask_core::{LabelMap, Tensor};

    use super::*;
    use crate::fill::adversarial::{Bounded, Paper};
    use crate::metrics::planted::Planted;

    const SIDE: usize = 16;

    /// A detector that is sure as far as the top left quarter is bright, and four quarters as regions.
    fn quarter() -> Planted {
        let own = |i: usize| i % SIDE < SIDE / 2 && i / SIDE < SIDE / 2;
        let map: Vec<f32> = (0..SIDE * SIDE).map(|i| if own(i) { 1.0 } else { 0.0 }).collect();
        let logits = move |x: &[f32]| {
            let sum: f32 = (0..SIDE * SIDE).filter(|i| own(*i)).map(|i| x[i]).sum();
            vec![0.0, 50.0 * (sum / 64.0 - 0.5) + 1.0]
        };
        let mut planted = Planted::new(SIDE, SIDE, &["real", "fake"], map, logits);
        planted.image = Arc::new(Tensor::constant(&[0.5; 3], SIDE, SIDE));
        let number = |i: usize| (i / SIDE / 8 * 2 + i % SIDE / 8) as u32;
        let numbers: Vec<u32> = (0..SIDE * SIDE).map(number).collect();
        planted.segments = Arc::new(LabelMap::new(SIDE, SIDE, &numbers).unwrap());
        planted
    }

    fn metric(attack: Search) -> AdversarialSufficiency {
        AdversarialSufficiency { regions: 2, attack }
    }

    fn bounded() -> Search {
        Search::Bounded(Bounded { grid: 8, ..Bounded::default() })
    }

    #[test]
    fn the_best_region_alone_changes_the_decision() {
        let planted = Planted { truth: Some(1), ..quarter() };
        let measured = planted.measure(&metric(bounded()));
        let names: Vec<&str> = measured.figures.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["sufficiency_1", "sufficiency_2", "accuracy_0", "accuracy_1", "accuracy_2"]);
        let values: Vec<f64> = measured.figures.iter().map(|f| f.value.unwrap()).collect();
        // 0.73 at first, below 0.12 where the log-odds are below -2.
        assert!(values[0] > 0.6 && values[1] > 0.6, "{values:?}");
        assert_eq!(values[2..], [1.0, 0.0, 0.0]);
        assert!(measured.flipped > 0);
    }

    #[test]
    fn a_region_that_does_not_matter_changes_nothing() {
        let mut planted = Planted { truth: Some(1), ..quarter() };
        planted.map.data.reverse();
        let measured = planted.measure(&AdversarialSufficiency { regions: 1, attack: bounded() });
        let values: Vec<f64> = measured.figures.iter().map(|f| f.value.unwrap()).collect();
        assert_eq!(values, [0.0, 1.0, 1.0]);
        assert_eq!((measured.flipped, measured.shared), (0, 0));
    }

    #[test]
    fn the_same_regions_are_attacked_once() {
        let planted = quarter();
        let first = planted.measure(&metric(bounded()));
        let second = planted.measure(&metric(bounded()));
        assert_eq!(first.figures, second.figures);
        assert!(first.shared == 0 && second.shared > 0, "{second:?}");
        let other = planted.measure(&metric(Search::Paper(Paper { steps: 2, ..Paper::default() })));
        assert_eq!(other.shared, 0);
    }

    #[test]
    fn the_papers_attack_leaves_a_picture_that_is_called_real() {
        let planted = Planted { image: Arc::new(Tensor::constant(&[0.45; 3], SIDE, SIDE)), ..quarter() };
        let measured = planted.measure(&metric(Search::Paper(Paper::default())));
        assert_eq!(measured.figures[0].value, Ok(0.0));
        assert_eq!(measured.figures[2].value, Err("the true class is not known"));
        assert!(planted.measure(&metric(bounded())).figures[0].value.unwrap() > 0.5);
    }

    #[test]
    fn fewer_regions_than_asked_for_are_said() {
        let planted = Planted { truth: Some(1), ..quarter() };
        let measured = planted.measure(&AdversarialSufficiency { regions: 5, attack: bounded() });
        assert_eq!(measured.figures.len(), 11);
        for figure in measured.figures {
            let beyond = figure.name.ends_with('5');
            assert_eq!(figure.value == Err("the picture has fewer regions"), beyond, "{}", figure.name);
        }
    }
}
