//! HiPe: from coarse windows to ever finer ones, only where something was found.
//!
//! Cooper, Arandjelović, Harrison, "Believe the HiPe: Hierarchical Perturbation for Fast, Robust, and Model-Agnostic Saliency
//! Mapping", Pattern Recognition 2022, DOI 10.1016/j.patcog.2022.108743, arXiv 2103.05108.
//!
//! The first level has a lattice of `cells` x `cells`, each further one twice as many on a side. Windows of two by two cells step by one
//! cell, over the edges too, and each is replaced by the fill; with W_lk the pixels of window k of level l and f the explained scalar,
//! the map `[H, W]` is
//!
//! ```text
//! S(x) = sum_l sum_(k: x in W_lk) max(0, f(image) - f(image without W_lk))
//! ```
//!
//! in the unit of the score, added up over windows: evidence for the target alone, 0 where nothing speaks for it. All windows of the
//! first level are asked about; of a further one those in which some pixel has at least `(max S + min S) / 2` of the levels before. What
//! nobody hides is not looked into: a region within which evidence for and against is even stays unseen. Cost: at most `passes`, and
//! never more than all windows of all levels; how many it takes depends on the picture.
//!
//! Departures from the paper: where more windows are worth asking about than passes are left, the most salient ones are, of equals the
//! first; a picture in which the first level finds nothing is done after it; the last level is the last whose cells have a pixel; the
//! fill is free (the paper's are zero, the mean and a blur).

use std::ops::Range;

use unmask_core::{Block, Cells, Ended, Filter, ForwardError, Kind, Param, Perturbation, Preset, Reading};

use super::{Context, Explanation, Figures};
use crate::catalogue::Descriptor;

/// Rows and columns of the first level.
pub const CELLS: Param = Param {
    name: "cells",
    unit: "cells",
    kind: Kind::Integer { default: 6, min: 2, max: 10 },
    paper: None,
    help: "Rows and columns of the first lattice; each further level has twice as many.",
    source: "the authors' code: twice the floor of log4 of a side of 224",
};
/// Most levels.
pub const LEVELS: Param = Param {
    name: "levels",
    unit: "levels",
    kind: Kind::Integer { default: 5, min: 1, max: 6 },
    paper: None,
    help: "Most levels; the last is one whose cells have at least a pixel.",
    source: "the authors' code, for a side of 224",
};
/// Most passes.
pub const PASSES: Param = Param {
    name: "passes",
    unit: "passes",
    kind: Kind::Integer { default: 2000, min: 128, max: 100_000 },
    paper: None,
    help: "Most hidden windows; of those beyond it the least salient are left out.",
    source: "ours: as many as LIME",
};

pub(super) const DESCRIPTOR: Descriptor = Descriptor {
    name: "hipe",
    summary: "Ever smaller windows are hidden where hiding larger ones lowered the score; evidence for the target alone.",
    citation: "Cooper et al., Pattern Recognition 2022, arXiv 2103.05108",
    params: &[CELLS, LEVELS, PASSES],
    passes: "at most passes",
};

/// Parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Hipe {
    /// Rows and columns of the first level.
    pub cells: usize,
    /// Most levels.
    pub levels: usize,
    /// Most passes.
    pub passes: u64,
}

impl Hipe {
    pub(super) fn announced(&self) -> u64 {
        let windows = (0..self.levels).map(|level| ((self.cells << level) + 1).pow(2) as u64);
        windows.sum::<u64>().min(self.passes)
    }

    pub(super) fn least(&self) -> u64 {
        (self.cells as u64 + 1).pow(2)
    }

    pub(super) fn explain(&self, context: &Context<'_>) -> Result<Explanation, ForwardError> {
        let most = self.announced();
        let mut found = Lattice { side: self.cells, values: vec![0.0; self.cells * self.cells] };
        let mut windows = found.windows(f64::NEG_INFINITY, most);
        let (mut asked, mut ended) = found.ask(&windows, 0, context)?;
        if asked == 0 {
            return Err(ForwardError::Unanswered(ended));
        }
        for _ in 1..self.levels {
            let (lowest, highest) = found.range();
            let finer = 2 * found.side <= context.image.height().min(context.image.width());
            if ended != Ended::All || asked == most || lowest == highest || !finer {
                break;
            }
            found = found.split();
            windows = found.windows(f64::midpoint(lowest, highest), most - asked);
            (asked, ended) = found.ask(&windows, asked, context)?;
        }
        if ended == Ended::All && asked < most {
            ended = Ended::Stopped;
        }
        Ok(found.explanation(context, ended))
    }
}

