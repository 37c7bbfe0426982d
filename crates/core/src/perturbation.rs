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
        let mut canvas = Canvas { out, layout, channels: image.channels() };
        match self {
            Self::Cells(cells) => blend(cells, image, fill, &mut canvas),
            Self::Segments { labels, shown } => {
                choose(labels.labels(), |label| shown[label as usize], image, fill, &mut canvas);
            }
            Self::Ranked { ranks, top, shown } => {
                choose(ranks.ranks(), |rank| ((rank as usize) < *top) == *shown, image, fill, &mut canvas);
            }
            Self::Blocks(blocks) => show(blocks, image, fill, &mut canvas),
            Self::Noise(noise) => {
                let width = image.width();
                noise.each_row(image, |c, y, values| canvas.put(c, y * width, values.iter().copied()));
            }
            Self::Dense(picture) => {
                assert!(image.same_shape(picture), "a dense picture has the image's shape");
                canvas.copy(picture);
            }
        }
    }
}

/// The buffer of one picture in the model's layout.
struct Canvas<'a> {
    out: &'a mut [f32],
    layout: Layout,
    channels: usize,
}

impl Canvas<'_> {
    /// Writes values of one channel, from pixel number `first` on.
    fn put(&mut self, channel: usize, first: usize, values: impl Iterator<Item = f32>) {
        match self.layout {
            Layout::Nchw => {
                let start = self.out.len() / self.channels * channel + first;
                self.out[start..].iter_mut().zip(values).for_each(|(out, value)| *out = value);
            }
            Layout::Nhwc => {
                let pixels = self.out[first * self.channels..].chunks_exact_mut(self.channels);
                pixels.zip(values).for_each(|(pixel, value)| pixel[channel] = value);
            }
        }
    }

    fn copy(&mut self, picture: &Tensor) {
        match self.layout {
            Layout::Nchw => self.out.copy_from_slice(picture.data()),
            Layout::Nhwc => {
                for c in 0..picture.channels() {
                    self.put(c, 0, picture.channel(c).iter().copied());
                }
            }
        }
    }
}

/// Each pixel from the image where its key shows, else from the fill.
fn choose(keys: &[u32], shows: impl Fn(u32) -> bool, image: &Tensor, fill: &Tensor, canvas: &mut Canvas<'_>) {
    let width = image.width();
    let mut shown = vec![false; width];
    for (y, keys) in keys.chunks_exact(width).enumerate() {
        shown.iter_mut().zip(keys).for_each(|(shown, key)| *shown = shows(*key));
        let row = y * width..(y + 1) * width;
        for c in 0..image.channels() {
            let pairs = image.channel(c)[row.clone()].iter().zip(&fill.channel(c)[row.clone()]);
            let values = shown.iter().zip(pairs).map(|(shown, (i, f))| if *shown { *i } else { *f });
            canvas.put(c, row.start, values);
        }
    }
}

fn blend(cells: &Cells, image: &Tensor, fill: &Tensor, canvas: &mut Canvas<'_>) {
    let width = image.width();
    cells.rows_of_shares(image.height(), width, |y, shares| {
        let row = y * width..(y + 1) * width;
        for c in 0..image.channels() {
            let pairs = image.channel(c)[row.clone()].iter().zip(&fill.channel(c)[row.clone()]);
            let values = shares.iter().zip(pairs).map(|(share, (i, f))| share * i + (1.0 - share) * f);
            canvas.put(c, row.start, values);
        }
    });
}

fn show(blocks: &[Block], image: &Tensor, fill: &Tensor, canvas: &mut Canvas<'_>) {
    let width = image.width();
    canvas.copy(fill);
    for block in blocks {
        for c in block.channels.clone() {
            for row in block.rows.clone() {
                let span = row * width + block.cols.start..row * width + block.cols.end;
                canvas.put(c, span.start, image.channel(c)[span].iter().copied());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Basis, Direction, Filter};

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
        let direction = Arc::new(Direction::new(1, 2, Basis::Grid(2), (2, 2, 2)));
        Perturbation::Noise(Noise { direction, scale: [scale; 3], region })
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
