//! A coarse grid that says how much of the image shows, and its exact expansion to pixels.

use crate::Map;

/// How a grid of cells is brought to the size of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Each pixel takes the cell that it lies in.
    Nearest,
    /// Linear between cell centres, edges repeated (`align_corners = false`).
    Bilinear,
}

/// A grid of shares: 1 shows the image, 0 shows the fill, values between blend.
///
/// The grid is stretched to a `plane` (height, width) that may be larger than the picture, and the picture is the
/// window of that plane that starts at `offset` (rows, columns).
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    /// Rows of the grid.
    pub rows: usize,
    /// Columns of the grid.
    pub cols: usize,
    /// Shares, row-major `[rows, cols]`, each in [0, 1].
    pub values: Box<[f32]>,
    /// Height and width in pixels to which the grid is stretched.
    pub plane: (usize, usize),
    /// First row and column of the plane that the picture shows.
    pub offset: (usize, usize),
    /// How values between cell centres are found.
    pub filter: Filter,
}

impl Cells {
    /// A square lattice over the whole of a plane (height, width), which is the picture.
    ///
    /// # Panics
    /// When there are not `side * side` values.
    pub fn square(side: usize, values: impl Into<Box<[f32]>>, plane: (usize, usize), filter: Filter) -> Self {
        let values = values.into();
        assert_eq!(values.len(), side * side, "a value for each cell");
        Self { rows: side, cols: side, values, plane, offset: (0, 0), filter }
    }

    /// The share of every pixel of the plane.
    pub fn map(&self) -> Map {
        let (height, width) = self.plane;
        let mut map = Map::zeros(height, width);
        self.shares(height, width, &mut map.data);
        map
    }

    /// Calls `each` with every pixel row's number and shares.
    pub(crate) fn rows_of_shares(&self, height: usize, width: usize, mut each: impl FnMut(usize, &[f32])) {
        let across: Vec<Tap> = (0..width).map(|x| self.across(x)).collect();
        let mut wide = vec![0.0f32; self.rows * width];
        for (line, out) in self.values.chunks_exact(self.cols).zip(wide.chunks_exact_mut(width)) {
            for (out, tap) in out.iter_mut().zip(&across) {
                *out = tap.blend(line[tap.first], line[tap.second]);
            }
        }
        let mut shares = vec![0.0f32; width];
        for y in 0..height {
            let tap = self.down(y);
            let upper = &wide[tap.first * width..(tap.first + 1) * width];
            let lower = &wide[tap.second * width..(tap.second + 1) * width];
            for (share, (a, b)) in shares.iter_mut().zip(upper.iter().zip(lower)) {
                *share = tap.blend(*a, *b);
            }
            each(y, &shares);
        }
    }

    /// The columns that pixel column `x` lies between.
    pub fn across(&self, x: usize) -> Tap {
        self.filter.tap(x + self.offset.1, self.cols, self.plane.1)
    }

    /// The rows that pixel row `y` lies between.
    pub fn down(&self, y: usize) -> Tap {
        self.filter.tap(y + self.offset.0, self.rows, self.plane.0)
    }

    /// Writes the share of every pixel, row-major `[height, width]`.
    ///
    /// # Panics
    /// When `out` does not have `height * width` values.
    pub fn shares(&self, height: usize, width: usize, out: &mut [f32]) {
        assert_eq!(out.len(), height * width, "one share per pixel");
        self.rows_of_shares(height, width, |y, row| out[y * width..(y + 1) * width].copy_from_slice(row));
    }
}

/// The two neighbours that a pixel lies between, and the weight of the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tap {
    /// The neighbour before, or the only one.
    pub first: usize,
    /// The neighbour behind, or the only one.
    pub second: usize,
    /// Weight of the second, in [0, 1); the first has the rest.
    pub weight: f32,
}

impl Tap {
    /// Equal neighbours keep their value exactly, so that an untouched region keeps the image's own bits.
    fn blend(&self, first: f32, second: f32) -> f32 {
        first + self.weight * (second - first)
    }
}

impl Filter {
    fn tap(self, pixel: usize, cells: usize, pixels: usize) -> Tap {
        let last = cells - 1;
        match self {
            Self::Nearest => {
                let cell = (pixel * cells / pixels).min(last);
                Tap { first: cell, second: cell, weight: 0.0 }
            }
            Self::Bilinear => {
                let centre =
                    ((pixel as f64 + 0.5) * cells as f64 / pixels as f64 - 0.5).clamp(0.0, last as f64);
                let first = centre as usize;
                Tap { first, second: (first + 1).min(last), weight: (centre - first as f64) as f32 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(cells: &Cells, height: usize, width: usize) -> Vec<f32> {
        let mut out = vec![0.0; height * width];
        cells.shares(height, width, &mut out);
        out
    }

    #[test]
    fn a_square_lattice_is_painted_over_its_whole_plane() {
        let map = Cells::square(2, [0.0, 1.0, 0.5, 0.25], (2, 4), Filter::Nearest).map();
        assert_eq!((map.height, map.width), (2, 4));
        assert_eq!(map.data, [0.0, 0.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
    }

    #[test]
    fn nearest_cells_cover_the_picture_in_equal_blocks() {
        let cells = Cells {
            rows: 2,
            cols: 2,
            values: [0.0, 1.0, 0.5, 0.25].into(),
            plane: (4, 4),
            offset: (0, 0),
            filter: Filter::Nearest,
        };
        assert_eq!(
            shares(&cells, 4, 4),
            [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.5, 0.5, 0.25, 0.25]
        );
    }

    // torch.nn.functional.interpolate([[0, 1]], size=4, mode="linear", align_corners=False) is [0, .25, .75, 1].
    #[test]
    fn bilinear_cells_follow_align_corners_false() {
        let cells = Cells {
            rows: 1,
            cols: 2,
            values: [0.0, 1.0].into(),
            plane: (1, 4),
            offset: (0, 0),
            filter: Filter::Bilinear,
        };
        assert_eq!(shares(&cells, 1, 4), [0.0, 0.25, 0.75, 1.0]);
    }

    #[test]
    fn an_offset_shows_a_window_of_the_plane() {
        let whole = Cells {
            rows: 2,
            cols: 3,
            values: [0.0, 1.0, 0.0, 1.0, 0.0, 1.0].into(),
            plane: (6, 9),
            offset: (0, 0),
            filter: Filter::Bilinear,
        };
        let window = Cells { offset: (1, 2), ..whole.clone() };
        let all = shares(&whole, 6, 9);
        let part = shares(&window, 4, 5);
        for y in 0..4 {
            assert_eq!(part[y * 5..(y + 1) * 5], all[(y + 1) * 9 + 2..(y + 1) * 9 + 7]);
        }
    }
}