/// What has been found so far, one value for each cell of a level, row-major `[side, side]`. A cell of the next level lies within
/// one of this level.
struct Lattice {
    side: usize,
    values: Vec<f64>,
}

/// Two by two cells, or what of them lies in the picture.
#[derive(Clone)]
struct Window {
    rows: Range<usize>,
    cols: Range<usize>,
}

impl Lattice {
    fn cells(&self, window: &Window) -> impl Iterator<Item = usize> + use<> {
        let (side, cols) = (self.side, window.cols.clone());
        window.rows.clone().flat_map(move |row| cols.clone().map(move |col| row * side + col))
    }

    /// At most `most` windows in which some cell has at least the threshold, the most salient first, of equals the first.
    fn windows(&self, threshold: f64, most: u64) -> Vec<Window> {
        let span = |first: usize| first.saturating_sub(1)..(first + 1).min(self.side);
        let mut windows: Vec<(f64, Window)> = (0..=self.side)
            .flat_map(|row| (0..=self.side).map(move |col| Window { rows: span(row), cols: span(col) }))
            .map(|window| (self.cells(&window).map(|cell| self.values[cell]).fold(0.0, f64::max), window))
            .filter(|(salience, _)| *salience >= threshold)
            .collect();
        windows.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        windows.truncate(most as usize);
        windows.into_iter().map(|(_, window)| window).collect()
    }

    /// Asks about windows after `before` others and adds what they say. How many have been asked about then, and why they are over.
    fn ask(
        &mut self,
        windows: &[Window],
        before: u64,
        context: &Context<'_>,
    ) -> Result<(u64, Ended), ForwardError> {
        let side = self.side;
        let mut rounds = context.rounds(windows.len() as u64, |i| windows[i as usize].hidden(side, context));
        let mut left = windows.iter();
        let mut asked = before;
        let ended = context.forward.run(&mut rounds, &mut |_, scores| {
            for (row, window) in scores.rows().zip(&mut left) {
                let fall = (context.image_score - context.target.value(row)).max(0.0);
                self.cells(window).for_each(|cell| self.values[cell] += fall);
                asked += 1;
            }
            context.shown(asked, || Some(self.explanation(context, Ended::Budget)))
        })?;
        Ok((asked, ended))
    }

    fn range(&self) -> (f64, f64) {
        let fold = |first, of: fn(f64, f64) -> f64| self.values.iter().copied().fold(first, of);
        (fold(f64::INFINITY, f64::min), fold(f64::NEG_INFINITY, f64::max))
    }

    /// The same values on the lattice of the next level.
    fn split(&self) -> Self {
        let side = 2 * self.side;
        let value = |cell: usize| self.values[cell / side / 2 * self.side + cell % side / 2];
        Self { side, values: (0..side * side).map(value).collect() }
    }

    fn explanation(&self, context: &Context<'_>, ended: Ended) -> Explanation {
        let shape = (context.image.height(), context.image.width());
        let values: Vec<f32> = self.values.iter().map(|value| *value as f32).collect();
        let map = Cells::square(self.side, values, shape, Filter::Nearest).map();
        Explanation { map, reading: Reading::Evidence, figures: Figures::default(), errors: None, ended }
    }
}

impl Window {
    /// The picture without the window: what lies above it, below it, and on either side.
    fn hidden(&self, side: usize, context: &Context<'_>) -> Perturbation {
        let (height, width) = (context.image.height(), context.image.width());
        // The first pixel of a cell, where each pixel belongs to the cell that it begins in.
        let first = |cell: usize, pixels: usize| (cell * pixels).div_ceil(side);
        let rows = first(self.rows.start, height)..first(self.rows.end, height);
        let cols = first(self.cols.start, width)..first(self.cols.end, width);
        let channels = 0..context.image.channels();
        let shown = [
            (0..rows.start, 0..width),
            (rows.end..height, 0..width),
            (rows.clone(), 0..cols.start),
            (rows, cols.end..width),
        ];
        let blocks = shown.into_iter().filter(|(rows, cols)| !rows.is_empty() && !cols.is_empty());
        Perturbation::Blocks(
            blocks.map(|(rows, cols)| Block { rows, cols, channels: channels.clone() }).collect(),
        )
    }
}

