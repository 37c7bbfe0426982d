//! SOBOL: the share of the score's variance that each cell takes part in.
//!
//! Fel et al., "Look at the Variance! Efficient Black-box Explanations with Sobol-based Sensitivity Analysis", NeurIPS 2021,
//! arXiv 2111.04138; total-order indices by Jansen, DOI 10.1016/S0010-4655(98)00154-4.
//!
//! A mask gives each of the `grid` x `grid` cells a share in [0, 1] of the picture over the fill. A quasi-random design of N
//! points in twice as many dimensions as there are cells is cut into two halves A and B `[N, cells]`; C_i is A with column i
//! of B. With y the explained scalar of a mask,
//!
//! ```text
//! ST_i = sum_k (y(A_k) - y(C_ik))^2 / (2 N V)        V the variance of y
//! ```
//!
//! is the share of the variance that vanishes only when cell i is fixed: importance without direction, never negative, and 0
//! for every cell where the score never changes. The map `[H, W]` has no unit. Cost: `N (cells + 2)` passes, asked row by
//! row, so that an early end keeps the whole rows that were folded.
//!
//! Departures from the paper's code: points are scrambled by the seed, because the plain sequence starts with a mask that
//! hides everything; V is pooled over A and B, which were both paid for; the grid is brought to the frame linearly, which
//! never overshoots. `scrambled = false` has the plain points, V over A alone, and the cubic of OpenCV.

mod jansen;
mod points;

use unmask_core::{
    Cells, Ended, Filter, ForwardError, Kind, Map, Param, Perturbation, Preset, ROUND, Reading, Value, cubic,
};

use super::{Context, Explanation, Figures};
use crate::catalogue::Descriptor;
pub use jansen::{Indices, jansen};
pub use points::Points;

/// Rows that the indices need.
const LEAST_ROWS: u64 = 2;

