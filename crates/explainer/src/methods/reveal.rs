//! Reveal: one patch at a time, shown on the picture's adversarial twin.
//!
//! This service's own. docs/reveal.md has the reasoning, what was left out and why, and the figures.
//!
//! The fill t is meant to be the picture's twin: the same face, changed until the detector decides otherwise. The frame is cut into
//! `grid` x `grid` cells, and for each cell c the twin is scored with that cell of the picture x put back:
//!
//! ```text
//! v(c) = f(t with x in c) - f(t)
//! ```
//!
//! in the unit of the score: how far this cell alone brings the decision back. The map `[H, W]` is the Nadaraya-Watson mean of
//! the cells that were asked about, with s = `smoothing` cells:
//!
//! ```text
//! M(p) = sum over c of v(c) K(p - centre of c) / sum over c of K(p - centre of c),   K(d) = exp(-|d|^2 / (2 s^2))
//! ```
//!
//! Cost: `grid^2` passes.
//!
//! Cells are asked about in three turns: those of even row and even column, those of odd row and odd column, and the others. A
//! budget or deadline may end the method after any round from the first turn on, a quarter of the cells: the map is then that
//! of the cells so far, coarser and whole. It draws nothing, so that its error is that of its fill.
//!
//! That a region be shown alone is the sufficiency of Zeiler and Fergus's occlusion turned round; that the rest be an adversarial
//! version of the same face is arXiv 2502.03957.

use unmask_core::{
    Cells, Ended, Filter, ForwardError, Kind, Map, Param, Perturbation, Preset, ROUND, Reading,
};

use super::{Context, Explanation, Figures};
use crate::catalogue::Descriptor;

/// Rows and columns of the lattice.
pub const GRID: Param = Param {
    name: "grid",
    unit: "cells",
    kind: Kind::Integer { default: 8, min: 2, max: 64 },
    paper: None,
    help: "Rows and columns of the lattice of patches.",
    source: "measured: docs/reveal.md",
};
/// Width of the kernel.
pub const SMOOTHING: Param = Param {
    name: "smoothing",
    unit: "cells",
    kind: Kind::Real { default: 0.7, min: 0.1, max: 4.0 },
    paper: None,
    help: "Standard deviation of the Gaussian by which a pixel weighs the patches around it; 0.1 is about the nearest alone.",
    source: "measured: docs/reveal.md",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "reveal",
    summary: "One patch at a time, shown on the picture's adversarial twin: how far it brings the decision back.",
    citation: "ours; docs/reveal.md",
    params: &[GRID, SMOOTHING],
    passes: "grid^2",
};

/// Parameters of Reveal.
#[derive(Clone, Debug, PartialEq)]
pub struct Reveal {
    /// Rows and columns of the lattice.
    pub grid: usize,
    /// Standard deviation of the kernel, in cells.
    pub smoothing: f64,
}

/// A cell that has been asked about, and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Patch {
    row: usize,
    col: usize,
    value: f64,
}

impl Reveal {
    pub(super) fn announced(&self) -> u64 {
        (self.grid * self.grid) as u64
    }

    /// The first turn, in whole rounds.
    pub(super) fn least(&self) -> u64 {
        self.turn().next_multiple_of(self.round()).min(self.grid * self.grid) as u64
    }

    /// Cells of the first turn.
    fn turn(&self) -> usize {
        self.grid.div_ceil(2) * self.grid.div_ceil(2)
    }

    /// Cells that are asked about together: no more than a turn, because a budget or deadline ends the method between rounds.
    fn round(&self) -> usize {
        self.turn().min(ROUND)
    }

    pub(super) fn explain(&self, context: &Context<'_>) -> Result<Explanation, ForwardError> {
        let order = self.order();
        let shape = (context.image.height(), context.image.width());
        let question = |i: u64| Perturbation::Cells(self.shown(order[i as usize], shape));
        let mut rounds = context.rounds_of(self.round(), order.len() as u64, question);
        let mut patches = Vec::with_capacity(order.len());
        let ended = context.forward.run(&mut rounds, &mut |_, scores| {
            for row in scores.rows() {
                let (row, col, value) = (
                    order[patches.len()].0,
                    order[patches.len()].1,
                    context.target.value(row) - context.fill_score,
                );
                patches.push(Patch { row, col, value });
            }
            let folded = patches.len() as u64;
            context.shown(folded, || {
                (folded >= self.least()).then(|| self.explanation(&patches, shape, Ended::All))
            })
        })?;
        // Without a patch near every pixel there is no map.
        if (patches.len() as u64) < self.least() {
            return Err(ForwardError::Unanswered(ended));
        }
        Ok(self.explanation(&patches, shape, ended))
    }

    fn explanation(&self, patches: &[Patch], shape: (usize, usize), ended: Ended) -> Explanation {
        let map = self.map(patches, shape);
        Explanation { map, reading: Reading::Evidence, figures: Figures::default(), errors: None, ended }
    }

    /// Rows and columns of the cells, in the order in which they are asked about: any beginning from the first turn on is spread
    /// over the frame.
    fn order(&self) -> Vec<(usize, usize)> {
        let turn = |(row, col): (usize, usize)| match (row % 2, col % 2) {
            (0, 0) => 0,
            (1, 1) => 1,
            _ => 2,
        };
        let mut order: Vec<_> =
            (0..self.grid).flat_map(|row| (0..self.grid).map(move |col| (row, col))).collect();
        order.sort_by_key(|cell| turn(*cell));
        order
    }

