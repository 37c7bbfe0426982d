//! Compact questions: how the picture is changed for one forward pass.

use std::sync::Arc;

use crate::{Block, Cells, LabelMap, Layout, Noise, Ranks, Tensor};

/// One changed picture, said in as few bytes as possible; it becomes pixels only in the worker's input buffer.
///
/// The set is closed: `compose` in the pool calls [`Perturbation::expand`] and knows nothing of methods.
#[derive(Clone, Debug)]
pub enum Perturbation {
    /// A grid of shares between image and fill.
    Cells(Cells),
    /// Regions of a shared label map, each shown or hidden.
    Segments {
        /// Which region each pixel belongs to.
        labels: Arc<LabelMap>,
        /// Whether a label shows, one for each.
        shown: Box<[bool]>,
    },
    /// Blocks that show; everything else is hidden.
    Blocks(Box<[Block]>),
    /// The highest pixels of a shared ranking hidden, or only they shown.
    Ranked {
        /// The rank of each pixel.
        ranks: Arc<Ranks>,
        /// How many pixels are the highest.
        top: usize,
        /// Whether the highest show and the others are hidden, or the other way round.
        shown: bool,
    },
    /// The image with noise added; the fill has no part in it.
    Noise(Noise),
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
            Self::Segments { labels, shown } => {
                let shows = labels.labels().iter().map(|label| shown[*label as usize]);
                choose(shows, image, fill, layout, out);
            }
            Self::Ranked { ranks, top, shown } => {
                let shows = ranks.ranks().iter().map(|rank| ((*rank as usize) < *top) == *shown);
                choose(shows, image, fill, layout, out);
            }
            Self::Blocks(blocks) => show(blocks, image, fill, layout, out),
            Self::Noise(noise) => {
                noise.each_channel(image, |c, values| put(c, image.channels(), values, layout, out));
            }
            Self::Dense(picture) => {
                assert!(image.same_shape(picture), "a dense picture has the image's shape");
                copy(picture, layout, out);
            }
        }
    }
}

/// Each pixel from the image where it shows, else from the fill.
fn choose(
    shows: impl Iterator<Item = bool> + Clone,
    image: &Tensor,
    fill: &Tensor,
    layout: Layout,
    out: &mut [f32],
) {
    let mut line = vec![0.0; image.height() * image.width()];
    for c in 0..image.channels() {
        let pairs = image.channel(c).iter().zip(fill.channel(c));
        let values = shows.clone().zip(pairs).map(|(shows, (i, f))| if shows { i } else { f });
        line.iter_mut().zip(values).for_each(|(o, v)| *o = *v);
        put(c, image.channels(), &line, layout, out);
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

fn show(blocks: &[Block], image: &Tensor, fill: &Tensor, layout: Layout, out: &mut [f32]) {
    let width = image.width();
    for c in 0..image.channels() {
        let mut values = fill.channel(c).to_vec();
        for block in blocks.iter().filter(|block| block.channels.contains(&c)) {
            for row in block.rows.clone() {
                let span = row * width + block.cols.start..row * width + block.cols.end;
                values[span.clone()].copy_from_slice(&image.channel(c)[span]);
            }
        }
        put(c, image.channels(), &values, layout, out);
    }
}

fn copy(picture: &Tensor, layout: Layout, out: &mut [f32]) {
    match layout {
        Layout::Nchw => out.copy_from_slice(picture.data()),
        Layout::Nhwc => {
            (0..picture.channels()).for_each(|c| put(c, picture.channels(), picture.channel(c), layout, out));
        }
    }
}

/// Writes one channel.
fn put(channel: usize, channels: usize, values: &[f32], layout: Layout, out: &mut [f32]) {
    match layout {
        Layout::Nchw => out[channel * values.len()..(channel + 1) * values.len()].copy_from_slice(values),
        Layout::Nhwc => {
            out.chunks_exact_mut(channels).zip(values).for_each(|(pixel, v)| pixel[channel] = *v);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Basis, Filter};

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

    fn diagonal_shown() -> Perturbation {
        let labels = Arc::new(LabelMap::new(2, 2, &[0, 1, 1, 2]).unwrap());
        Perturbation::Segments { labels, shown: [true, false, true].into() }
    }

    fn blocks_shown() -> Perturbation {
        let lower = Block { rows: 1..2, cols: 0..2, channels: 0..2 };
        let one = Block { rows: 0..1, cols: 1..2, channels: 1..2 };
        Perturbation::Blocks([lower, one].into())
    }

    fn noise(scale: f32, region: Option<Arc<[bool]>>) -> Perturbation {
        Perturbation::Noise(Noise { seed: 1, index: 2, basis: Basis::Grid(2), scale: [scale; 3], region })
    }

    fn expanded(perturbation: &Perturbation) -> [f32; 8] {
        let mut out = [0.0; 8];
        perturbation.expand(&image(), &Tensor::constant(&[0.0, 40.0], 2, 2), Layout::Nchw, &mut out);
        out
    }

    #[test]
    fn a_segment_that_is_hidden_takes_the_fill() {
        assert_eq!(expanded(&diagonal_shown()), [1.0, 0.0, 0.0, 4.0, 5.0, 40.0, 40.0, 8.0]);
    }

    #[test]
    fn blocks_show_the_image_over_the_fill() {
        assert_eq!(expanded(&blocks_shown()), [0.0, 0.0, 3.0, 4.0, 40.0, 6.0, 7.0, 8.0]);
    }

    #[test]
    fn opposite_probes_lie_on_either_side_of_the_image_and_a_region_keeps_the_rest() {
        let (plus, minus) = (expanded(&noise(0.5, None)), expanded(&noise(-0.5, None)));
        for ((a, b), value) in plus.iter().zip(minus).zip(image().data()) {
            assert!(*a != b && ((a + b) / 2.0 - value).abs() < 1e-6, "{a} {b} {value}");
        }
        let inside = expanded(&noise(0.5, Some([true, false, false, false].into())));
        assert_eq!(inside[1..4], image().data()[1..4]);
        assert_eq!((inside[0], inside[4]), (plus[0], plus[4]));
    }

    #[test]
    fn the_highest_pixels_are_hidden_or_shown_alone() {
        let ranked = |top, shown| Perturbation::Ranked {
            ranks: Arc::new(Ranks::new(&[0.5, 3.0, 0.5, -1.0])),
            top,
            shown,
        };
        assert_eq!(expanded(&ranked(2, false)), [0.0, 0.0, 3.0, 4.0, 40.0, 40.0, 7.0, 8.0]);
        assert_eq!(expanded(&ranked(2, true)), [1.0, 2.0, 0.0, 0.0, 5.0, 6.0, 40.0, 40.0]);
        assert_eq!(expanded(&ranked(0, false)), image().data());
        assert_eq!(expanded(&ranked(9, true)), image().data());
    }

    #[test]
    fn the_channels_last_layout_holds_the_same_values_transposed() {
        let fill = Tensor::constant(&[0.0, 4.0], 2, 2);
        let dense = Perturbation::Dense(Arc::new(image()));
        let ranked =
            Perturbation::Ranked { ranks: Arc::new(Ranks::new(&[0.5, 3.0, 0.5, -1.0])), top: 2, shown: true };
        for perturbation in [left_shown(), diagonal_shown(), blocks_shown(), ranked, noise(1.0, None), dense]
        {
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
