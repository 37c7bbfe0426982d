//! What is known before the first pass: the mask, the caller's maps, regions, where fills come from, and the cost.

use std::sync::Arc;

use unmask_core::{LabelMap, Map, Reading, Tensor, Violation};
use unmask_explainer::image::{self, Limits};
use unmask_explainer::metrics::controls;

use super::super::explain::cut;
use super::super::fill::Source;
use super::super::read;
use super::super::{Caller, Seen};
use super::{Outcome, Scored};
use crate::decode::{CONTROLS, Cut, EvaluateJob, FillChoice, Kind, Supplied};
use crate::error::RequestError;
use crate::fills::digest;

/// See above.
pub(super) struct Prepared {
    pub(super) mask: Option<Vec<bool>>,
    /// The plan's regions.
    pub(super) segments: Arc<LabelMap>,
    /// For each candidate, its regions and the source of its fill; a supplied map has the plan's regions and no fill.
    pub(super) candidates: Vec<Ready>,
    /// For each metric, the source of its fill.
    pub(super) sources: Vec<Option<Source>>,
    /// The controls' maps.
    pub(super) controls: Vec<(&'static str, Map)>,
}

/// What a candidate starts from.
pub(super) struct Ready {
    pub(super) segments: Arc<LabelMap>,
    pub(super) source: Option<Source>,
    /// A supplied map in the model's frame.
    pub(super) map: Option<(Map, Reading)>,
}

impl Prepared {
    /// # Errors
    /// What can only be seen once the files are decoded is refused here, before anything is paid for.
    pub(super) fn new(
        job: &EvaluateJob,
        seen: &Seen,
        limits: &Limits,
        caller: &Caller,
    ) -> Result<Self, RequestError> {
        let spec = job.subject.served.spec();
        let frame = (spec.input.height, spec.input.width);
        let mask = job.mask.as_ref().map(|bytes| mask(bytes, job, limits, frame)).transpose()?;
        let mut cuts: Vec<(&Cut, Arc<LabelMap>)> = Vec::new();
        let segments = regions(&job.plan.cut, "plan", job, seen, &mut cuts, caller)?;
        let mut candidates = Vec::new();
        for (i, candidate) in job.plan.candidates.iter().enumerate() {
            // Each may cut the picture in a way of its own.
            caller.waits()?;
            let path = format!("plan.candidates[{i}]");
            candidates.push(match &candidate.kind {
                Kind::Made(making) => Ready {
                    segments: regions(&making.cut, &path, job, seen, &mut cuts, caller)?,
                    source: Some(Source::new(&making.fill, &job.subject, limits, &format!("{path}.fill"))?),
                    map: None,
                },
                Kind::Supplied(supplied) => Ready {
                    segments: Arc::clone(&segments),
                    source: None,
                    map: Some((in_frame(supplied, job, frame), supplied.reading)),
                },
            });
        }
        let source = |(i, fill): (usize, &Option<FillChoice>)| {
            let path = format!("plan.metrics[{i}].fill");
            fill.as_ref().map(|fill| Source::new(fill, &job.subject, limits, &path)).transpose()
        };
        let sources = job.plan.measures.iter().map(|m| &m.fill).enumerate().map(source);
        let sources = sources.collect::<Result<_, _>>()?;
        let controls = if job.plan.controls { controls_of(&seen.tensor, job.plan.seed) } else { Vec::new() };
        Ok(Self { mask, segments, candidates, sources, controls })
    }

    /// Everything with its announced cost, and nothing else.
    pub(super) fn announce(&self, job: &EvaluateJob) -> Vec<Scored> {
        let names = job.plan.names();
        let scored = names.iter().enumerate().map(|(at, name)| Scored {
            name: (*name).to_owned(),
            control: at >= self.candidates.len(),
            announced: job.plan.own(at),
            used: 0,
            outcomes: job
                .plan
                .measures
                .iter()
                .map(|m| Outcome {
                    metric: m.metric.about().entry.name,
                    announced: m.metric.announced(&job.plan.size(&job.subject.served.spec().input, at)),
                    run: 0,
                    measured: None,
                })
                .collect(),
            adversarial: None,
            missing: None,
        });
        scored.collect()
    }
}

fn regions<'a>(
    own: &'a Cut,
    path: &str,
    job: &EvaluateJob,
    seen: &Seen,
    cuts: &mut Vec<(&'a Cut, Arc<LabelMap>)>,
    caller: &Caller,
) -> Result<Arc<LabelMap>, RequestError> {
    if let Some((_, known)) = cuts.iter().find(|(cut, _)| *cut == own) {
        return Ok(Arc::clone(known));
    }
    let path = format!("{path}.segmentation");
    let segments = cut(own, job.subject.served.spec(), &seen.tensor, job.plan.seed, &path, &caller.trace)?;
    cuts.push((own, Arc::clone(&segments)));
    Ok(segments)
}

fn mask(
    bytes: &[u8],
    job: &EvaluateJob,
    limits: &Limits,
    frame: (usize, usize),
) -> Result<Vec<bool>, RequestError> {
    let picture = read(bytes, limits, "mask.image")?;
    let mask = image::mask_to_frame(&picture, job.subject.crop, frame);
    let inside = mask.iter().filter(|m| **m).count();
    let what = if inside == 0 {
        "is empty"
    } else if inside == mask.len() {
        "is full"
    } else {
        return Ok(mask);
    };
    let message = format!(
        "{what} inside the crop: a mask marks what was manipulated (grey above 127) and leaves the rest out"
    );
    Err(RequestError::Invalid(vec![Violation::new("mask.image", message)]))
}

fn in_frame(supplied: &Supplied, job: &EvaluateJob, frame: (usize, usize)) -> Map {
    let Supplied { height, width, values, .. } = supplied;
    let data = if (*height, *width) == frame && !job.subject.is_displayed(*height, *width) {
        values.clone()
    } else {
        image::map_to_frame(values, *width, job.subject.crop, frame)
    };
    Map { height: frame.0, width: frame.1, data }
}

/// The random map is the picture's own: one for all pictures of a dataset would be one draw, and its mean luck.
fn controls_of(image: &Tensor, seed: u64) -> Vec<(&'static str, Map)> {
    let (height, width) = (image.height(), image.width());
    let picture =
        digest(image).bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let maps = [
        controls::centre(height, width),
        controls::uniform(height, width),
        controls::random(height, width, seed ^ picture),
    ];
    CONTROLS.into_iter().zip(maps).collect()
}
