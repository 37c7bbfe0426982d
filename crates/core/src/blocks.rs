//! A union of rectangles of pixels and channels.

use std::ops::Range;

/// Some rows, columns and channels of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Rows.
    pub rows: Range<usize>,
    /// Columns.
    pub cols: Range<usize>,
    /// Channels, in the model's order.
    pub channels: Range<usize>,
}

impl Block {
    /// Number of values inside.
    pub fn size(&self) -> usize {
        self.rows.len() * self.cols.len() * self.channels.len()
    }
}
