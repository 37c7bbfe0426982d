//! Occlusion: one window at a time.
//!
//! Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, arXiv 1311.2901.
//!
//! A square window of `window` x `window` cells moves over a `grid` x `grid` lattice, one cell at a time. In mode `hide`
//! the window is replaced by the fill and has the value `f(image) - f(image without it)`; in mode `show` it alone is
//! shown over the fill and has the value `f(fill with it) - f(fill)`; `both` is the mean of the two. The map `[H, W]` is,
//! per pixel, the mean value of the windows that cover it, in the unit of the score. Cost: `(grid - window + 1)^2` passes,
//! twice that for `both`.
//!
//! Departures from the paper: the window's step is one cell, the fill is free (the paper's is grey), and `show`, which
//! says more where hiding one region of many changes little, is ours.

use std::ops::ControlFlow;

use unmask_core::{Cells, Ended, Filter, ForwardError, Kind, Map, Param, Perturbation, Preset, Reading};

use super::{Context, Explanation, Figures};
use crate::catalogue::Descriptor;

/// Rows and columns of the lattice.
pub const GRID: Param = Param {
    name: "grid",
    unit: "cells",
    kind: Kind::Integer { default: 8, min: 2, max: 64 },
    paper: None,
    help: "Rows and columns of the lattice on which the window moves.",
    source: "ours: 64 passes",
};
/// Side of the window.
pub const WINDOW: Param = Param {
    name: "window",
    unit: "cells",
    kind: Kind::Integer { default: 1, min: 1, max: 64 },
    paper: None,
    help: "Side of the window, less than grid; above 1 windows overlap.",
    source: "ours: windows that do not overlap",
};
/// What the window does.
pub const MODE: Param = Param {
    name: "mode",
    unit: "",
    kind: Kind::Choice(&["OCCLUSION_MODE_HIDE", "OCCLUSION_MODE_SHOW", "OCCLUSION_MODE_BOTH"]),
    paper: None,
    help: "Whether the window hides its part, is shown alone over the fill, or both.",
    source: "Zeiler and Fergus, arXiv 1311.2901",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "occlusion",
    summary: "One window at a time: how much the score falls when it is hidden, or rises when it alone is shown.",
    citation: "Zeiler and Fergus, ECCV 2014, arXiv 1311.2901",
    params: &[GRID, WINDOW, MODE],
    passes: "(grid - window + 1)^2, twice that for OCCLUSION_MODE_BOTH",
};

/// What the window does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It hides its part of the image.
    Hide,
    /// It alone is shown over the fill.
    Show,
    /// The mean of both.
    Both,
}

/// Parameters of occlusion.
#[derive(Clone, Debug, PartialEq)]
pub struct Occlusion {
    /// Rows and columns of the lattice.
    pub grid: usize,
    /// Side of the window in cells, less than `grid`.
    pub window: usize,
    /// What the window does.
    pub mode: Mode,
}

impl Occlusion {
    pub(super) fn announced(&self) -> u64 {
        (self.windows() * self.sides().len()) as u64
    }

    pub(super) fn explain(&self, context: &Context<'_>) -> Result<Explanation, ForwardError> {
        let (windows, sides) = (self.windows(), self.sides());
        let count = windows * sides.len();
        let window = |i| {
            let i = i as usize;
            Perturbation::Cells(self.question(i % windows, sides[i / windows], context))
        };
        let mut rounds = context.rounds(count as u64, window);
        let mut values = Vec::with_capacity(count);
        let ended = context.forward.run(&mut rounds, &mut |_, scores| {
            for row in scores.rows() {
                let score = context.target.value(row);
                let hide = sides[values.len() / windows];
                values.push(if hide { context.image_score - score } else { score - context.fill_score });
            }
            ControlFlow::Continue(())
        })?;
        // Windows that were not asked about have no value, and a map with holes would be taken for one without evidence.
        if ended != Ended::All {
            return Err(ForwardError::Unanswered(ended));
        }
        let map = self.map(&values, context.image.height(), context.image.width());
        Ok(Explanation { map, reading: Reading::Evidence, figures: Figures::default(), errors: None, ended })
    }

