//! The parts of a face, drawn around its five landmarks.
//!
//! A mean face is laid on the landmarks by the affine map of least squares, and each pixel of the model's frame is of the part that it
//! then lies in. Affine and not only turned and scaled, because a face that looks aside is narrower than high.

use unmask_core::LabelMap;

use super::template::{EYE, LANDMARKS, MIDDLE, MOUTH, NOSE, OVAL, Spot};
use crate::image::{Affine, Frame};

/// A part of a face; left and right are those of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The left eye with its brow.
    LeftEye = 1,
    /// The right eye with its brow.
    RightEye,
    /// From between the eyes to below the nostrils.
    Nose,
    /// The lips and what is around them.
    Mouth,
    /// Between left eye, nose and jaw.
    LeftCheek,
    /// Between right eye, nose and jaw.
    RightCheek,
    /// The left edge of the face, below the eyes.
    LeftJawLine,
    /// The right edge of the face, below the eyes.
    RightJawLine,
    /// Below the mouth.
    Chin,
    /// Above the brows.
    Forehead,
    /// The upper edge of the face.
    HairLine,
    /// What is not the face.
    Background,
}

/// All parts; a part's number in a label map is its place here, from 1.
pub const PARTS: [Part; 12] = [
    Part::LeftEye,
    Part::RightEye,
    Part::Nose,
    Part::Mouth,
    Part::LeftCheek,
    Part::RightCheek,
    Part::LeftJawLine,
    Part::RightJawLine,
    Part::Chin,
    Part::Forehead,
    Part::HairLine,
    Part::Background,
];

impl Part {
    /// The part of this number in a label map.
    pub fn numbered(number: u32) -> Option<Self> {
        PARTS.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }

    /// Its name in a catalogue of texts.
    pub fn key(self) -> &'static str {
        match self {
            Self::LeftEye => "left_eye",
            Self::RightEye => "right_eye",
            Self::Nose => "nose",
            Self::Mouth => "mouth",
            Self::LeftCheek => "left_cheek",
            Self::RightCheek => "right_cheek",
            Self::LeftJawLine => "left_jaw_line",
            Self::RightJawLine => "right_jaw_line",
            Self::Chin => "chin",
            Self::Forehead => "forehead",
            Self::HairLine => "hair_line",
            Self::Background => "background",
        }
    }

    /// The part that a point of the mean face lies in.
    fn at((x, y): Spot) -> Self {
        // The face is symmetric.
        let (across, is_left) = (x.abs(), x < 0.0);
        let side = |left, right| if is_left { left } else { right };
        let within = |outline: &[Spot]| contains(outline, (across, y));
        let edge = |factor: f64| {
            let shrunk = |v: f64, middle: f64| middle + (v - middle) / factor;
            contains(OVAL, (shrunk(across, MIDDLE.0), shrunk(y, MIDDLE.1)))
        };
        if !edge(EDGE.1) {
            Self::Background
        } else if within(EYE) {
            side(Self::LeftEye, Self::RightEye)
        } else if within(NOSE) {
            Self::Nose
        } else if within(MOUTH) {
            Self::Mouth
        } else if y > CHIN && across < CHIN_ACROSS {
            Self::Chin
        } else if !edge(EDGE.0) {
            if y < LEVEL { Self::HairLine } else { side(Self::LeftJawLine, Self::RightJawLine) }
        } else if y < LEVEL {
            Self::Forehead
        } else {
            side(Self::LeftCheek, Self::RightCheek)
        }
    }
}

/// The edge of a face is the band between these multiples of its outline: wide enough for the seam of a mask that was blended in.
const EDGE: (f64, f64) = (0.84, 1.12);
/// Where eyes begin to be brows: forehead and hair line lie above, cheeks and jaw line below.
const LEVEL: f64 = -0.12;
/// The chin lies below this, the height of the lower lip.
const CHIN: f64 = 1.2;
/// And this far to either side of the middle.
const CHIN_ACROSS: f64 = 0.5;

/// The parts of the face with these landmarks, in pixels of the picture as displayed, that the model's frame shows: left eye in the
/// picture, right eye, tip of the nose, left and right corner of the mouth. Landmarks that lie on a line are of no face, and all is
/// background.
///
/// ```
/// use unmask_explainer::face::{Part, parts};
/// use unmask_explainer::image::{Frame, Rect};
///
/// let frame = Frame { crop: Rect::whole(100, 100), displayed: (100, 100), orientation: 1, model: (50, 50) };
/// let map = parts(&[(35.0, 40.0), (65.0, 40.0), (50.0, 56.0), (37.0, 69.0), (63.0, 69.0)], &frame);
/// // The pixel between the corners of the mouth.
/// let label = map.labels()[34 * 50 + 25];
/// assert_eq!(Part::numbered(map.name(label as usize)), Some(Part::Mouth));
/// ```
pub fn parts(landmarks: &[Spot; 5], frame: &Frame) -> LabelMap {
    let (width, height) = (frame.model.0 as usize, frame.model.1 as usize);
    let to_face = laid_on(landmarks).inverse().map(|to_face| frame.to_displayed().then(&to_face));
    let part = |x: usize, y: usize| match &to_face {
        Some(to_face) => Part::at(to_face.apply(x as f64 + 0.5, y as f64 + 0.5)),
        None => Part::Background,
    };
    let numbers: Vec<u32> =
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| part(x, y) as u32).collect();
    LabelMap::new(height, width, &numbers).expect("there is one number per pixel")
}

