//! Maps and masks over the picture as displayed, brought to the model's frame.

use super::{Picture, Rect};

/// The crop of a map `[height, width]` in a frame of rows and columns: area means where it shrinks, linear where it grows.
pub fn map_to_frame(values: &[f32], width: usize, crop: Rect, frame: (usize, usize)) -> Vec<f32> {
    let across = taps(crop.x as usize, crop.width as usize, frame.1);
    let down = taps(crop.y as usize, crop.height as usize, frame.0);
    let row = |y: usize| -> Vec<f64> {
        let value = |(x, weight): &(usize, f64)| weight * f64::from(values[y * width + x]);
        across.iter().map(|taps| taps.iter().map(value).sum()).collect()
    };
    let mut out = Vec::with_capacity(frame.0 * frame.1);
    // Each row of the map is looked at by at most two rows of the frame, one after the other.
    let mut last: Option<(usize, Vec<f64>)> = None;
    for taps in &down {
        let mut sums = vec![0.0; frame.1];
        for (y, weight) in taps {
            let known = last.take().filter(|(at, _)| at == y);
            let (_, values) = last.insert(known.unwrap_or_else(|| (*y, row(*y))));
            sums.iter_mut().zip(values.iter()).for_each(|(sum, value)| *sum += weight * value);
        }
        out.extend(sums.iter().map(|sum| *sum as f32));
    }
    out
}

/// For each of `to` places the places in `start..start + from` that it is made of, with weights that sum to 1.
fn taps(start: usize, from: usize, to: usize) -> Vec<Vec<(usize, f64)>> {
    let scale = from as f64 / to as f64;
    (0..to)
        .map(|i| {
            if from >= to {
                let (left, right) = (i as f64 * scale, (i + 1) as f64 * scale);
                let last = (right.ceil() as usize).min(from);
                let overlap = |at: usize| (right.min(at as f64 + 1.0) - left.max(at as f64)) / scale;
                let own = (left.floor() as usize..last).map(|at| (start + at, overlap(at)));
                own.filter(|(_, weight)| *weight > 0.0).collect()
            } else {
                let at = ((i as f64 + 0.5) * scale - 0.5).clamp(0.0, from as f64 - 1.0);
                let (low, share) = (at.floor() as usize, at.fract());
                let high = (low + 1).min(from - 1);
                vec![(start + low, 1.0 - share), (start + high, share)]
            }
        })
        .collect()
}

/// The crop of a picture as a mask in a frame of rows and columns: true where the grey under the centre is above 127.
pub fn mask_to_frame(picture: &Picture, crop: Rect, frame: (usize, usize)) -> Vec<bool> {
    let across: Vec<u32> = nearest(crop.x, crop.width, frame.1).collect();
    nearest(crop.y, crop.height, frame.0)
        .flat_map(|y| across.iter().map(move |x| (*x, y)))
        .map(|(x, y)| {
            let [red, green, blue] = picture.pixels().get_pixel(x, y).0.map(u32::from);
            // ITU-R BT.709, in whole numbers.
            2126 * red + 7152 * green + 722 * blue > 127 * 10_000
        })
        .collect()
}

/// For each of `to` places the one of `start..start + from` that lies under its centre, by the arithmetic by which a picture is
/// resized to the nearest pixel.
pub fn nearest(start: u32, from: u32, to: usize) -> impl Iterator<Item = u32> {
    // Below `from`, since 2 i + 1 < 2 to.
    (0..to as u64).map(move |i| start + ((2 * i + 1) * u64::from(from) / (2 * to as u64)) as u32)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    #[test]
    fn a_map_that_shrinks_is_its_area_means() {
        // Rows of 4, of which columns 1 to 3 of all rows are the crop.
        let values: Vec<f32> = (0..8).map(|i| i as f32).collect();
        let crop = Rect { x: 1, y: 0, width: 3, height: 2 };
        // Of 1 2 3 and 5 6 7: half of the middle goes either way.
        let expected = [(1.0 + 5.0 + (2.0 + 6.0) / 2.0) / 3.0, (3.0 + 7.0 + (2.0 + 6.0) / 2.0) / 3.0];
        let got = map_to_frame(&values, 4, crop, (1, 2));
        assert!(got.iter().zip(expected).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6), "{got:?}");
    }

    #[test]
    fn a_map_that_grows_is_linear_in_between_and_one_of_the_same_size_is_itself() {
        let values = [0.0, 1.0, 2.0, 3.0];
        assert_eq!(map_to_frame(&values, 2, Rect::whole(2, 2), (2, 2)), values);
        let wide = map_to_frame(&values[..2], 2, Rect::whole(2, 1), (1, 4));
        assert_eq!(wide, [0.0, 0.25, 0.75, 1.0]);
        let tall = map_to_frame(&values[..2], 1, Rect::whole(1, 2), (4, 1));
        assert_eq!(tall, [0.0, 0.25, 0.75, 1.0]);
    }

    #[test]
    fn a_mask_is_what_is_above_127_under_the_centre() {
        let grey = |x: u32, _| if x == 2 { Rgb([128; 3]) } else { Rgb([127; 3]) };
        let picture = Picture::new(RgbImage::from_fn(4, 2, grey));
        assert_eq!(mask_to_frame(&picture, Rect::whole(4, 2), (1, 4)), [false, false, true, false]);
        let crop = Rect { x: 1, y: 0, width: 3, height: 2 };
        assert_eq!(mask_to_frame(&picture, crop, (1, 3)), [false, true, false]);
    }
}