    fn shown(&self, (row, col): (usize, usize), shape: (usize, usize)) -> Cells {
        let mut values = vec![0.0; self.grid * self.grid];
        values[row * self.grid + col] = 1.0;
        Cells::square(self.grid, values, shape, Filter::Nearest)
    }

    /// The kernel factors into rows and columns, so that the sums go over rows first.
    fn map(&self, patches: &[Patch], (height, width): (usize, usize)) -> Map {
        let grid = self.grid;
        let (mut values, mut asked) = (vec![0.0; grid * grid], vec![0.0; grid * grid]);
        for Patch { row, col, value } in patches {
            values[row * grid + col] = *value;
            asked[row * grid + col] = 1.0;
        }
        let (down, across) = (self.weights(height), self.weights(width));
        let mut data = Vec::with_capacity(height * width);
        for down in down.chunks_exact(grid) {
            let along = |cells: &[f64]| -> Vec<f64> {
                let lines = cells.chunks_exact(grid).zip(down);
                lines.fold(vec![0.0; grid], |mut sums, (line, weight)| {
                    sums.iter_mut().zip(line).for_each(|(sum, value)| *sum += weight * value);
                    sums
                })
            };
            let (values, asked) = (along(&values), along(&asked));
            for across in across.chunks_exact(grid) {
                let of = |cells: &[f64]| cells.iter().zip(across).map(|(c, w)| c * w).sum::<f64>();
                data.push((of(&values) / of(&asked)) as f32);
            }
        }
        Map { height, width, data }
    }

    /// What each cell of a line weighs for each of so many pixels, `[pixels, grid]`.
    fn weights(&self, pixels: usize) -> Vec<f64> {
        let place = |pixel: usize| (pixel as f64 + 0.5) / pixels as f64 * self.grid as f64;
        let weight = |pixel, cell: usize| {
            let away = (place(pixel) - (cell as f64 + 0.5)) / self.smoothing;
            (-0.5 * away * away).exp()
        };
        (0..pixels)
            .flat_map(|pixel| (0..self.grid).map(move |cell| (pixel, cell)))
            .map(|(p, c)| weight(p, c))
            .collect()
    }
}

impl Default for Reveal {
    fn default() -> Self {
        let ignored = &mut Vec::new();
        Self {
            grid: GRID.integer(None, Preset::Clean, "", ignored) as usize,
            smoothing: SMOOTHING.real(None, Preset::Clean, "", ignored),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::{Method, common_checks as planted};

    fn patches(reveal: &Reveal, value: impl Fn(usize, usize) -> f64) -> Vec<Patch> {
        reveal.order().into_iter().map(|(row, col)| Patch { row, col, value: value(row, col) }).collect()
    }

    #[test]
    fn every_cell_of_a_linear_model_gets_its_weight() {
        let method = Method::Reveal(Reveal { grid: 4, smoothing: 0.1 });
        let map = planted::explain_linear(&method, 3).map;
        for (value, weight) in map.data.iter().zip(planted::weights_per_pixel()) {
            assert!((value - weight).abs() < 0.01, "{value} {weight}");
        }
    }

    #[test]
    fn evidence_that_is_there_twice_is_found_twice() {
        let method = Method::Reveal(Reveal { grid: 4, smoothing: 0.1 });
        let map = planted::explain(&method, 0, |x| vec![0.0, x[0].max(x[5])]).map.data;
        assert!(map[0] > 0.99 && map[5] > 0.99 && map[10] < 0.01, "{map:?}");
    }

    #[test]
    fn the_map_is_the_mean_of_the_cells_by_their_distance() {
        let reveal = Reveal { grid: 3, smoothing: 0.8 };
        let value = |row: usize, col: usize| (row * row) as f64 - 1.5 * col as f64;
        let map = reveal.map(&patches(&reveal, value), (6, 9));
        let weight = |y: usize, x: usize, row: usize, col: usize| {
            let (dy, dx) =
                ((y as f64 + 0.5) / 2.0 - row as f64 - 0.5, (x as f64 + 0.5) / 3.0 - col as f64 - 0.5);
            (-(dy * dy + dx * dx) / (2.0 * 0.8 * 0.8)).exp()
        };
        for (y, x) in (0..6).flat_map(|y| (0..9).map(move |x| (y, x))) {
            let cells = || (0..3).flat_map(|row| (0..3).map(move |col| (row, col)));
            let sum: f64 = cells().map(|(r, c)| weight(y, x, r, c) * value(r, c)).sum();
            let all: f64 = cells().map(|(r, c)| weight(y, x, r, c)).sum();
            assert!((f64::from(map.data[y * 9 + x]) - sum / all).abs() < 1e-6, "{y} {x}");
        }
    }

    #[test]
    fn every_cell_is_asked_about_once_and_any_beginning_after_the_first_turn_is_a_map() {
        for grid in [2, 3, 8, 9, 64] {
            let reveal = Reveal { grid, smoothing: 0.1 };
            let all = patches(&reveal, |row, _| row as f64);
            let mut cells: Vec<_> = all.iter().map(|p| (p.row, p.col)).collect();
            cells.sort_unstable();
            cells.dedup();
            assert_eq!(cells.len() as u64, reveal.announced());
            let first = reveal.map(&all[..reveal.least() as usize], (64, 64));
            // What is nearest is at most a cell and a half away.
            for (i, value) in first.data.iter().enumerate() {
                let row = (i / 64 * grid / 64) as f32;
                assert!((value - row).abs() <= 1.01, "{grid}: {value} in row {row}");
            }
        }
    }

    #[test]
    fn ranks_a_linear_model() {
        planted::assert_ranks_a_linear_model(&Method::Reveal(Reveal { grid: 4, smoothing: 0.1 }));
    }
}