/// The affine map from the mean face to a picture that brings its landmarks nearest to these.
fn laid_on(landmarks: &[Spot; 5]) -> Affine {
    let mean = |values: [f64; 5]| values.iter().sum::<f64>() / 5.0;
    let (from, to) = (LANDMARKS, landmarks);
    let middle = |points: &[Spot; 5]| (mean(points.map(|p| p.0)), mean(points.map(|p| p.1)));
    let ((fx, fy), (tx, ty)) = (middle(&from), middle(to));
    let sum = |of: &dyn Fn(usize) -> f64| (0..5).map(of).sum::<f64>();
    let (x, y) = (|i: usize| from[i].0 - fx, |i: usize| from[i].1 - fy);
    let (sxx, sxy, syy) = (sum(&|i| x(i) * x(i)), sum(&|i| x(i) * y(i)), sum(&|i| y(i) * y(i)));
    // Of the mean face's own landmarks, which do not lie on a line.
    let determinant = sxx * syy - sxy * sxy;
    let row = |to: &dyn Fn(usize) -> f64| {
        let (sx, sy) = (sum(&|i| x(i) * to(i)), sum(&|i| y(i) * to(i)));
        ((syy * sx - sxy * sy) / determinant, (sxx * sy - sxy * sx) / determinant)
    };
    let ((xx, xy), (yx, yy)) = (row(&|i| to[i].0 - tx), row(&|i| to[i].1 - ty));
    Affine { xx, xy, x0: tx - xx * fx - xy * fy, yx, yy, y0: ty - yx * fx - yy * fy }
}

/// Whether a point lies in a polygon, by the number of edges to its right.
fn contains(polygon: &[Spot], (x, y): Spot) -> bool {
    let edges = polygon.iter().zip(polygon.iter().cycle().skip(1));
    let crossed = edges
        .filter(|((ax, ay), (bx, by))| (*ay > y) != (*by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax));
    crossed.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Rect;

    /// A face of these landmarks in a picture of 200 x 200, of which the model sees `crop` in 100 x 100.
    fn named(landmarks: [Spot; 5], crop: Rect, at: (usize, usize)) -> Part {
        let frame = Frame { crop, displayed: (200, 200), orientation: 1, model: (100, 100) };
        let map = parts(&landmarks, &frame);
        Part::numbered(map.name(map.labels()[at.1 * 100 + at.0] as usize)).unwrap()
    }

    /// The mean face with eyes `apart` pixels from each other, their middle at `(x, y)`, turned by degrees.
    fn face(apart: f64, (x, y): Spot, degrees: f64) -> [Spot; 5] {
        let (sin, cos) = degrees.to_radians().sin_cos();
        LANDMARKS.map(|(a, b)| (x + apart * (cos * a - sin * b), y + apart * (sin * a + cos * b)))
    }

    #[test]
    fn each_part_lies_where_it_is_in_a_face() {
        let whole = Rect::whole(200, 200);
        // The eyes lie at (75, 80) and (125, 80) of the picture, at half of that in the frame.
        let face = face(50.0, (100.0, 80.0), 0.0);
        for (x, y, part) in [
            (75.0, 80.0, Part::LeftEye),
            (125.0, 80.0, Part::RightEye),
            (100.0, 105.0, Part::Nose),
            (100.0, 132.0, Part::Mouth),
            (68.0, 105.0, Part::LeftCheek),
            (132.0, 105.0, Part::RightCheek),
            (53.0, 110.0, Part::LeftJawLine),
            (147.0, 110.0, Part::RightJawLine),
            (100.0, 155.0, Part::Chin),
            (100.0, 57.0, Part::Forehead),
            (100.0, 43.0, Part::HairLine),
            (10.0, 100.0, Part::Background),
            (190.0, 190.0, Part::Background),
        ] {
            let at = ((x / 2.0) as usize, (y / 2.0) as usize);
            assert_eq!(named(face, whole, at), part, "({x}, {y})");
        }
    }

    #[test]
    fn parts_turn_and_move_with_the_face_and_are_cut_with_the_crop() {
        // Upside down, the mouth lies above the eyes.
        let turned = face(50.0, (100.0, 120.0), 180.0);
        assert_eq!(named(turned, Rect::whole(200, 200), (50, 34)), Part::Mouth);
        // What is left in the picture is the right one of a face that is turned over.
        assert_eq!(named(turned, Rect::whole(200, 200), (62, 60)), Part::LeftEye);
        let upright = face(50.0, (100.0, 80.0), 0.0);
        let crop = Rect { x: 50, y: 50, width: 100, height: 100 };
        assert_eq!(named(upright, crop, (50, 82)), Part::Mouth);
    }

    #[test]
    fn every_part_is_there_and_has_its_number() {
        let frame =
            Frame { crop: Rect::whole(200, 200), displayed: (200, 200), orientation: 1, model: (100, 100) };
        let map = parts(&face(50.0, (100.0, 80.0), 0.0), &frame);
        let there: Vec<_> = (0..map.count()).filter_map(|label| Part::numbered(map.name(label))).collect();
        assert_eq!(there, PARTS);
        assert_eq!((Part::numbered(0), Part::numbered(13)), (None, None));
    }

    #[test]
    fn landmarks_of_no_face_leave_everything_background() {
        for nonsense in
            [[(50.0, 50.0); 5], [(0.0, 0.0), (1e300, 0.0), (f64::MAX, 0.0), (-1e300, 0.0), (0.0, 0.0)]]
        {
            let frame =
                Frame { crop: Rect::whole(20, 20), displayed: (20, 20), orientation: 1, model: (8, 8) };
            let map = parts(&nonsense, &frame);
            assert_eq!((map.count(), Part::numbered(map.name(0))), (1, Some(Part::Background)));
        }
    }
}
