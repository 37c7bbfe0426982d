//! The mean face: outlines of parts around the five landmarks, as `models/faces/parts.py` measures them on 436 portraits.
//!
//! The middle of the eyes is (0, 0) and they are 1 apart; x runs right, y runs down. The face is symmetric: outlines that cross the
//! middle are given by their right half, that of the eye by the right one.

/// A point of the mean face.
pub(super) type Spot = (f64, f64);

/// Left eye in the picture, right eye, tip of the nose, left and right corner of the mouth.
pub(super) const LANDMARKS: [Spot; 5] =
    [(-0.5, 0.0), (0.5, 0.0), (0.0, 0.539), (-0.433, 0.961), (0.433, 0.961)];

/// An eye with its brow and what is around them.
pub(super) const EYE: &[Spot] = &[
    (0.05, -0.19),
    (0.14, 0.08),
    (0.3, 0.14),
    (0.42, 0.17),
    (0.56, 0.15),
    (0.71, 0.09),
    (0.75, 0.06),
    (0.93, -0.22),
    (0.82, -0.34),
    (0.63, -0.42),
    (0.36, -0.42),
    (0.1, -0.36),
];

/// From between the eyes to below the nostrils.
pub(super) const NOSE: &[Spot] =
    &[(0.0, -0.12), (0.38, 0.52), (0.36, 0.58), (0.33, 0.64), (0.16, 0.71), (0.0, 0.73)];

/// The lips and what is around them.
pub(super) const MOUTH: &[Spot] = &[
    (0.0, 0.74),
    (0.22, 0.74),
    (0.39, 0.8),
    (0.48, 0.84),
    (0.57, 0.9),
    (0.59, 0.92),
    (0.54, 1.01),
    (0.47, 1.1),
    (0.36, 1.21),
    (0.21, 1.3),
    (0.0, 1.34),
];

/// The edge of the face.
pub(super) const OVAL: &[Spot] = &[
    (0.0, -0.76),
    (0.27, -0.76),
    (0.5, -0.71),
    (0.71, -0.62),
    (0.85, -0.49),
    (0.94, -0.32),
    (1.0, -0.14),
    (1.01, 0.09),
    (1.0, 0.52),
    (0.98, 0.75),
    (0.92, 1.0),
    (0.82, 1.19),
    (0.71, 1.33),
    (0.57, 1.46),
    (0.46, 1.55),
    (0.33, 1.63),
    (0.19, 1.68),
    (0.0, 1.7),
];

/// What the edge of the face is made larger and smaller about.
pub(super) const MIDDLE: Spot = (0.0, 0.47);
