//! Spread: how far the evidence lies from its own centre.
//!
//! With p the positive evidence brought to sum 1, each pixel at its centre, and c the mean position, the root of the mean squared
//! distance from c over the frame's diagonal. 0 for one pixel; lower is more local and better. After "locality" of
//! Baldassarre et al., BMVC 2022, whose own formula could not be read: this definition is ours. Cost: none.
//!
//! A map shifted within the frame has the same spread, so that it cannot tell a right explanation from a wrong one.

use unmask_core::ForwardError;

use super::{About, Better, Case, FigureAbout, Measured, Metric, NOTHING, Size};
use crate::catalogue::Descriptor;

/// What it is.
pub const ABOUT: About = About {
    entry: Descriptor {
        name: "spread",
        summary: "How far the evidence lies from its own centre, of the diagonal.",
        citation: "after Baldassarre et al., BMVC 2022",
        params: &[],
        passes: "0",
    },
    figures: &[FigureAbout { name: "spread", better: Better::Lower }],
    needs: &[],
    tells: &[],
};

/// It has no parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {}

impl Metric for Spread {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn announced(&self, _: &Size) -> u64 {
        0
    }

    fn measure(&self, case: &Case<'_>) -> Result<Measured, ForwardError> {
        let value = Centre::of(case).map(|centre| (centre.y.1 + centre.x.1).max(0.0).sqrt() / diagonal(case));
        Ok(Measured::of(&ABOUT, &[value.ok_or(NOTHING)]))
    }
}

/// Where the positive evidence lies: for each axis the mean position of pixels, counted from 0, and its variance.
pub(super) struct Centre {
    pub(super) y: (f64, f64),
    pub(super) x: (f64, f64),
}

impl Centre {
    /// `None` where nothing is positive.
    pub(super) fn of(case: &Case<'_>) -> Option<Self> {
        let evidence: Vec<f64> = case.evidence().iter().map(|v| v.max(0.0)).collect();
        let sum: f64 = evidence.iter().sum();
        let width = case.map.width;
        let moments = |place: &dyn Fn(usize) -> f64| {
            let mean = evidence.iter().enumerate().map(|(at, v)| v / sum * place(at)).sum::<f64>();
            let square = |at: usize| (place(at) - mean).powi(2);
            (mean, evidence.iter().enumerate().map(|(at, v)| v / sum * square(at)).sum::<f64>())
        };
        (sum > 0.0)
            .then(|| Self { y: moments(&|at| (at / width) as f64), x: moments(&|at| (at % width) as f64) })
    }
}

/// The frame's diagonal in pixels.
pub(super) fn diagonal(case: &Case<'_>) -> f64 {
    (case.map.height as f64).hypot(case.map.width as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::planted::Planted;

    #[test]
    fn the_spread_is_the_root_of_the_mean_squared_distance() {
        let value = |map: &[f32]| {
            Planted::new(3, 4, &["real", "fake"], map.to_vec(), |_| vec![0.0, 0.0])
                .measure(&Spread {})
                .figures[0]
                .value
        };
        let mut map = [0.0; 12];
        map[0] = 1.0;
        assert_eq!(value(&map), Ok(0.0));
        // Two pixels two columns apart: each one column from the middle, of a diagonal of 5.
        map[2] = 1.0;
        assert!((value(&map).unwrap() - 0.2).abs() < 1e-12);
        assert_eq!(value(&[-1.0; 12]), Err(NOTHING));
    }
}
