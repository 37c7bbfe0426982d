//! ROAD, remove and debias: whether the decision stays while pixels are taken away in a way that leaves no trace of its own.
//!
//! 10, 30, 50 and 70 % of the pixels are taken away, once the highest first (MoRF) and once the lowest first (LeRF). A point of
//! a curve is 1 where the class with the highest score is still that of the untouched picture, else 0; the curve begins at
//! 1 with nothing taken away and ends at 0 with everything, and its value is the area by the trapezoid rule. `road` is half of
//! LeRF less MoRF, -0.5 to 0.5. Higher is better for `road` and LeRF, lower for MoRF.
//!
//! Rong et al., ICML 2022, arXiv 2202.00449; shares and summary are those of P-TAME's evaluation, where the share of pictures whose
//! class stays is what the mean of this over pictures is.
//! Cost: 8 passes. Pixels are imputed from their neighbours with noise of 0.01 in the model's units, unless a fill is given.

use std::sync::Arc;

use unmask_core::{Draws, ForwardError, Perturbation, Ranks, Stream, Tensor, highest};

use super::impute::impute;
use super::{About, Better, Case, FigureAbout, Measured, Metric, Need, Size, Wrong, area};
use crate::catalogue::Descriptor;

/// Shares that are taken away.
const SHARES: [f64; 4] = [0.1, 0.3, 0.5, 0.7];
/// Standard deviation of the noise in the model's units (arXiv 2202.00449's code).
const NOISE: f32 = 0.01;

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "road",
        summary: "Whether the decision stays while the highest or the lowest pixels are taken away and imputed.",
        citation: "Rong et al., ICML 2022, arXiv 2202.00449",
        params: &[],
        passes: "8",
    },
    figures: &[
        FigureAbout { name: "road", better: Better::Higher },
        FigureAbout { name: "road_morf", better: Better::Lower },
        FigureAbout { name: "road_lerf", better: Better::Higher },
    ],
    needs: &[Need::Fill],
    tells: &[Wrong::Inverted],
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Road {
    /// Whether pixels are imputed; otherwise the fill stands in their place.
    pub impute: bool,
}

impl Metric for Road {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        2 * SHARES.len() as u64
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let pixels = case.map.data.len();
        let count = |share: &f64| (share * pixels as f64).round() as usize;
        let ranks = case.ranks();
        let pictures = [true, false].into_iter().flat_map(|from_above| {
            let ranks = &ranks;
            SHARES.iter().map(move |share| self.without(case, ranks, count(share), from_above))
        });
        // Picture by picture: imputing one takes long enough that a deadline may come before the next.
        let logits = case.ask_by(1, case.fill, pictures)?;
        let class = highest(case.logits);
        let curve = |logits: &[Vec<f32>]| {
            let kept = logits.iter().map(|logits| if highest(logits) == class { 1.0 } else { 0.0 });
            std::iter::once(1.0).chain(kept).chain([0.0]).collect::<Vec<f64>>()
        };
        let shares: Vec<f64> = std::iter::once(0.0).chain(SHARES).chain([1.0]).collect();
        let (morf, lerf) = (curve(&logits[..SHARES.len()]), curve(&logits[SHARES.len()..]));
        let (most, least) = (area(&shares, &morf), area(&shares, &lerf));
        let measured = Measured::of(&ABOUT, &[Ok((least - most) / 2.0), Ok(most), Ok(least)]);
        Ok(measured.with("road_morf", shares.clone(), morf).with("road_lerf", shares, lerf))
    }
}

