//! Regions as equal rectangles.

use unmask_core::LabelMap;

/// Cuts a picture into `rows` x `cols` rectangles, numbered row by row. A picture with fewer pixels than cells on a
/// side gets one cell per pixel there.
pub fn grid(height: usize, width: usize, rows: usize, cols: usize) -> LabelMap {
    let (rows, cols) = (rows.clamp(1, height.max(1)), cols.clamp(1, width.max(1)));
    let labels =
        (0..height * width).map(|i| (i / width * rows / height * cols + i % width * cols / width) as u32);
    LabelMap::new(height, width, &labels.collect::<Vec<_>>()).expect("there is one label per pixel")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_numbers_its_cells_row_by_row() {
        assert_eq!(grid(2, 4, 2, 2).labels(), [0, 0, 1, 1, 2, 2, 3, 3]);
    }

    #[test]
    fn every_cell_is_used_when_sides_do_not_divide() {
        let map = grid(13, 7, 5, 4);
        assert_eq!(map.count(), 20);
        assert!((0..20).all(|cell| map.labels().contains(&cell)));
        assert_eq!(grid(2, 2, 9, 9).count(), 4);
    }
}
