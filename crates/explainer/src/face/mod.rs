//! Faces in a picture: found by a model that finds faces, and cut out as a detector of manipulations wants them.

mod crop;
mod find;
mod parts;
mod template;

pub use crop::crop;
pub use find::find;
pub use parts::{PARTS, Part, parts};

/// A face. Places are in pixels of the picture as displayed; (0, 0) is the corner of the first pixel.
#[derive(Clone, Debug, PartialEq)]
pub struct Face {
    /// How surely it is one, 0 to 1.
    pub score: f64,
    /// Its box: left, top, right, bottom.
    pub corners: [f64; 4],
    /// Left eye in the picture, right eye, tip of the nose, left and right corner of the mouth.
    pub landmarks: [(f64, f64); 5],
}

impl Face {
    /// The larger side of its box, in pixels.
    pub fn side(&self) -> f64 {
        let [left, top, right, bottom] = self.corners;
        (right - left).max(bottom - top)
    }

    /// The area that its box shares with another's, over that of both together: 0 to 1.
    fn overlap(&self, other: &Self) -> f64 {
        let area = |[left, top, right, bottom]: [f64; 4]| (right - left).max(0.0) * (bottom - top).max(0.0);
        let ([a, b, c, d], [e, f, g, h]) = (self.corners, other.corners);
        let shared = area([a.max(e), b.max(f), c.min(g), d.min(h)]);
        let both = area(self.corners) + area(other.corners) - shared;
        if both > 0.0 { shared / both } else { 0.0 }
    }
}
