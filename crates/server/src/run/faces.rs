//! The faces of a picture.

use std::time::{Duration, Instant};

use unmask_core::{InputSpec, PictureKind, Task};
use unmask_explainer::face::{self, Face};
use unmask_explainer::image::{self, Limits, Rect};

use super::{Bill, Caller, read, whole};
use crate::decode::FacesJob;
use crate::error::RequestError;

/// What was found.
pub(crate) struct Faces {
    /// The largest first, each with what the detector is to see of it and what is to be known of that.
    pub(crate) faces: Vec<(Face, Rect, Vec<String>)>,
    /// Width and height of the picture as displayed.
    pub(crate) displayed: (u32, u32),
    pub(crate) bill: Bill,
}

/// Finds the faces of a picture.
pub(crate) fn faces(job: &FacesJob, limits: &Limits, caller: &Caller) -> Result<Faces, RequestError> {
    let started = Instant::now();
    let spec = job.finder.spec();
    let (tensor, scale, displayed) = caller.trace.step("decode", || {
        let picture = read(&job.image, limits, "image")?;
        let (tensor, scale) = image::to_fit(&picture, &spec.input);
        Ok::<_, RequestError>((tensor.into(), scale, (picture.width(), picture.height())))
    })?;
    let decode = started.elapsed();
    let forward = job.finder.job(caller.limits(1, None))?;
    let unanswered = caller.unanswered(1, &forward);
    let scores = whole(&forward, &[&tensor])?;
    unanswered.answered(&[]);
    let of_model = match spec.task {
        Task::Faces { scale, drop, .. } => (scale, drop),
        Task::Classes => (1.0, 0.0),
    };
    let input = &job.detector.spec().input;
    let factor = match input.picture {
        PictureKind::Face { factor } => factor,
        PictureKind::Whole => 1.0,
    };
    let faces = face::find(scores.row(0), &spec.input, scale, displayed)
        .into_iter()
        .map(|face| {
            let crop = face::crop(&face, factor, of_model, displayed, limits.min_side);
            let warnings = warnings(crop, input);
            (face, crop, warnings)
        })
        .collect();
    let bill = Bill {
        announced: 1,
        meter: forward.meter(),
        savings: Vec::new(),
        decode,
        render: Duration::ZERO,
        total: started.elapsed(),
    };
    Ok(Faces { faces, displayed, bill })
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
