//! A picture in the model's units.

use thiserror::Error;

/// A picture in the model's own units and channel order: float32 `[channels, height, width]`, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    channels: usize,
    height: usize,
    width: usize,
    data: Vec<f32>,
}

/// The data of a tensor does not have as many values as its shape says.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a tensor of shape [{channels}, {height}, {width}] cannot hold {got} values")]
pub struct ShapeError {
    /// Channels asked for.
    pub channels: usize,
    /// Rows asked for.
    pub height: usize,
    /// Columns asked for.
    pub width: usize,
    /// Values given.
    pub got: usize,
}

impl Tensor {
    /// A tensor over `data`, which is row-major `[channels, height, width]`.
    ///
    /// # Errors
    /// [`ShapeError`] when the number of values is not the product of the shape.
    pub fn new(channels: usize, height: usize, width: usize, data: Vec<f32>) -> Result<Self, ShapeError> {
        if data.len() != channels * height * width {
            return Err(ShapeError { channels, height, width, got: data.len() });
        }
        Ok(Self { channels, height, width, data })
    }

    /// A tensor whose every channel has one value.
    pub fn constant(values: &[f32], height: usize, width: usize) -> Self {
        let data = values.iter().flat_map(|v| std::iter::repeat_n(*v, height * width)).collect();
        Self { channels: values.len(), height, width, data }
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All values, row-major `[channels, height, width]`.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// One channel, row-major `[height, width]`.
    pub fn channel(&self, c: usize) -> &[f32] {
        let plane = self.height * self.width;
        &self.data[c * plane..(c + 1) * plane]
    }

    /// Whether two tensors have the same shape.
    pub fn same_shape(&self, other: &Self) -> bool {
        (self.channels, self.height, self.width) == (other.channels, other.height, other.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_refuses_data_of_another_size() {
        let error = Tensor::new(3, 2, 2, vec![0.0; 11]).unwrap_err();
        assert_eq!(error.to_string(), "a tensor of shape [3, 2, 2] cannot hold 11 values");
    }

    #[test]
    fn a_constant_tensor_has_one_value_per_channel() {
        let tensor = Tensor::constant(&[1.0, 2.0], 1, 3);
        assert_eq!(tensor.data(), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
        assert_eq!(tensor.channel(1), [2.0, 2.0, 2.0]);
    }
}
