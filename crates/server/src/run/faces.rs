//! The faces of a picture.

use std::sync::Arc;
use std::time::{Duration, Instant};

use unmask_core::{InputSpec, ModelSpec, PictureKind, Task, Tensor};
use unmask_explainer::face::{self, Face};
use unmask_explainer::image::{self, Limits, Picture, Rect};
use unmask_pool::{Meter, Served};

use super::{Bill, Caller, read, whole};
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

/// Finds the faces of a picture.
pub(crate) fn faces(job: &FacesJob, limits: &Limits, caller: &Caller) -> Result<Faces, RequestError> {
    let started = Instant::now();
    let spec = job.finder.spec();
    let Framed { picture, tensor, scale } = framed(&job.image, &spec.input, limits, &caller.trace)?;
    let displayed = (picture.width(), picture.height());
    let decode = started.elapsed();
    let (faces, meter) =
        seen(&job.finder, job.detector.spec(), (&tensor, scale, displayed), limits.min_side, caller)?;
    let bill = Bill {
        announced: 1,
        meter,
        savings: Vec::new(),
        decode,
        render: Duration::ZERO,
        total: started.elapsed(),
    };
    Ok(Faces { faces, displayed, bill })
}

/// Looks for faces in a picture that has been decoded: one pass.
pub(super) fn look(
    finder: &Served,
    detector: &ModelSpec,
    picture: &Picture,
    least: u32,
    caller: &Caller,
) -> Result<(Vec<Found>, Meter), RequestError> {
    let (tensor, scale) = image::to_fit(picture, &finder.spec().input);
    seen(finder, detector, (&tensor.into(), scale, (picture.width(), picture.height())), least, caller)
}

/// The faces of a picture in the face model's frame, of which one pixel is so many of the picture's.
fn seen(
    finder: &Served,
    detector: &ModelSpec,
    (tensor, scale, displayed): (&Arc<Tensor>, f64, (u32, u32)),
    least: u32,
    caller: &Caller,
) -> Result<(Vec<Found>, Meter), RequestError> {
    let spec = finder.spec();
    let forward = finder.job(caller.quiet())?;
    let unanswered = caller.unanswered(1, &forward);
    let scores = whole(&forward, &[tensor])?;
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
    let faces = face::find(scores.row(0), &spec.input, scale, displayed)
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
        let (tensor, scale) = image::to_fit(&picture, input);
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
