//! Pictures cut into regions, and regions ranked by a map.

mod grid;
mod rank;

pub use grid::grid;
pub use rank::{Ranked, rank};

/// Which region each pixel belongs to: labels `0..count`, row-major `[height, width]`, every label in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    height: usize,
    width: usize,
    count: usize,
    labels: Vec<u32>,
}

impl LabelMap {
    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of regions.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The label of every pixel.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }
}
