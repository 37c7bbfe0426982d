//! Faces as a message.

use unmask_explainer::face::Face;
use unmask_protocol::v1;

use super::{bill, rect, version};
use crate::decode::{FacesJob, Landmarks};
use crate::run::Faces;

/// The faces of a picture.
pub(crate) fn faces(request_id: String, job: &FacesJob, found: Faces) -> v1::DetectFacesResponse {
    let one = |(face, crop, warnings)| v1::Face { crop: Some(rect(crop)), warnings, ..of(&face) };
    v1::DetectFacesResponse {
        request_id,
        faces: found.faces.into_iter().map(one).collect(),
        face_model: Some(version(job.finder.spec())),
        model: Some(version(job.detector.spec())),
        displayed_width: found.displayed.0,
        displayed_height: found.displayed.1,
        cost: Some(bill::cost(&found.bill)),
        timings: Some(bill::timings(&found.bill)),
    }
}

pub(super) fn landmarks(points: Landmarks) -> v1::Landmarks {
    let [left_eye, right_eye, nose, mouth_left, mouth_right] = points.map(|(x, y)| Some(v1::Point { x, y }));
    v1::Landmarks { left_eye, right_eye, nose, mouth_left, mouth_right }
}

pub(super) fn of(face: &Face) -> v1::Face {
    let [left, top, right, bottom] = face.corners;
    let landmarks = landmarks(face.landmarks);
    let (crop, warnings) = Default::default();
    v1::Face { score: face.score, left, top, right, bottom, landmarks: Some(landmarks), crop, warnings }
}
