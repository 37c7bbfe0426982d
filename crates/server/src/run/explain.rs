//! Why the model says so: references, method, regions, pictures.

use std::sync::Arc;
use std::time::Instant;

use unmask_core::{Map, ModelSpec, Target, Tensor};
use unmask_explainer::fill::Fill;
use unmask_explainer::image::{self, Frame, Limits};
use unmask_explainer::methods::{Context, Method};
use unmask_explainer::render::{self, Scene};
use unmask_explainer::segment::{Ranked, grid, rank};

use super::{Bill, Caller, Seen, read, see, warnings, whole};
use crate::decode::{ExplainJob, FillChoice, Outputs, REFERENCE_PASSES};
use crate::error::RequestError;

/// Regions are ranked on a grid of this many rows and columns.
const REGIONS: usize = 8;

/// An explained decision.
pub(crate) struct Explained {
    pub(crate) spec: Arc<ModelSpec>,
    pub(crate) logits: Vec<f32>,
    pub(crate) fill_logits: Vec<f32>,
    pub(crate) class: usize,
    pub(crate) image_score: f64,
    pub(crate) fill_score: f64,
    pub(crate) map: Map,
    pub(crate) frame: Frame,
    pub(crate) regions: Vec<Ranked>,
    pub(crate) pictures: Pictures,
    pub(crate) bill: Bill,
    pub(crate) warnings: Vec<String>,
}

/// What was made because it was asked for.
#[derive(Default)]
pub(crate) struct Pictures {
    pub(crate) heat_map: Vec<u8>,
    pub(crate) overlay: Vec<u8>,
    pub(crate) picture_map: Option<Map>,
}

pub(crate) fn explain(job: &ExplainJob, limits: &Limits, caller: &Caller) -> Result<Explained, RequestError> {
    let started = Instant::now();
    let subject = &job.subject;
    let spec = Arc::clone(subject.served.spec());
    let seen = see(subject, limits)?;
    let fill = resolve(job, &seen, limits)?;
    let decode = started.elapsed();

    let announced = REFERENCE_PASSES + job.method.announced();
    let forward = subject.served.job(caller.limits(announced, job.max_passes))?;
    let references = whole(&forward, &[&seen.tensor, &fill])?;
    let (logits, fill_logits) = (references.row(0).to_vec(), references.row(1).to_vec());
    let class = job.target.unwrap_or_else(|| highest(&logits));
    let target = Target::class(class, spec.classes());
    let (image_score, fill_score) = (target.value(&logits), target.value(&fill_logits));

    let context = Context {
        image: &seen.tensor,
        fill: &fill,
        target: &target,
        seed: job.seed,
        image_score,
        fill_score,
        forward: &forward,
    };
    let explanation = run(&job.method, &context)?;

    let rendering = Instant::now();
    let regions = regions(&explanation.map, job.top_regions);
    let pictures = draw(job.outputs, &explanation.map, &seen, &spec.output.labels[class]);
    let bill = Bill {
        announced,
        meter: forward.meter(),
        ended: explanation.ended,
        decode,
        render: rendering.elapsed(),
        total: started.elapsed(),
    };
    let mut warnings = warnings::picture(&spec, subject);
    warnings.extend(warnings::fill(&spec, class, &fill_logits));
    warnings.extend(warnings::map(&explanation.map, &bill));
    Ok(Explained {
        logits,
        fill_logits,
        class,
        image_score,
        fill_score,
        map: explanation.map,
        frame: seen.frame,
        regions,
        pictures,
        bill,
        warnings,
        spec,
    })
}

fn run(
    method: &Method,
    context: &Context<'_>,
) -> Result<unmask_explainer::methods::Explanation, RequestError> {
    let _span = tracing::info_span!("method").entered();
    Ok(method.explain(context)?)
}

fn resolve(job: &ExplainJob, seen: &Seen, limits: &Limits) -> Result<Arc<Tensor>, RequestError> {
    let _span = tracing::info_span!("fill").entered();
    let input = &job.subject.served.spec().input;
    let fill = match &job.fill {
        FillChoice::Made(fill) => fill.clone(),
        FillChoice::Image(bytes) => {
            let picture = read(bytes, limits, "fill.image.image")?;
            Fill::Image(Arc::new(image::to_tensor(&picture, job.subject.crop, input)))
        }
    };
    Ok(fill.resolve(&seen.tensor, input))
}

/// The class with the highest logit; the first of equals.
pub(crate) fn highest(logits: &[f32]) -> usize {
    (0..logits.len()).rev().max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap_or(0)
}

fn regions(map: &Map, top: usize) -> Vec<Ranked> {
    let mut ranked = rank(map, &grid(map.height, map.width, REGIONS, REGIONS));
    ranked.truncate(top);
    ranked
}

fn draw(outputs: Outputs, map: &Map, seen: &Seen, label: &str) -> Pictures {
    let _span = tracing::info_span!("render").entered();
    let legend = format!("evidence for {label} (log-odds)");
    let scene = Scene { map, frame: &seen.frame, legend: &legend };
    Pictures {
        heat_map: if outputs.heat_map { render::heat_map(&scene) } else { Vec::new() },
        overlay: if outputs.overlay { render::overlay(&scene, &seen.picture) } else { Vec::new() },
        picture_map: outputs.picture_map.then(|| render::picture_map(map, &seen.frame)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_classes_is_the_highest() {
        assert_eq!(highest(&[1.0, 3.0, 3.0, -1.0]), 1);
    }
}
