//! Contrastive and group scores of RFxG: what taking the highest pixels away does to one class against another, and to groups.
//!
//! With x^a the picture whose highest share a of the pixels is hidden, a = 0.1, ..., 0.9, p the probabilities, "change" p(x^a) -
//! p(x), and AUC the area over a by the trapezoid rule (0.8 wide, not brought to 1), for a target of class a against class b,
//! or of group G against G':
//!
//! ```text
//! CCS(a, b)  = AUC of p_a(x^a) - p_b(x^a)                                        lower is better
//! CGC(a, G)  = AUC of (mean over G of the change - change of a) / 2              higher is better
//! PGS(G)     = AUC of mean over G of minus the change                            higher is better
//! CGS(G, G') = AUC of (mean over G' of the change - mean over G of the change) / 2   higher is better
//! ```
//!
//! The authors' code adds the two terms of CGC and CGS, although their names speak of a contrast: `as_coded` does so, and then
//! neither way is better. It also reads the model's raw outputs; here probabilities are read whatever the scale of the plan.
//! Cost: 9 passes. The default fill is 0 in the model's units, as there.

use unmask_core::{ForwardError, softmax};

use super::{About, Better, Case, Figure, FigureAbout, Measured, Metric, Need, Size, Wrong, area};
use crate::catalogue::Descriptor;

/// Which score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RfxgScore {
    /// The one that fits the target.
    Fitting,
    /// Class contrast.
    Ccs,
    /// Class against a group.
    Cgc,
    /// Group on its own.
    Pgs,
    /// Group against a group.
    Cgs,
}

const CCS: FigureAbout = FigureAbout { name: "ccs", better: Better::Lower };
const CGC: FigureAbout = FigureAbout { name: "cgc", better: Better::Higher };
const PGS: FigureAbout = FigureAbout { name: "pgs", better: Better::Higher };
const CGS: FigureAbout = FigureAbout { name: "cgs", better: Better::Higher };

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "rfxg",
        summary: "What taking the highest pixels away does to one class or group against another.",
        citation: "RFxG, arXiv 2511.13081",
        params: &[],
        passes: "9",
    },
    figures: &[CCS, CGC, PGS, CGS],
    needs: &[Need::Fill],
    tells: &[Wrong::Shifted, Wrong::Inverted, Wrong::Random],
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Rfxg {
    /// Which score.
    pub score: RfxgScore,
    /// Whether terms are added as the authors' code has it.
    pub as_coded: bool,
}

impl Metric for Rfxg {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        9
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let (pro, contra) = (case.target.pro(), case.target.contra());
        let about = match (self.score, pro.len(), contra.len()) {
            (RfxgScore::Ccs, 1, 1) | (RfxgScore::Fitting, 1, 1) => CCS,
            (RfxgScore::Cgc, 1, _) | (RfxgScore::Fitting, 1, _) => CGC,
            (RfxgScore::Pgs, _, _) => PGS,
            (RfxgScore::Cgs, _, _) | (RfxgScore::Fitting, _, _) => CGS,
            (RfxgScore::Ccs, _, _) => {
                return none(
                    CCS,
                    "class contrast is of one class against one other, which the target is not",
                );
            }
            (RfxgScore::Cgc, _, _) => {
                return none(CGC, "this score is of one class, and the target is a group");
            }
        };
        let shares: Vec<f64> = (1..10).map(|tenth| f64::from(tenth) / 10.0).collect();
        // Whole tenths in whole numbers: 0.7 * 10 is a hair below 7.
        let tops: Vec<usize> = (1..10).map(|tenth| tenth * case.map.data.len() / 10).collect();
        let whole = softmax(case.logits);
        let value = |logits: &Vec<f32>| {
            let masked = softmax(logits);
            let mean = |of: &dyn Fn(usize) -> f64, classes: &[usize]| {
                classes.iter().map(|class| of(*class)).sum::<f64>() / classes.len().max(1) as f64
            };
            let left = |class: usize| f64::from(masked[class]);
            let change = |class: usize| f64::from(masked[class]) - f64::from(whole[class]);
            let sign = if self.as_coded { 1.0 } else { -1.0 };
            match about {
                CCS => mean(&left, pro) - mean(&left, contra),
                PGS => -mean(&change, pro),
                _ => 0.5 * (mean(&change, contra) + sign * mean(&change, pro)),
            }
        };
        let curve: Vec<f64> = case.ranked(&tops, false)?.iter().map(value).collect();
        let added = self.as_coded && (about == CGC || about == CGS);
        let better = if added { Better::Neither } else { about.better };
        let figure = Figure { name: about.name.into(), better, value: Ok(area(&shares, &curve)) };
        Ok(Measured { figures: vec![figure], ..Measured::default() }.with(about.name, shares, curve))
    }
}

fn none(about: FigureAbout, reason: &'static str) -> Result<Measured, ForwardError> {
    let figure = Figure { name: about.name.into(), better: about.better, value: Err(reason) };
    Ok(Measured { figures: vec![figure], ..Measured::default() })
}

#[cfg(test)]
mod tests {
    use unmask_core::{Scale, Target};

    use super::*;
    use crate::metrics::planted::Planted;

