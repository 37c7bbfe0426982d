//! Sensitivity: how much the explanation changes under small random changes of the picture.
//!
//! With x' = x + u, u uniform in -radius..radius for each value, a(x) the map and |.| the Frobenius norm,
//! `|a(x') - a(x)| / |a(x)|`: the largest of `draws` draws and their mean. 0 where nothing changes; lower is better. Yeh et al.,
//! NeurIPS 2019, arXiv 1901.09392, with its radius in the model's units. Cost: `draws` explanations, which is why there are few
//! by default (Quantus takes 200). Of maps that read as importance the lowest value is taken off first.
//!
//! A map that has not seen the picture never changes, so that it cannot tell a right explanation from a wrong one.

use std::sync::Arc;

use unmask_core::{Draws, ForwardError, Kind, Param, Stream, Tensor};

use super::{About, Better, Case, FLAT, FigureAbout, Measured, Metric, Need, SUPPLIED, Size};
use crate::catalogue::Descriptor;

/// Random changes.
pub const DRAWS: Param = Param {
    name: "draws",
    unit: "explanations",
    kind: Kind::Integer { default: 4, min: 1, max: 200 },
    paper: None,
    help: "Random changes, each of which is explained.",
    source: "ours: each costs an explanation",
};
/// Largest change of a value.
pub const RADIUS: Param = Param {
    name: "radius",
    unit: "model's units",
    kind: Kind::Real { default: 0.2, min: 0.0001, max: 10.0 },
    paper: None,
    help: "Largest change of a value.",
    source: "arXiv 1901.09392",
};

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "max_sensitivity",
        summary: "How much the explanation changes under small random changes of the picture.",
        citation: "Yeh et al., NeurIPS 2019, arXiv 1901.09392",
        params: &[DRAWS, RADIUS],
        passes: "draws * those of an explanation",
    },
    figures: &[
        FigureAbout { name: "max_sensitivity", better: Better::Lower },
        FigureAbout { name: "average_sensitivity", better: Better::Lower },
    ],
    needs: &[Need::Method],
    tells: &[],
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxSensitivity {
    /// Random changes.
    pub draws: u64,
    /// Largest change of a value in the model's units.
    pub radius: f64,
}

impl Metric for MaxSensitivity {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, size: &Size) -> u64 {
        self.draws * size.again.unwrap_or(0)
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let none = |reason| Ok(Measured::of(&ABOUT, &[Err(reason), Err(reason)]));
        let Some(again) = case.again else { return none(SUPPLIED) };
        let own = case.evidence();
        let size = norm(own.iter().copied());
        if size == 0.0 {
            return none(FLAT);
        }
        let (mut largest, mut sum) = (0.0f64, 0.0);
        for draw in 0..self.draws {
            let other = case.evidence_of(&again(&self.changed(case.image, case.seed, draw))?);
            let change = norm(other.iter().zip(&own).map(|(a, b)| a - b)) / size;
            largest = largest.max(change);
            sum += change;
        }
        Ok(Measured::of(&ABOUT, &[Ok(largest), Ok(sum / self.draws as f64)]))
    }
}

impl MaxSensitivity {
    fn changed(&self, image: &Tensor, seed: u64, draw: u64) -> Arc<Tensor> {
        let mut draws = Draws::of(Stream::Metric, seed, draw);
        let radius = self.radius as f32;
        let data = image.data().iter().map(|v| v + radius * (2.0 * draws.unit() - 1.0)).collect();
        let shape = (image.channels(), image.height(), image.width());
        Arc::new(Tensor::new(shape.0, shape.1, shape.2, data).expect("every value is kept"))
    }
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    #[test]
    fn the_change_is_that_of_the_maps() {
        // The planted explanation is the picture, which is 1 everywhere, times the map.
        let planted = Planted::linear(&[1.0, 2.0, 3.0, 4.0]);
        let metric = MaxSensitivity { draws: 3, radius: 0.5 };
        let changes: Vec<f64> = (0..3)
            .map(|draw| {
                let picture = metric.changed(&planted.image, 0, draw);
                let pairs = planted.map.data.iter().zip(picture.channel(0));
                norm(pairs.map(|(m, x)| f64::from(m * x) - f64::from(*m)))
                    / norm(planted.map.data.iter().map(|m| f64::from(*m)))
            })
            .collect();
        let values = planted.measure(&metric).figures;
        let largest = changes.iter().copied().fold(0.0, f64::max);
        assert!((values[0].value.unwrap() - largest).abs() < 1e-9 && largest < 0.5);
        assert!((values[1].value.unwrap() - changes.iter().sum::<f64>() / 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_map_of_nothing_has_no_change() {
        let nothing = Planted::new(1, 2, &["real", "fake"], vec![0.0; 2], |_| vec![0.0, 0.0]);
        let values = nothing.measure(&MaxSensitivity { draws: 1, radius: 0.2 }).figures;
        assert_eq!((values[0].value, values[1].value), (Err(FLAT), Err(FLAT)));
    }
}
