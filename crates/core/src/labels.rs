//! A picture cut into regions.

use std::collections::BTreeMap;

use crate::ShapeError;

/// Which region each pixel belongs to: labels `0..count`, row-major `[height, width]`, every label in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMap {
    height: usize,
    width: usize,
    labels: Vec<u32>,
    names: Vec<u32>,
}

impl LabelMap {
    /// A map over any numbers: those in use become `0..count` in ascending order and stay known as names.
    ///
    /// # Errors
    /// [`ShapeError`] when there is not one number per pixel.
    pub fn new(height: usize, width: usize, numbers: &[u32]) -> Result<Self, ShapeError> {
        if numbers.len() != height * width {
            return Err(ShapeError { channels: 1, height, width, got: numbers.len() });
        }
        let mut order: BTreeMap<u32, u32> = numbers.iter().map(|n| (*n, 0)).collect();
        for (position, label) in (0..).zip(order.values_mut()) {
            *label = position;
        }
        let labels = numbers.iter().map(|n| order[n]).collect();
        Ok(Self { height, width, labels, names: order.into_keys().collect() })
    }

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
        self.names.len()
    }

    /// The label of every pixel.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The number that a label had when the map was made.
    pub fn name(&self, label: usize) -> u32 {
        self.names[label]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_numbers_become_consecutive_labels_and_stay_known() {
        let map = LabelMap::new(2, 3, &[9, 4, 9, 1000, 4, 4]).unwrap();
        assert_eq!(map.labels(), [1, 0, 1, 2, 0, 0]);
        assert_eq!((map.count(), map.name(0), map.name(2)), (3, 4, 1000));
    }

    #[test]
    fn a_number_per_pixel_is_needed() {
        assert!(LabelMap::new(2, 3, &[0; 5]).is_err());
    }
}