impl Road {
    /// The picture without `count` of its pixels: the highest, or the lowest.
    fn without(&self, case: &Case<'_>, ranks: &Arc<Ranks>, count: usize, from_above: bool) -> Perturbation {
        // The lowest are hidden where only the others show.
        let (top, shown) = if from_above { (count, false) } else { (ranks.ranks().len() - count, true) };
        if !self.impute {
            return Perturbation::Ranked { ranks: Arc::clone(ranks), top, shown };
        }
        let removed: Vec<bool> = ranks.ranks().iter().map(|rank| ((*rank as usize) < top) != shown).collect();
        let imputed = impute(case.image, &removed);
        let mut draws = Draws::of(Stream::Metric, case.seed, 2 * count as u64 + u64::from(from_above));
        let noisy = imputed.data().iter().zip(removed.iter().cycle());
        let data = noisy.map(|(v, removed)| if *removed { v + NOISE * draws.normal() } else { *v }).collect();
        let shape = (imputed.channels(), imputed.height(), imputed.width());
        let picture = Tensor::new(shape.0, shape.1, shape.2, data).expect("every value is kept");
        Perturbation::Dense(Arc::new(picture))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    /// Ten pixels of which the first three decide: "fake" while their sum is above that of one and a half.
    fn planted() -> Planted {
        let logits = |x: &[f32]| vec![0.0, x[..3].iter().sum::<f32>() - 1.5];
        let map = (0..10).map(|i| 10.0 - i as f32).collect();
        Planted::new(1, 10, &["real", "fake"], map, logits)
    }

    #[test]
    fn the_curves_are_those_of_the_decision() {
        let measured = planted().measure(&Road { impute: false });
        // Without the first pixel two are left; without three none. From below 70 % leave all three.
        assert_eq!(measured.curves[0].y, [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(measured.curves[1].y, [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
        let values: Vec<f64> = measured.figures.iter().map(|f| f.value.unwrap()).collect();
        let (morf, lerf) = (0.1 + 0.1, 0.7 + 0.15);
        for (value, expected) in values.iter().zip([(lerf - morf) / 2.0, morf, lerf]) {
            assert!((value - expected).abs() < 1e-12, "{values:?}");
        }
    }

    #[test]
    fn a_picture_of_one_value_keeps_its_decision_where_it_is_imputed() {
        let values = planted().measure(&Road { impute: true }).figures;
        assert!((values[1].value.unwrap() - 0.85).abs() < 1e-12, "{values:?}");
    }

    #[test]
    fn each_picture_has_noise_of_its_own_that_belongs_to_the_seed() {
        let asked = |seed| {
            let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
            let keep = std::rc::Rc::clone(&seen);
            let logits = move |x: &[f32]| {
                keep.borrow_mut().push(x.to_vec());
                vec![0.0, 1.0]
            };
            let map = (0..100).map(|i| 100.0 - i as f32).collect();
            let planted = Planted { seed, ..Planted::new(10, 10, &["real", "fake"], map, logits) };
            planted.measure(&Road { impute: true });
            // The first is the untouched picture.
            seen.take().split_off(1)
        };
        let pictures = asked(3);
        assert_eq!(pictures.len(), 8);
        assert_eq!(pictures, asked(3));
        let noise =
            |picture: &[f32]| picture.iter().filter(|v| **v != 1.0).map(|v| v - 1.0).collect::<Vec<f32>>();
        for (i, picture) in pictures.iter().enumerate() {
            // Only what was removed is noisy: three channels of 10, 30, 50 or 70 pixels.
            let noise_here = noise(picture);
            let removed = 3 * [10, 30, 50, 70][i % 4];
            // A deviate may round away beside 1.
            assert!(
                noise_here.len() <= removed && noise_here.len() + 2 > removed,
                "{i}: {}",
                noise_here.len()
            );
            assert!(pictures[..i].iter().all(|other| noise(other)[..5] != noise_here[..5]), "{i}");
        }
        let all: Vec<f64> = pictures.iter().flat_map(|p| noise(p)).map(f64::from).collect();
        let spread = (all.iter().map(|v| v * v).sum::<f64>() / all.len() as f64).sqrt();
        assert!((spread - 0.01).abs() < 0.001, "{spread}");
        assert!(asked(4).iter().zip(&pictures).all(|(other, picture)| other != picture));
    }
}
