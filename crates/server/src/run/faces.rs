//! The faces of a picture.

use std::sync::Arc;
use std::time::{Duration, Instant};

use unmask_core::{InputSpec, ModelSpec, PictureKind, Task, Tensor};
use unmask_explainer::face::{self, Face};
use unmask_explainer::image::{self, Limits, Picture, Rect};
use unmask_pool::{Meter, Served};

use super::{Bill, Caller, Saving, Why, read, whole};
use crate::decode::FacesJob;
use crate::error::RequestError;
use crate::telemetry::Trace;

/// A face, what the detector is to see of it, and what is to be known of that.
pub(crate) type Found = (Face, Rect, Vec<String>);

/// What was found.
pub(crate) struct Faces {
    /// The largest first.
    pub(crate) faces: Vec<Found>,
    /// Width and height of the picture as displayed.
    pub(crate) displayed: (u32, u32),
    pub(crate) bill: Bill,
}

/// Passes of looking for faces, at most.
pub(crate) const LOOKS: u64 = 2;
/// A face whose larger side is more of the picture's than this is looked at again, smaller: what fills a network's field of view it places
/// badly. Both are measured by `models/faces/large.py`.
const LARGE: f64 = 0.7;
/// The share of the frame that it then has.
const AGAIN: f64 = 0.6;
/// Least share of the area of both that two looks at one face have in common.
const SAME: f64 = 0.3;

/// Finds the faces of a picture.
pub(crate) fn faces(job: &FacesJob, limits: &Limits, caller: &Caller) -> Result<Faces, RequestError> {
    let started = Instant::now();
    let picture = caller.trace.step("decode", || read(&job.image, limits, "image"))?;
    let decode = started.elapsed();
    let detector = job.detector.spec();
    let (faces, meter) = look(&job.finder, detector, &picture, limits.min_side, caller)?;
    let saved = Saving { why: Why::Converged, passes: LOOKS - meter.run };
    let bill = Bill {
        announced: LOOKS,
        meter,
        savings: Some(saved).into_iter().filter(|saved| saved.passes > 0).collect(),
        decode,
        render: Duration::ZERO,
        total: started.elapsed(),
    };
    Ok(Faces { faces, displayed: (picture.width(), picture.height()), bill })
}

/// Looks for faces in a picture that has been decoded: one pass, and another where a face fills most of it.
pub(super) fn look(
    finder: &Served,
    detector: &ModelSpec,
    picture: &Picture,
    least: u32,
    caller: &Caller,
) -> Result<(Vec<Found>, Meter), RequestError> {
    let (spec, displayed) = (finder.spec(), (picture.width(), picture.height()));
    let forward = finder.job(caller.quiet())?;
    let unanswered = caller.unanswered(LOOKS, &forward);
    let seen = |share: f64| {
        let (tensor, scale) = image::to_fit(picture, &spec.input, share);
        let scores = whole(&forward, &[&tensor.into()])?;
        Ok::<_, RequestError>(face::find(scores.row(0), &spec.input, scale, displayed))
    };
    let mut faces = seen(1.0)?;
    let most = f64::from(displayed.0.max(displayed.1));
    let share = faces.first().map_or(0.0, |largest| largest.side() / most);
    if share > LARGE {
        let again = seen(AGAIN / share)?;
        for face in faces.iter_mut().filter(|face| face.side() / most > LARGE) {
            let common = |other: &&Face| face.overlap_of(other.corners);
            let best = again.iter().max_by(|a, b| common(a).total_cmp(&common(b)));
            if let Some(best) = best.filter(|best| common(best) >= SAME) {
                *face = best.clone();
            }
        }
    }
    unanswered.answered(&[]);
    let of_model = match spec.task {
        Task::Faces { scale, drop, .. } => (scale, drop),
        Task::Classes => (1.0, 0.0),
    };
    let input = &detector.input;
    let factor = match input.picture {
        PictureKind::Face { factor } => factor,
        PictureKind::Whole => 1.0,
    };
    let faces = faces
        .into_iter()
        .map(|face| {
            let crop = face::crop(&face, factor, of_model, displayed, least);
            let warnings = warnings(crop, input);
            (face, crop, warnings)
        })
        .collect();
    Ok((faces, forward.meter()))
}

/// A picture as displayed, and as a face model sees it.
pub(super) struct Framed {
    pub(super) picture: Picture,
    pub(super) tensor: Arc<Tensor>,
    /// Pixels of the picture that one of the model's frame is.
    pub(super) scale: f64,
}

/// Reads a picture and fits it into a face model's frame.
pub(super) fn framed(
    bytes: &[u8],
    input: &InputSpec,
    limits: &Limits,
    trace: &Trace,
) -> Result<Framed, RequestError> {
    trace.step("decode", || {
        let picture = read(bytes, limits, "image")?;
        let (tensor, scale) = image::to_fit(&picture, input, 1.0);
        Ok(Framed { picture, tensor: Arc::new(tensor), scale })
    })
}

/// About a face that the detector sees much larger than it is.
fn warnings(crop: Rect, input: &InputSpec) -> Vec<String> {
    let (side, wanted) = (crop.width, input.width.min(input.height));
    let is_tiny = (side as usize) * 2 < wanted;
    let warning = format!(
        "the face is small: its crop of {side} x {side} pixels is less than half of the {} x {} that the detector sees, \
         and traces of a manipulation may be lost",
        input.width, input.height
    );
    is_tiny.then_some(warning).into_iter().collect()
}
