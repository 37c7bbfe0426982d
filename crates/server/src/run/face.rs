//! The face that an explanation is about.

use std::sync::Arc;

use unmask_core::{LabelMap, Violation};
use unmask_explainer::face::{Face, Part, parts};
use unmask_explainer::image::{Frame, Picture, Rect};
use unmask_pool::Meter;

use super::Caller;
use super::faces::look;
use crate::decode::{ExplainJob, Whose};
use crate::error::RequestError;

/// A face that was looked for and found.
pub(crate) struct Met {
    pub(crate) face: Face,
    /// What the detector wants to see of it.
    pub(crate) crop: Rect,
    pub(crate) warnings: Vec<String>,
}

/// Least share of the area of what the detector wants to see of a face and of the crop together that both have in common, for the face
/// to be the one that the crop shows.
const SHOWN: f64 = 0.25;

/// Settles which face is meant and where its landmarks are; one that was to be chosen is cropped. What the face model did comes with it.
pub(super) fn settle(
    job: &mut ExplainJob,
    picture: &Picture,
    least: u32,
    caller: &Caller,
) -> Result<(Option<Met>, Meter), RequestError> {
    let (finder, needed) = match &job.face {
        Whose::Nobodys => return Ok((None, Meter::default())),
        Whose::Known(landmarks) => {
            job.landmarks = Some(*landmarks);
            return Ok((None, Meter::default()));
        }
        Whose::Sought { finder, needed } => (finder, *needed),
    };
    let (faces, meter) = look(finder, job.subject.served.spec(), picture, least, caller)?;
    let choose = needed && !job.subject.crop_given;
    let mut met = faces.into_iter().map(|(face, crop, warnings)| Met { face, crop, warnings });
    let met = if choose {
        met.next()
    } else {
        let shown = |met: &Met| overlap(met.crop, job.subject.crop);
        met.filter(|met| shown(met) >= SHOWN).max_by(|a, b| shown(a).total_cmp(&shown(b)))
    };
    match &met {
        Some(met) => {
            job.landmarks = Some(met.face.landmarks);
            if choose {
                job.subject.choose(met.crop);
            }
        }
        None if choose => {
            let message = "no face was found in the picture; send a crop of one, or leave face out for the whole picture";
            return Err(RequestError::Missed(Violation::new("face.search", message)));
        }
        None => {}
    }
    Ok((met, meter))
}

/// The parts of the face that is meant, where the model sees any of it.
pub(super) fn parts_seen(job: &mut ExplainJob, frame: &Frame) -> Result<Option<Arc<LabelMap>>, RequestError> {
    let Some(landmarks) = job.landmarks else { return Ok(None) };
    let parts = parts(&landmarks, frame);
    let is_seen = (0..parts.count()).any(|label| parts.name(label) != Part::Background as u32);
    if is_seen {
        return Ok(Some(Arc::new(parts)));
    }
    if let Whose::Known(_) = job.face {
        let message =
            "lie on a line, or outside of what the model sees; send those of the face that the crop shows";
        return Err(RequestError::Invalid(vec![Violation::new("face.landmarks", message)]));
    }
    job.landmarks = None;
    Ok(None)
}

/// Settles whether parts of the face are what is replaced for another decision.
pub(super) fn settle_change(job: &mut ExplainJob, known: bool) -> Result<(), RequestError> {
    let usual = known && (!job.cut_given || job.is_cut_by_parts());
    let Some(change) = &mut job.counterfactual else { return Ok(()) };
    if change.parts == Some(true) && !known {
        let message =
            "no face was found in what the model sees; leave it out for the regions of the segmentation";
        return Err(RequestError::Missed(Violation::new("counterfactual.parts", message)));
    }
    change.parts.get_or_insert(usual);
    Ok(())
}

/// The area that two rectangles share, over that of both together: 0 to 1.
fn overlap(a: Rect, b: Rect) -> f64 {
    let along = |a: (u32, u32), b: (u32, u32)| {
        let (start, end) = (a.0.max(b.0), (a.0 + a.1).min(b.0 + b.1));
        f64::from(end.saturating_sub(start))
    };
    let shared = along((a.x, a.width), (b.x, b.width)) * along((a.y, a.height), (b.y, b.height));
    let area = |r: Rect| f64::from(r.width) * f64::from(r.height);
    shared / (area(a) + area(b) - shared)
}
