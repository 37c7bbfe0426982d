//! A map's values at the pixels of a drawing of the whole picture.
//!
//! The kernel is a triangle that widens where the map is finer than the drawing: linear between centres when it is not,
//! a weighted mean when it is.

use std::ops::Range;

use unmask_core::Map;

use crate::image::Frame;

/// A map over the part of a drawing that the model saw.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// Width and height of the drawing.
    pub(super) size: (u32, u32),
    /// Columns of the drawing whose centres lie in the crop.
    pub(super) columns: Range<u32>,
    /// Rows of the drawing whose centres lie in the crop.
    pub(super) rows: Range<u32>,
    /// Values of these pixels, row-major.
    values: Vec<f32>,
}

impl Placed {
    pub(super) fn new(map: &Map, frame: &Frame, size: (u32, u32)) -> Self {
        let across = Axis::new(frame.crop.x, frame.crop.width, frame.displayed.0, size.0);
        let down = Axis::new(frame.crop.y, frame.crop.height, frame.displayed.1, size.1);
        let values = resample(map, &across.taps(map.width), &down.taps(map.height));
        Self { size, columns: across.inside, rows: down.inside, values }
    }

    /// The value of a pixel, if the model saw it.
    pub(super) fn value(&self, x: u32, y: u32) -> Option<f32> {
        if !self.columns.contains(&x) || !self.rows.contains(&y) {
            return None;
        }
        let (column, row) = ((x - self.columns.start) as usize, (y - self.rows.start) as usize);
        Some(self.values[row * self.columns.len() + column])
    }

    /// Whether the model saw every pixel.
    pub(super) fn is_whole(&self) -> bool {
        self.columns == (0..self.size.0) && self.rows == (0..self.size.1)
    }

    /// The values of every pixel of the drawing, 0 where the model saw nothing.
    pub(super) fn into_map(self) -> Map {
        let mut map = Map::zeros(self.size.1 as usize, self.size.0 as usize);
        let width = self.columns.len();
        for (row, values) in self.rows.clone().zip(self.values.chunks_exact(width)) {
            let start = row as usize * map.width + self.columns.start as usize;
            map.data[start..start + width].copy_from_slice(values);
        }
        map
    }
}

/// One direction of the drawing.
struct Axis {
    inside: Range<u32>,
    start: f64,
    length: f64,
    /// Displayed pixels to one of the drawing.
    step: f64,
}

impl Axis {
    fn new(start: u32, length: u32, displayed: u32, drawn: u32) -> Self {
        let (start, length) = (f64::from(start), f64::from(length));
        let step = f64::from(displayed) / f64::from(drawn);
        // The first pixel whose centre is at or after the place.
        let after = |place: f64| ((place / step - 0.5).ceil().max(0.0) as u32).min(drawn);
        // A crop between two centres still gets the pixel that it lies in.
        let first = after(start).min(drawn - 1);
        let inside = first..after(start + length).max(first + 1);
        Self { inside, start, length, step }
    }

    /// For each pixel inside, the first of the map's `cells` that it takes from and the weights from there on.
    fn taps(&self, cells: usize) -> Vec<(usize, Vec<f64>)> {
        let ratio = cells as f64 / self.length;
        let reach = (self.step * ratio).max(1.0);
        let tap = |pixel: u32| {
            let place = ((f64::from(pixel) + 0.5) * self.step - self.start) * ratio;
            let centre = place.clamp(0.0, cells as f64) - 0.5;
            let first = (centre - reach).ceil().max(0.0) as usize;
            let end = ((centre + reach).floor() as usize + 1).min(cells);
            let mut weights: Vec<f64> =
                (first..end).map(|cell| (1.0 - (cell as f64 - centre).abs() / reach).max(0.0)).collect();
            let total: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= total);
            (first, weights)
        };
        self.inside.clone().map(tap).collect()
    }
}

/// Rows of the map are narrowed or widened first, each once.
fn resample(map: &Map, across: &[(usize, Vec<f64>)], down: &[(usize, Vec<f64>)]) -> Vec<f32> {
    if map.data.is_empty() {
        return vec![0.0; across.len() * down.len()];
    }
    let lines: Vec<Vec<f64>> = map
        .data
        .chunks_exact(map.width)
        .map(|row| {
            let sum = |(first, weights): &(usize, Vec<f64>)| {
                weights.iter().zip(&row[*first..]).map(|(weight, value)| weight * f64::from(*value)).sum()
            };
            across.iter().map(sum).collect()
        })
        .collect();
    let mut values = Vec::with_capacity(across.len() * down.len());
    for (first, weights) in down {
        let sum = |x: usize| {
            weights.iter().zip(&lines[*first..]).map(|(weight, line)| weight * line[x]).sum::<f64>()
        };
        values.extend((0..across.len()).map(|x| sum(x) as f32));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Rect;

    fn row(values: &[f32]) -> Map {
        Map { height: 1, width: values.len(), data: values.into() }
    }

    fn placed(map: &Map, displayed: (u32, u32), crop: Rect, size: (u32, u32)) -> Vec<f32> {
        let model = (map.width as u32, map.height as u32);
        Placed::new(map, &Frame { crop, displayed, orientation: 1, model }, size).into_map().data
    }

    // torch.nn.functional.interpolate([[0, 1]], size=4, mode="linear", align_corners=False) is [0, .25, .75, 1].
    #[test]
    fn growing_follows_align_corners_false_with_repeated_edges() {
        assert_eq!(placed(&row(&[0.0, 1.0]), (4, 1), Rect::whole(4, 1), (4, 1)), [0.0, 0.25, 0.75, 1.0]);
    }

    #[test]
    fn the_same_size_keeps_every_bit() {
        let values = [0.1f32, -7.3e-12, 3.4e38, -0.0, 1e-45];
        let found = placed(&row(&values), (5, 1), Rect::whole(5, 1), (5, 1));
        assert_eq!(
            found.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            values.map(|v| (v + 0.0).to_bits())
        );
    }

    #[test]
    fn shrinking_loses_no_evidence() {
        let mut values = [0.0f32; 40];
        values[17] = 4.0;
        let found = placed(&row(&values), (10, 1), Rect::whole(10, 1), (10, 1));
        assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn a_crop_is_shown_where_it_lies_and_nothing_beside_it() {
        let crop = Rect { x: 6, y: 0, width: 4, height: 2 };
        assert_eq!(
            placed(&row(&[2.0]), (20, 2), crop, (10, 1)),
            [0.0, 0.0, 0.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        );
    }

    #[test]
    fn a_crop_thinner_than_a_pixel_of_the_drawing_is_still_shown() {
        for x in [0, 1, 498, 999] {
            let crop = Rect { x, y: 0, width: 1, height: 1 };
            let found = placed(&row(&[2.0, 2.0]), (1000, 1), crop, (10, 1));
            assert_eq!(found.iter().filter(|v| **v == 2.0).count(), 1, "{x}: {found:?}");
        }
    }

    #[test]
    fn a_map_without_pixels_shows_nothing() {
        assert_eq!(placed(&Map::zeros(0, 0), (3, 1), Rect::whole(3, 1), (3, 1)), [0.0; 3]);
    }
}