    /// Ten pixels; the log-odds of class 1 fall by one with each of the first that is hidden.
    fn planted(labels: &'static [&'static str], target: Target) -> Planted {
        let map = (0..10).map(|i| 10.0 - i as f32).collect();
        let logits = move |x: &[f32]| {
            let sum = x[..10].iter().sum::<f32>();
            (0..labels.len()).map(|class| if class == 1 { sum - 5.0 } else { 0.0 }).collect()
        };
        Planted { target, ..Planted::new(1, 10, labels, map, logits) }
    }

    fn value(planted: &Planted, score: RfxgScore, as_coded: bool) -> (String, Result<f64, &'static str>) {
        let figure = planted.measure(&Rfxg { score, as_coded }).figures.remove(0);
        (figure.name, figure.value)
    }

    /// Area over nine tenths of a function of the sum of what shows, 9 down to 1.
    fn expected(of: impl Fn(f64) -> f64) -> f64 {
        let curve: Vec<f64> = (1..10).map(|hidden| of(10.0 - f64::from(hidden) - 5.0)).collect();
        let shares: Vec<f64> = (1..10).map(|tenth| f64::from(tenth) / 10.0).collect();
        area(&shares, &curve)
    }

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    #[test]
    fn class_contrast_is_the_area_of_the_difference() {
        let target = Target::new(vec![1], Some(vec![0]), 2, Scale::LogOdds);
        let (name, got) = value(&planted(&["real", "fake"], target), RfxgScore::Fitting, false);
        assert_eq!(name, "ccs");
        // Even about the middle: as often above 0 as below.
        assert!(
            (got.unwrap() - expected(|z| 2.0 * sigmoid(z) - 1.0)).abs() < 1e-6 && got.unwrap().abs() < 1e-6
        );
    }

    #[test]
    fn groups_are_means_of_their_classes() {
        let class = Target::new(vec![1], Some(vec![0, 2]), 3, Scale::LogOdds);
        let p = |z: f64| z.exp() / (z.exp() + 2.0);
        let whole = p(5.0);
        // Class 1 loses what the two others gain, half each.
        let cgc = expected(|z| 0.5 * ((whole - p(z)) / 2.0 + (whole - p(z))));
        let planted_class = planted(&["real", "fake", "other"], class);
        let (name, got) = value(&planted_class, RfxgScore::Fitting, false);
        assert!(name == "cgc" && (got.unwrap() - cgc).abs() < 1e-6, "{got:?} {cgc}");
        let coded = expected(|z| 0.5 * ((whole - p(z)) / 2.0 - (whole - p(z))));
        let measured = planted_class.measure(&Rfxg { score: RfxgScore::Cgc, as_coded: true });
        assert!((measured.figures[0].value.unwrap() - coded).abs() < 1e-6);
        assert_eq!(measured.figures[0].better, Better::Neither);
        let pgs = expected(|z| whole - p(z));
        assert!((value(&planted_class, RfxgScore::Pgs, false).1.unwrap() - pgs).abs() < 1e-6);
        let group = Target::new(vec![1, 2], Some(vec![0]), 3, Scale::LogOdds);
        let (name, got) = value(&planted(&["real", "fake", "other"], group), RfxgScore::Fitting, false);
        // The group loses half of what class 1 loses less what class 2 gains, and "real" gains half of it.
        let cgs = expected(|z| 0.5 * ((whole - p(z)) / 2.0 + (whole - p(z)) / 4.0));
        assert!(name == "cgs" && (got.unwrap() - cgs).abs() < 1e-6, "{got:?} {cgs}");
    }

    #[test]
    fn every_score_tells_a_wrong_map_from_the_right_one() {
        let labels = &["real", "fake", "other"];
        let own = || Target::new(vec![1], Some(vec![0, 2]), 3, Scale::LogOdds);
        let group = || Target::new(vec![1, 2], Some(vec![0]), 3, Scale::LogOdds);
        for (score, target) in [
            (RfxgScore::Ccs, Target::new(vec![1], Some(vec![0]), 3, Scale::LogOdds)),
            (RfxgScore::Cgc, own()),
            (RfxgScore::Pgs, own()),
            (RfxgScore::Cgs, group()),
        ] {
            let of = |map: Vec<f32>| {
                // Only the first three pixels decide.
                let logits = |x: &[f32]| vec![0.0, 4.0 * (x[0] + x[1] + x[2]) - 6.0, -3.0];
                let planted = Planted { target: target.clone(), ..Planted::new(1, 10, labels, map, logits) };
                let figure = planted.measure(&Rfxg { score, as_coded: false }).figures.remove(0);
                let sign = if figure.better == Better::Lower { -1.0 } else { 1.0 };
                sign * figure.value.unwrap()
            };
            let at =
                |first: i32| (0..10).map(move |i| if (first..first + 3).contains(&i) { 1.0 } else { 0.0 });
            let right: Vec<f32> = at(0).collect();
            let shifted = at(3).collect();
            let inverted = right.iter().map(|v| -v).collect();
            let random = vec![0.3, 0.1, 0.9, 0.4, 0.8, 0.2, 0.7, 0.5, 0.6, 0.0];
            for (name, wrong) in [("shifted", shifted), ("inverted", inverted), ("random", random)] {
                assert!(of(right.clone()) > of(wrong), "{score:?} {name}");
            }
        }
    }

    #[test]
    fn a_score_that_does_not_fit_the_target_says_so() {
        let group = || Target::new(vec![1, 2], Some(vec![0]), 3, Scale::LogOdds);
        for score in [RfxgScore::Ccs, RfxgScore::Cgc] {
            assert!(value(&planted(&["real", "fake", "other"], group()), score, false).1.is_err());
        }
    }
}
