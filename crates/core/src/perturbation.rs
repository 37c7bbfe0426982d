//! Compact questions: how the picture is changed for one forward pass.

use std::sync::Arc;

use crate::{Cells, Layout, Tensor};

/// One changed picture, said in as few bytes as possible; it becomes pixels only in the worker's input buffer.
///
/// The set is closed: `compose` in the pool calls [`Perturbation::expand`] and knows nothing of methods.
#[derive(Clone, Debug)]
pub enum Perturbation {
    /// A grid of shares between image and fill.
    Cells(Cells),
    /// A whole picture, as it is.
    Dense(Arc<Tensor>),
}

impl Perturbation {
    /// Writes the perturbed picture in the model's layout: `share * image + (1 - share) * fill` for every value.
    ///
    /// A share of exactly 1 or 0 keeps the bits of the image or of the fill.
    ///
    /// # Panics
    /// When `out` has another number of values than `image`, or a tensor has another shape. Callers check shapes
    /// where a round is accepted.
    pub fn expand(&self, image: &Tensor, fill: &Tensor, layout: Layout, out: &mut [f32]) {
        assert!(image.same_shape(fill), "fill and image have one shape");
        assert_eq!(out.len(), image.data().len(), "the buffer holds one picture");
        match self {
            Self::Cells(cells) => blend(cells, image, fill, layout, out),
            Self::Dense(picture) => {
                assert!(image.same_shape(picture), "a dense picture has the image's shape");
                copy(picture, layout, out);
            }
        }
    }
}

fn blend(cells: &Cells, image: &Tensor, fill: &Tensor, layout: Layout, out: &mut [f32]) {
    let (channels, height, width) = (image.channels(), image.height(), image.width());
    cells.rows_of_shares(height, width, |y, shares| {
        for c in 0..channels {
            let row = y * width..(y + 1) * width;
            let pairs = image.channel(c)[row.clone()].iter().zip(&fill.channel(c)[row]);
            let values = shares.iter().zip(pairs).map(|(share, (i, f))| share * i + (1.0 - share) * f);
            match layout {
                Layout::Nchw => {
                    let start = (c * height + y) * width;
                    out[start..start + width].iter_mut().zip(values).for_each(|(o, v)| *o = v);
                }
                Layout::Nhwc => {
                    let pixels =
                        out[y * width * channels..(y + 1) * width * channels].chunks_exact_mut(channels);
                    pixels.zip(values).for_each(|(pixel, v)| pixel[c] = v);
                }
            }
        }
    });
}

fn copy(picture: &Tensor, layout: Layout, out: &mut [f32]) {
    match layout {
        Layout::Nchw => out.copy_from_slice(picture.data()),
        Layout::Nhwc => {
            let channels = picture.channels();
            for c in 0..channels {
                let values = picture.channel(c).iter();
                out.chunks_exact_mut(channels).zip(values).for_each(|(pixel, v)| pixel[c] = *v);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Filter;

    fn image() -> Tensor {
        Tensor::new(2, 2, 2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]).unwrap()
    }

    fn left_shown() -> Perturbation {
        Perturbation::Cells(Cells {
            rows: 1,
            cols: 2,
            values: [1.0, 0.25].into(),
            plane: (2, 2),
            offset: (0, 0),
            filter: Filter::Nearest,
        })
    }

    #[test]
    fn shares_blend_image_and_fill() {
        let mut out = [0.0; 8];
        left_shown().expand(&image(), &Tensor::constant(&[0.0, 4.0], 2, 2), Layout::Nchw, &mut out);
        assert_eq!(out, [1.0, 0.5, 3.0, 1.0, 5.0, 4.5, 7.0, 5.0]);
    }

    #[test]
    fn the_channels_last_layout_holds_the_same_values_transposed() {
        let fill = Tensor::constant(&[0.0, 4.0], 2, 2);
        for perturbation in [left_shown(), Perturbation::Dense(Arc::new(image()))] {
            let (mut first, mut last) = ([0.0; 8], [0.0; 8]);
            perturbation.expand(&image(), &fill, Layout::Nchw, &mut first);
            perturbation.expand(&image(), &fill, Layout::Nhwc, &mut last);
            for c in 0..2 {
                for pixel in 0..4 {
                    assert_eq!(first[c * 4 + pixel], last[pixel * 2 + c]);
                }
            }
        }
    }
}
