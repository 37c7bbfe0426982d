//! Why a face was seen where it was.

use std::time::Instant;

use unmask_core::{Reading, Violation};
use unmask_explainer::face::drise::{Evidence, Question};
use unmask_explainer::face::{self, Face};
use unmask_explainer::image::{Frame, Limits, Rect, fitted};
use unmask_explainer::render::{self, Scene};

use super::faces::{Framed, framed};
use super::{Bill, Caller, bill, warnings, whole};
use crate::decode::FaceBoxJob;
use crate::error::RequestError;

/// Share of both boxes together that a face and the box that is meant have in common at least.
const SAME: f64 = 0.5;
/// Faces that are named where none is the one that is meant.
const NAMED: usize = 4;
/// Its word where methods are counted.
const METHOD: &str = "drise";

/// An explained face.
pub(crate) struct ExplainedFace {
    pub(crate) face: Face,
    pub(crate) evidence: Evidence,
    /// Where the map lies in the picture.
    pub(crate) frame: Frame,
    /// The map over the picture, where it was asked for.
    pub(crate) overlay: Vec<u8>,
    pub(crate) bill: Bill,
    pub(crate) warnings: Vec<String>,
}

/// Finds the face that is meant, and explains it.
pub(crate) fn explain_face(
    job: &FaceBoxJob,
    limits: &Limits,
    caller: &Caller,
) -> Result<ExplainedFace, RequestError> {
    let started = Instant::now();
    let spec = job.finder.spec();
    let Framed { picture, tensor, scale } = framed(&job.image, &spec.input, limits, &caller.trace)?;
    let displayed = (picture.width(), picture.height());
    let decode = started.elapsed();
    let announced = job.announced();
    let forward = job.finder.job(caller.limits(announced, None))?;
    let unanswered = caller.unanswered(announced, &forward);
    let scores = whole(&forward, &[&tensor])?;
    let face = meant(face::find(scores.row(0), &spec.input, scale, displayed), job.meant)?;

    let masking = Instant::now();
    let question = Question { image: &tensor, displayed, face: &face, seed: job.seed, forward: &forward };
    let evidence = job.drise.explain(&question);
    let over = Instant::now();
    let folded = forward.folded_at().filter(|at| *at >= masking).unwrap_or(over);
    caller.trace.past("rounds", masking, folded, evidence.is_ok());
    caller.trace.past("fold", folded, over, evidence.is_ok());
    let evidence = evidence?;
    caller.rounds_ended(evidence.ended, forward.folded_at());

    let rendering = Instant::now();
    let frame = Frame {
        crop: Rect::whole(displayed.0, displayed.1),
        displayed,
        orientation: picture.orientation(),
        model: fitted(displayed, &spec.input).0,
    };
    let legend = legend(&face);
    let scene = Scene { map: &evidence.map, reading: Reading::Evidence, frame: &frame, legend: &legend };
    let draw = || if job.overlay { render::overlay(&scene, &picture) } else { Vec::new() };
    let overlay = caller.trace.step("render", || Ok::<_, RequestError>(draw()))?;
    let meter = forward.meter();
    let savings = bill::method(announced, &meter, evidence.ended);
    unanswered.answered(&savings);
    caller.telemetry.metrics().explained(METHOD, evidence.ended, 1);
    let (render, total) = (rendering.elapsed(), started.elapsed());
    let bill = Bill { announced, meter, savings, decode, render, total };
    let mut warnings = warnings::map(&evidence.map, Reading::Evidence, evidence.ended, &bill);
    warnings.extend(warnings::face_box(&face, &evidence, job.drise.grid, displayed));
    Ok(ExplainedFace { face, evidence, frame, overlay, bill, warnings })
}

/// The face that is meant: the one that a box lies on, or the largest. Another is an error that says which there are.
fn meant(faces: Vec<Face>, corners: Option<[f64; 4]>) -> Result<Face, RequestError> {
    let wrong = |message: String| Err(RequestError::Missed(Violation::new("face", message)));
    let Some(corners) = corners else {
        return match faces.into_iter().next() {
            Some(largest) => Ok(largest),
            None => wrong("no face was found in the picture; send one that shows a face".into()),
        };
    };
    let overlap = |face: &Face| face.overlap_of(corners);
    match faces.iter().max_by(|a, b| overlap(a).total_cmp(&overlap(b))) {
        Some(nearest) if overlap(nearest) >= SAME => Ok(nearest.clone()),
        Some(nearest) => {
            let there: Vec<_> = faces.iter().take(NAMED).map(|face| place(face.corners)).collect();
            let more = if faces.len() > NAMED { ", and more" } else { "" };
            wrong(format!(
                "got {}, where no face was found: the nearest shares {:.2} of the area of both with it, {SAME} is needed; there are faces \
                 at {}{more}",
                place(corners),
                overlap(nearest),
                there.join(", ")
            ))
        }
        None => wrong(format!("got {}, and no face was found in the picture at all", place(corners))),
    }
}

/// A box in words.
fn place([left, top, right, bottom]: [f64; 4]) -> String {
    format!("(left {left:.1}, top {top:.1}, right {right:.1}, bottom {bottom:.1})")
}

fn legend(face: &Face) -> String {
    let [left, top, right, bottom] = face.corners;
    format!(
        "evidence for the face of {:.0} x {:.0} pixels at ({left:.0}, {top:.0}) (overlap x score)",
        right - left,
        bottom - top
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(corners: [f64; 4]) -> Face {
        Face { score: 0.9, corners, landmarks: [(0.0, 0.0); 5] }
    }

    fn message(done: Result<Face, RequestError>) -> String {
        match done {
            Err(RequestError::Missed(wrong)) => format!("{}: {}", wrong.field, wrong.message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_face_that_is_meant_is_the_one_that_its_box_lies_on() {
        let faces = vec![face([0.0, 0.0, 40.0, 40.0]), face([50.0, 50.0, 70.0, 70.0])];
        assert_eq!(meant(faces.clone(), None).unwrap(), faces[0]);
        assert_eq!(meant(faces.clone(), Some([51.0, 49.0, 70.0, 71.0])).unwrap(), faces[1]);
        // A quarter of it.
        let missed = message(meant(faces, Some([50.0, 50.0, 60.0, 60.0])));
        assert!(
            missed.starts_with("face: got (left 50.0, top 50.0, right 60.0, bottom 60.0), where"),
            "{missed}"
        );
        assert!(
            missed.contains("shares 0.25 of") && missed.contains("left 0.0, top 0.0, right 40.0"),
            "{missed}"
        );
    }

    #[test]
    fn where_there_is_no_face_that_is_said() {
        assert!(message(meant(Vec::new(), None)).contains("no face was found in the picture; send"));
        assert!(message(meant(Vec::new(), Some([0.0, 0.0, 1.0, 1.0]))).contains("at all"));
        let many: Vec<_> =
            (0..9).map(|i| face([f64::from(i) * 10.0, 0.0, f64::from(i) * 10.0 + 5.0, 5.0])).collect();
        let missed = message(meant(many, Some([0.0, 50.0, 10.0, 60.0])));
        assert!(missed.ends_with(", and more") && missed.matches("left ").count() == 1 + NAMED, "{missed}");
    }
}