    /// Windows on one side of the lattice.
    fn steps(&self) -> usize {
        self.grid - self.window + 1
    }

    fn windows(&self) -> usize {
        self.steps() * self.steps()
    }

    /// Whether each pass over the windows hides (or shows).
    fn sides(&self) -> &'static [bool] {
        match self.mode {
            Mode::Hide => &[true],
            Mode::Show => &[false],
            Mode::Both => &[true, false],
        }
    }

    /// The cells that window number `window` covers.
    fn covered(&self, window: usize) -> impl Iterator<Item = usize> + use<> {
        let (top, left) = (window / self.steps(), window % self.steps());
        let (grid, side) = (self.grid, self.window);
        (top..top + side).flat_map(move |row| (left..left + side).map(move |col| row * grid + col))
    }

    fn question(&self, window: usize, hide: bool, context: &Context<'_>) -> Cells {
        let (outside, inside) = if hide { (1.0, 0.0) } else { (0.0, 1.0) };
        let mut values = vec![outside; self.grid * self.grid];
        self.covered(window).for_each(|cell| values[cell] = inside);
        self.cells(values, (context.image.height(), context.image.width()))
    }

    fn cells(&self, values: Vec<f32>, shape: (usize, usize)) -> Cells {
        Cells::square(self.grid, values, shape, Filter::Nearest)
    }

    fn map(&self, values: &[f64], height: usize, width: usize) -> Map {
        let mut sums = vec![(0.0, 0.0); self.grid * self.grid];
        for (i, value) in values.iter().enumerate() {
            for cell in self.covered(i % self.windows()) {
                sums[cell].0 += value;
                sums[cell].1 += 1.0;
            }
        }
        let means = sums.iter().map(|(sum, count)| (sum / count) as f32).collect();
        self.cells(means, (height, width)).map()
    }
}

impl Default for Occlusion {
    fn default() -> Self {
        let ignored = &mut Vec::new();
        Self {
            grid: GRID.integer(None, Preset::Clean, "", ignored) as usize,
            window: WINDOW.integer(None, Preset::Clean, "", ignored) as usize,
            mode: Mode::Hide,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::{Method, common_checks as planted};

    #[test]
    fn every_cell_of_a_linear_model_gets_its_weight_in_every_mode() {
        for mode in [Mode::Hide, Mode::Show, Mode::Both] {
            let method = Method::Occlusion(Occlusion { grid: 4, mode, ..Occlusion::default() });
            let map = planted::explain_linear(&method, 3).map;
            for (value, weight) in map.data.iter().zip(planted::weights_per_pixel()) {
                assert!((value - weight).abs() < 1e-4, "{mode:?}: {value} {weight}");
            }
        }
    }

    #[test]
    fn overlapping_windows_are_averaged() {
        let occlusion = Occlusion { grid: 3, window: 2, mode: Mode::Hide };
        let map = occlusion.map(&[1.0, 2.0, 3.0, 4.0], 3, 3);
        assert_eq!(map.data, [1.0, 1.5, 2.0, 2.0, 2.5, 3.0, 3.0, 3.5, 4.0]);
    }

    #[test]
    fn showing_finds_evidence_that_is_there_twice() {
        // Either of two pixels is enough for the decision: hiding one changes nothing, showing one changes everything.
        let both = |mode| {
            let method = Method::Occlusion(Occlusion { grid: 4, mode, ..Occlusion::default() });
            planted::explain(&method, 0, |x| vec![0.0, x[0].max(x[5])]).map.data
        };
        assert_eq!(both(Mode::Hide)[0], 0.0);
        assert_eq!((both(Mode::Show)[0], both(Mode::Show)[5]), (1.0, 1.0));
    }

    #[test]
    fn ranks_a_linear_model() {
        planted::assert_ranks_a_linear_model(&Method::Occlusion(Occlusion {
            grid: 4,
            ..Occlusion::default()
        }));
    }
}
