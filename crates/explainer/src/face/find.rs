//! From a model's row to faces.

use unmask_core::{FACE_VALUES, InputSpec};

use super::Face;

/// Least score of a face: what CenterFace's authors and its users take.
const LEAST_SCORE: f64 = 0.5;
/// Boxes that share more than this are of one face, the surer of them; as CenterFace's authors have it.
const ONE_FACE: f64 = 0.3;

/// Where a model's frame lies in a picture that was [fitted](crate::image::to_fit) into it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit<'a> {
    pub(super) input: &'a InputSpec,
    /// Pixels of the picture that one of the frame is.
    pub(super) scale: f64,
    /// Width and height of the picture.
    pub(super) displayed: (u32, u32),
}

/// All that a row of a model tells of, however unsure: each with an area in the picture, in the order of the row.
pub(super) fn read<'a>(row: &'a [f32], fit: Fit<'a>) -> impl Iterator<Item = Face> + 'a {
    let Fit { input, scale, displayed } = fit;
    let (width, height) = (f64::from(displayed.0), f64::from(displayed.1));
    let x = move |part: f32| (f64::from(part) * input.width as f64 * scale).clamp(0.0, width);
    let y = move |part: f32| (f64::from(part) * input.height as f64 * scale).clamp(0.0, height);
    row.as_chunks::<FACE_VALUES>()
        .0
        .iter()
        .map(move |face| Face {
            score: f64::from(face[0]).clamp(0.0, 1.0),
            corners: [x(face[1]), y(face[2]), x(face[3]), y(face[4])],
            landmarks: [5, 7, 9, 11, 13].map(|i| (x(face[i]), y(face[i + 1]))),
        })
        // What lies on the black beside the picture has no area in it.
        .filter(|face| face.corners[0] < face.corners[2] && face.corners[1] < face.corners[3])
}

/// The faces that a row of a model tells of, the largest first; of equal ones the higher, then the one further left. `scale` is how
/// many pixels of the picture one of the model's frame is, and `displayed` the size of the picture.
pub fn find(row: &[f32], input: &InputSpec, scale: f64, displayed: (u32, u32)) -> Vec<Face> {
    let all = read(row, Fit { input, scale, displayed });
    let mut sure: Vec<Face> = all.filter(|face| face.score >= LEAST_SCORE).collect();
    sure.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut faces: Vec<Face> = Vec::new();
    for face in sure {
        if faces.iter().all(|surer| surer.overlap(&face) <= ONE_FACE) {
            faces.push(face);
        }
    }
    let place = |face: &Face| (face.corners[1], face.corners[0]);
    faces.sort_by(|a, b| {
        let (size, (top, left)) = (b.side().total_cmp(&a.side()), place(a));
        size.then(top.total_cmp(&place(b).0)).then(left.total_cmp(&place(b).1))
    });
    faces
}

#[cfg(test)]
mod tests {
    use unmask_core::ModelSpec;

    use super::*;

    /// A face of this score with a box of parts of the frame, its landmarks in the middle.
    fn row(score: f32, corners: [f32; 4]) -> Vec<f32> {
        let middle = [(corners[0] + corners[2]) / 2.0, (corners[1] + corners[3]) / 2.0];
        [vec![score], corners.to_vec(), middle.repeat(5)].concat()
    }

    fn found(rows: &[Vec<f32>]) -> Vec<Face> {
        let spec = ModelSpec::plain("faces", 64, 64, &["real", "fake"]);
        find(&rows.concat(), &spec.input, 2.0, (128, 96))
    }

    #[test]
    fn a_face_is_told_in_pixels_of_the_picture() {
        let faces = found(&[row(0.9, [0.25, 0.25, 0.5, 0.75])]);
        assert_eq!(faces.len(), 1);
        assert_eq!(faces[0].corners, [32.0, 32.0, 64.0, 96.0]);
        assert_eq!((faces[0].landmarks[2], faces[0].side()), ((48.0, 64.0), 64.0));
    }

    #[test]
    fn of_boxes_that_lie_on_each_other_the_surest_stays() {
        let faces = found(&[
            row(0.6, [0.26, 0.25, 0.51, 0.5]),
            row(0.9, [0.25, 0.25, 0.5, 0.5]),
            row(0.8, [0.6, 0.0, 0.9, 0.3]),
        ]);
        let scores: Vec<f64> = faces.iter().map(|face| (face.score * 10.0).round()).collect();
        // The largest first.
        assert_eq!(scores, [8.0, 9.0]);
    }

    #[test]
    fn what_is_unsure_or_beside_the_picture_is_none() {
        // The picture ends at three quarters of the frame's height.
        let rows = [row(0.49, [0.0, 0.0, 0.5, 0.5]), row(0.9, [0.0, 0.8, 0.5, 1.0]), vec![0.0; FACE_VALUES]];
        assert_eq!(found(&rows), []);
        assert_eq!(found(&[]), []);
    }
}
