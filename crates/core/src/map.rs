//! A saliency map.

/// One value per pixel of the model's frame, row-major `[height, width]`; signed unless its method says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values, row-major.
    pub data: Vec<f32>,
}

/// How the values of a map read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Positive values speak for the target, negative ones against it; 0 is neither.
    Evidence,
    /// The larger, the more it matters, in either direction; only differences mean something.
    Importance,
}

impl Map {
    /// A map of zeros.
    pub fn zeros(height: usize, width: usize) -> Self {
        Self { height, width, data: vec![0.0; height * width] }
    }

    /// The mean value.
    pub fn mean(&self) -> f64 {
        self.data.iter().map(|v| f64::from(*v)).sum::<f64>() / self.data.len().max(1) as f64
    }

    /// The smallest value; 0 for an empty map.
    pub fn floor(&self) -> f32 {
        self.data.iter().copied().min_by(f32::total_cmp).unwrap_or(0.0)
    }

    /// The largest absolute value.
    pub fn peak(&self) -> f32 {
        self.data.iter().fold(0.0, |a, v| a.max(v.abs()))
    }
}