/// Rows and columns of the grid.
pub const GRID: Param = Param {
    name: "grid",
    unit: "cells",
    kind: Kind::Integer { default: 8, min: 2, max: 16 },
    paper: None,
    help: "Rows and columns of the grid.",
    source: "arXiv 2502.03957",
};
/// Points of the design; powers of two spread best.
pub const DESIGN: Param = Param {
    name: "design",
    unit: "points",
    kind: Kind::Integer { default: 32, min: 2, max: 1024 },
    paper: None,
    help: "Points of the design; powers of two spread best.",
    source: "arXiv 2502.03957",
};
/// Whether the Joe-Kuo points are scrambled by the seed.
pub const SCRAMBLED: Param = Param {
    name: "scrambled",
    unit: "",
    kind: Kind::Flag(true),
    paper: Some(Value::Flag(false)),
    help: "Whether the Joe-Kuo points are scrambled by the seed.",
    source: "Owen, DOI 10.1007/978-1-4612-2552-2_19; without, the first point hides everything",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "sobol",
    summary: "Share of the score's variance that each cell takes part in; importance without direction.",
    citation: "Fel et al., NeurIPS 2021, arXiv 2111.04138",
    params: &[GRID, DESIGN, SCRAMBLED],
    passes: "design * (grid^2 + 2)",
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Sobol {
    /// Rows and columns of the grid.
    pub grid: usize,
    /// Points of the design.
    pub design: u64,
    /// Whether the points are scrambled by the seed.
    pub scrambled: bool,
}

impl Sobol {
    fn cells(&self) -> usize {
        self.grid * self.grid
    }

    /// Questions of one row of the design: A, B and every C.
    fn row(&self) -> u64 {
        self.cells() as u64 + 2
    }

    pub(super) fn announced(&self) -> u64 {
        self.design * self.row()
    }

    pub(super) fn least(&self) -> u64 {
        // Budgets end between rounds.
        (LEAST_ROWS * self.row()).next_multiple_of(ROUND as u64).min(self.announced())
    }

    pub(super) fn explain(&self, context: &Context<'_>) -> Result<Explanation, ForwardError> {
        let (height, width) = (context.image.height(), context.image.width());
        let points = Points::new(2 * self.cells(), self.scrambled.then_some(context.seed));
        let mask = |question| Perturbation::Cells(self.mask(&points, question, (height, width)));
        let mut rounds = context.rounds(self.announced(), mask);
        let mut scores = Vec::new();
        let ended = context.forward.run(&mut rounds, &mut |_, round| {
            // The score of the untouched image is taken off first: a model that never changes its mind then gives exact
            // zeros.
            scores.extend(round.rows().map(|row| context.target.value(row) - context.image_score));
            context.shown(scores.len() as u64, || self.found(&scores, context, Ended::Budget))
        })?;
        self.found(&scores, context, ended).ok_or(ForwardError::Unanswered(ended))
    }

    /// What the whole rows of the design among these scores come to.
    fn found(&self, scores: &[f64], context: &Context<'_>, ended: Ended) -> Option<Explanation> {
        let row = self.row() as usize;
        if scores.len() < LEAST_ROWS as usize * row {
            return None;
        }
        let (height, width) = (context.image.height(), context.image.width());
        let whole = &scores[..scores.len() / row * row];
        let Indices { total, variance } = jansen(whole, self.cells(), self.scrambled);
        let map = Map { height, width, data: self.to_frame(&total, (height, width)) };
        let figures = Figures { variance: Some(variance), ..Figures::default() };
        Some(Explanation { map, reading: Reading::Importance, figures, errors: None, ended })
    }

    /// Question number `question`: in each row of the design first A, then B, then every C.
    fn mask(&self, points: &Points, question: u64, plane: (usize, usize)) -> Cells {
        let (point, place) = ((question / self.row()) as u32, (question % self.row()) as usize);
        let cells = self.cells();
        let share = |dimension: usize| points.coordinate(point, dimension) as f32;
        let values: Vec<f32> = match place {
            0 => (0..cells).map(share).collect(),
            1 => (cells..2 * cells).map(share).collect(),
            _ => (0..cells).map(|i| share(if i == place - 2 { cells + i } else { i })).collect(),
        };
        Cells::square(self.grid, values, plane, Filter::Nearest)
    }

    fn to_frame(&self, total: &[f64], plane: (usize, usize)) -> Vec<f32> {
        let values: Vec<f32> = total.iter().map(|v| *v as f32).collect();
        if !self.scrambled {
            return cubic(&values, (self.grid, self.grid), plane);
        }
        Cells::square(self.grid, values, plane, Filter::Bilinear).map().data
    }
}

impl Default for Sobol {
    fn default() -> Self {
        Self::preset(Preset::Clean)
    }
}

impl Sobol {
    /// The parameters of a preset.
    pub fn preset(preset: Preset) -> Self {
        let ignored = &mut Vec::new();
        Self {
            grid: GRID.integer(None, preset, "", ignored) as usize,
            design: DESIGN.integer(None, preset, "", ignored),
            scrambled: SCRAMBLED.flag(None, preset),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use unmask_core::{Ended, FromFn, ModelSpec, Target, Tensor};

    use super::*;
    use crate::methods::Method;
    use crate::methods::common_checks::until_deadline;
    use crate::segment::grid;

    /// With one cell per pixel the map is the indices themselves.
    const SIDE: usize = 8;

    /// Of a linear model: 64 values from -4 to 3.875.
    fn weight(pixel: usize) -> f32 {
        (pixel * 37 % 64) as f32 / 8.0 - 4.0
    }

    fn explain(sobol: &Sobol, seed: u64, rounds: Option<usize>) -> Result<Explanation, ForwardError> {
        let model = FromFn::new(ModelSpec::plain("linear", SIDE, SIDE, &["real", "fake"]), |x| {
            vec![0.0, (0..SIDE * SIDE).map(|i| x[i] * weight(i)).sum()]
        });
        let cut = until_deadline(&model, rounds.unwrap_or(usize::MAX));
        sobol.explain(&Context {
            image: &Arc::new(Tensor::constant(&[1.0; 3], SIDE, SIDE)),
            fill: &Arc::new(Tensor::constant(&[0.0; 3], SIDE, SIDE)),
            target: &Target::class(1, 2),
            segments: &Arc::new(grid(SIDE, SIDE, 1, 1)),
            seed,
            image_score: (0..SIDE * SIDE).map(|i| f64::from(weight(i))).sum(),
            fill_score: 0.0,
            forward: &cut,
            watch: &(),
        })
    }

    fn correlation(a: &[f64], b: &[f64]) -> f64 {
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let (ma, mb) = (mean(a), mean(b));
        let product =
            |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| f(a - ma, b - mb)).sum::<f64>();
        product(&|a, b| a * b) / (product(&|a, _| a * a) * product(&|_, b| b * b)).sqrt()
    }

    #[test]
    fn the_indices_of_a_linear_model_follow_the_squares_of_its_weights() {
        let squares: Vec<f64> = (0..SIDE * SIDE).map(|i| f64::from(weight(i)).powi(2)).collect();
        let found = |preset, seed| {
            let map = explain(&Sobol::preset(preset), seed, None).unwrap().map;
            correlation(&map.data.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(), &squares)
        };
        let plain = found(Preset::Paper, 0);
        assert!(plain > 0.98, "{plain}");
        // Any scrambling, also scipy's, has a mean of 0.970 here, and independent points one of 0.956.
        let scrambled = (0..16).map(|seed| found(Preset::Clean, seed)).sum::<f64>() / 16.0;
        assert!(scrambled > 0.965, "{scrambled}");
    }

    #[test]
    fn an_early_end_gives_the_explanation_of_the_whole_rows_asked_so_far() {
        for preset in [Preset::Paper, Preset::Clean] {
            let sobol = Sobol::preset(preset);
            // A row is 66 questions: three rounds hold five rows and 54 questions of the sixth.
            let cut = explain(&sobol, 7, Some(3)).unwrap();
            assert_eq!(cut.ended, Ended::Deadline);
            let five = explain(&Sobol { design: 5, ..sobol.clone() }, 7, None).unwrap();
            assert_eq!(five.ended, Ended::All);
            assert_eq!((cut.map, cut.figures), (five.map, five.figures), "{preset:?}");
            // One round holds one row.
            let error = explain(&sobol, 7, Some(1)).unwrap_err();
            assert_eq!(error, ForwardError::Unanswered(Ended::Deadline), "{preset:?}");
            assert!(explain(&sobol, 7, Some(sobol.least() as usize / ROUND)).is_ok(), "{preset:?}");
        }
    }

    #[test]
    fn a_grid_finer_than_the_frame_is_explained_all_the_same() {
        for preset in [Preset::Paper, Preset::Clean] {
            let map = explain(&Sobol { grid: 16, design: 4, ..Sobol::preset(preset) }, 1, None).unwrap().map;
            assert!(map.data.iter().all(|v| v.is_finite()), "{preset:?}");
        }
    }

    #[test]
    fn the_paper_asks_for_2112_pictures_and_starts_with_everything_hidden() {
        let sobol = Sobol::preset(Preset::Paper);
        assert_eq!(Method::Sobol(sobol.clone()).announced(), 2112);
        let points = Points::new(128, None);
        assert!(sobol.mask(&points, 0, (16, 16)).values.iter().all(|v| *v == 0.0));
    }

    #[test]
    fn a_c_is_an_a_with_one_cell_of_b() {
        let sobol = Sobol { grid: 2, ..Sobol::default() };
        let points = Points::new(8, Some(5));
        let values = |question| sobol.mask(&points, question, (4, 4)).values;
        let (a, b) = (values(6), values(7));
        for i in 0..4 {
            let c = values(8 + i as u64);
            assert!((0..4).all(|j| c[j] == if i == j { b[j] } else { a[j] }), "{i}");
        }
    }
}
