//! The part of a picture that a detector of manipulations wants to see of a face.

use super::Face;
use crate::image::Rect;

/// The square around a face whose side is `factor` times the face, in whole pixels of the picture as displayed. `scale` and `drop` say
/// how what is meant by a face lies to the box, as the manifest of the model that found it has them. Where the square does not fit it is
/// moved into the picture, and made smaller if it has to be. It has at least `least` pixels a side, as far as the picture has. A picture that
/// is nearly this square itself is taken as it is: it was cut out for a detector, and every scaling costs traces.
pub fn crop(face: &Face, factor: f64, (scale, drop): (f64, f64), displayed: (u32, u32), least: u32) -> Rect {
    let [left, top, right, bottom] = face.corners;
    let most = displayed.0.min(displayed.1);
    // A float that is out of range becomes the nearest number.
    let side = ((face.side() * scale * factor).round() as u32).clamp(least.min(most).max(1), most.max(1));
    let place = |middle: f64, length: u32| {
        let first = (middle - f64::from(side) / 2.0).round() as u32;
        first.min(length.saturating_sub(side))
    };
    let square = Rect {
        x: place((left + right) / 2.0, displayed.0),
        y: place((top + bottom) / 2.0 + drop * face.side(), displayed.1),
        width: side,
        height: side,
    };
    let area = |width: u32, height: u32| f64::from(width) * f64::from(height);
    let is_cut_already = area(side, side) >= NEARLY * area(displayed.0, displayed.1);
    if is_cut_already { Rect::whole(displayed.0, displayed.1) } else { square }
}

/// Share of a picture's area that is nearly all of it: boxes of a face model vary by some hundredths of their side.
const NEARLY: f64 = 0.85;

#[cfg(test)]
mod tests {
    use super::*;

    fn face(corners: [f64; 4]) -> Face {
        Face { score: 0.9, corners, landmarks: [(0.0, 0.0); 5] }
    }

    #[test]
    fn a_square_lies_around_the_face() {
        let rect = crop(&face([40.0, 40.0, 60.0, 80.0]), 1.5, (1.0, 0.0), (200, 100), 16);
        assert_eq!(rect, Rect { x: 20, y: 30, width: 60, height: 60 });
        // Half as large, and a tenth of the larger side further down.
        let rect = crop(&face([40.0, 40.0, 60.0, 80.0]), 1.5, (0.5, 0.1), (200, 100), 16);
        assert_eq!(rect, Rect { x: 35, y: 49, width: 30, height: 30 });
    }

    #[test]
    fn a_square_that_does_not_fit_is_moved_and_then_made_smaller() {
        let at_the_corner = crop(&face([180.0, 0.0, 200.0, 20.0]), 2.0, (1.0, 0.0), (200, 100), 16);
        assert_eq!(at_the_corner, Rect { x: 160, y: 0, width: 40, height: 40 });
        let too_large = crop(&face([10.0, 0.0, 110.0, 100.0]), 1.35, (1.0, 0.0), (200, 100), 16);
        assert_eq!(too_large, Rect { x: 10, y: 0, width: 100, height: 100 });
        // A crop that was made for a detector, and one that is a little too large for that.
        let of = |side: f64, displayed| {
            crop(&face([20.0, 20.0, 20.0 + side, 100.0]), 1.2, (1.0, 0.0), displayed, 16)
        };
        assert_eq!(of(80.0, (102, 100)), Rect { x: 0, y: 0, width: 102, height: 100 });
        assert_eq!(of(80.0, (108, 108)), Rect { x: 12, y: 12, width: 96, height: 96 });
        let tiny = crop(&face([50.0, 50.0, 54.0, 56.0]), 1.0, (1.0, 0.0), (200, 100), 16);
        assert_eq!(tiny, Rect { x: 44, y: 45, width: 16, height: 16 });
        for displayed in [(1, 1), (1, 50)] {
            assert!(
                crop(&face([0.0, 0.0, 1e9, 1.0]), 4.0, (4.0, 0.5), displayed, 16)
                    .within(displayed.0, displayed.1)
            );
        }
    }
}