impl Default for Hipe {
    fn default() -> Self {
        let ignored = &mut Vec::new();
        Self {
            cells: CELLS.integer(None, Preset::Clean, "", ignored) as usize,
            levels: LEVELS.integer(None, Preset::Clean, "", ignored) as usize,
            passes: PASSES.integer(None, Preset::Clean, "", ignored),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::methods::{Method, common_checks as planted};

    const SIDE: usize = planted::SIDE;

    fn explain(hipe: &Hipe, logits: impl Fn(&[f32]) -> Vec<f32>) -> Explanation {
        planted::explain(&Method::Hipe(hipe.clone()), 0, logits)
    }

    /// Only pixel (5, 9) matters.
    fn pixel(x: &[f32]) -> Vec<f32> {
        vec![0.0, x[5 * SIDE + 9]]
    }

    #[test]
    fn the_one_pixel_that_matters_has_four_windows_of_every_level() {
        let hipe = Hipe { cells: 2, levels: 4, passes: 2000 };
        let map = explain(&hipe, pixel).map;
        let highest = map.data.iter().copied().fold(0.0, f32::max);
        assert_eq!((map.data[5 * SIDE + 9], highest), (16.0, 16.0));
        assert_eq!(map.data.iter().filter(|value| **value == highest).count(), 1);
    }

    #[test]
    fn only_what_was_found_is_looked_into() {
        let passes = RefCell::new(0);
        let hipe = Hipe { cells: 2, levels: 4, passes: 2000 };
        explain(&hipe, |x| {
            *passes.borrow_mut() += 1;
            pixel(x)
        });
        // Two of them are the picture and the fill. All windows of the four levels are 404.
        let asked = *passes.borrow() - 2;
        assert!(asked < 120, "{asked}");
    }

    #[test]
    fn windows_hide_what_is_in_them_and_nothing_else() {
        let seen = RefCell::new(Vec::new());
        explain(&Hipe { cells: 3, levels: 1, passes: 2000 }, |x| {
            let plane = &x[..SIDE * SIDE];
            let hidden: Vec<usize> = (0..SIDE * SIDE).filter(|i| plane[*i] == 0.0).collect();
            let rows = hidden.first().map_or(0, |i| i / SIDE)..hidden.last().map_or(0, |i| i / SIDE + 1);
            seen.borrow_mut().push((rows, hidden.len()));
            pixel(x)
        });
        let seen = seen.into_inner();
        // Cells of 16 pixels by three: rows 0 to 5, 6 to 10, 11 to 15. The first two are the picture and the fill.
        assert_eq!(seen.len(), 2 + 16);
        assert_eq!(seen[2], (0..6, 36));
        assert_eq!(seen[3], (0..6, 66));
        assert_eq!(seen[2 + 5], (0..11, 121));
        assert_eq!(seen[2 + 15], (11..16, 25));
    }

    #[test]
    fn what_is_announced_is_never_exceeded_and_the_most_salient_windows_come_first() {
        let hipe = Hipe { cells: 4, levels: 3, passes: 128 };
        let passes = RefCell::new(0);
        let rough = |x: &[f32]| (0..SIDE * SIDE).map(|i| x[i] * ((i * 37 % 11) as f32)).sum::<f32>();
        let explanation = explain(&hipe, |x| {
            *passes.borrow_mut() += 1;
            vec![0.0, rough(x)]
        });
        assert_eq!((*passes.borrow() - 2, explanation.ended), (128, Ended::All));
        let lattice = Lattice { side: 2, values: vec![1.0, 0.0, 3.0, 0.0] };
        let first = |most| {
            let windows = lattice.windows(1.5, most);
            windows.iter().map(|w| (w.rows.start, w.cols.start)).collect::<Vec<_>>()
        };
        // Windows that hold cell (1, 0): those of which it is any of the four.
        assert_eq!(first(9), [(0, 0), (0, 0), (1, 0), (1, 0)]);
        assert_eq!(first(1), [(0, 0)]);
    }

    #[test]
    fn a_picture_in_which_nothing_is_found_is_done_after_the_first_level() {
        let explanation = explain(&Hipe::default(), |x| vec![0.0, -x[7]]);
        assert!(explanation.map.data.iter().all(|value| *value == 0.0));
        assert_eq!(explanation.ended, Ended::Stopped);
    }

    #[test]
    fn cells_are_never_smaller_than_a_pixel() {
        let map = explain(&Hipe { cells: 10, levels: 6, passes: 5000 }, pixel).map;
        assert!(map.data.iter().all(|value| value.is_finite()) && map.data[5 * SIDE + 9] == 4.0);
    }
}
