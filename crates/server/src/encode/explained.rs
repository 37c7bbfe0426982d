//! An explained decision as a message.

use unmask_core::{Ended, LabelMap, ModelSpec, Reading, Scale, Target};
use unmask_explainer::image::Frame;
use unmask_explainer::methods::{Errors, Figures};
use unmask_explainer::segment::Ranked;
use unmask_protocol::v1;

use super::{bill, finding, map, prediction, rect, resolved, transform, version};
use crate::decode::{ExplainJob, Named, Whose};
use crate::run::{Adversarial, Explained, News, Progress};

/// An explained decision.
pub(crate) fn explained(request_id: String, job: &ExplainJob, answer: Explained) -> v1::ExplainResponse {
    let errors = answer.errors.as_ref();
    v1::ExplainResponse {
        request_id,
        prediction: Some(prediction(&answer.spec, &answer.logits)),
        fill_prediction: Some(prediction(&answer.spec, &answer.fill_logits)),
        target: Some(v1::ExplainedTarget {
            fill_value: Some(answer.fill_score),
            ..target(&answer.spec, &answer.decision, answer.image_score)
        }),
        map: Some(map(&answer.map)),
        transform: Some(transform(&answer.frame)),
        regions: regions(&answer.regions, errors, &answer.segments, &answer.frame),
        picture_map: answer.pictures.picture_map.as_ref().map(map),
        cost: Some(bill::cost(&answer.bill)),
        resolved: Some(resolved(job)),
        model: Some(version(&answer.spec)),
        timings: Some(bill::timings(&answer.bill)),
        reading: reading(answer.reading).into(),
        figures: Some(figures(answer.figures)),
        adversarial: answer.adversarial.as_ref().map(|sample| adversarial(sample, &answer.spec)),
        labels: job.outputs.labels.then(|| labels(&answer.segments)),
        heat_map_png: answer.pictures.heat_map,
        overlay_png: answer.pictures.overlay,
        fill_png: answer.pictures.fill,
        warnings: answer.warnings,
        error: answer.error,
        converged: answer.error.zip(job.budget.target_error).is_some_and(|(error, target)| error <= target),
        truncated_by: if answer.late { v1::Truncation::Deadline } else { truncation(answer.ended) }.into(),
        standard_errors: errors.filter(|_| job.outputs.standard_errors).map(|errors| map(&errors.map)),
        face: answer.met.as_ref().map(finding::face),
        face_model: match &job.face {
            Whose::Sought { finder, .. } => answer.met.as_ref().map(|_| version(finder.spec())),
            Whose::Nobodys | Whose::Known(_) => None,
        },
        parts: answer
            .parts
            .as_ref()
            .map_or_else(Vec::new, |(labels, ranked)| finding::parts(labels, ranked, &answer.frame)),
        checks: answer.checks.iter().map(|check| finding::check(check, &answer.spec)).collect(),
        counterfactual: answer
            .changed
            .map(|changed| finding::counterfactual(changed, &answer.frame, &answer.spec)),
        steadiness: answer.steady.map(finding::steadiness),
        sentences: answer.sentences.into_iter().map(finding::sentence).collect(),
    }
}

/// Something of an explanation that runs.
pub(crate) fn news(news: News) -> v1::ExplainStreamResponse {
    use v1::explain_stream_response::Kind;
    let kind = match news {
        News::Progress(Progress { used, expected, remaining }) => Kind::Progress(v1::ExplainProgress {
            used,
            expected,
            remaining_ms: Some(remaining.as_secs_f64() * 1e3),
        }),
        News::Partial(partial) => Kind::Partial(v1::PartialExplanation {
            used: partial.used,
            map: Some(map(&partial.map)),
            reading: reading(partial.reading).into(),
            regions: regions(&partial.regions, partial.errors.as_ref(), &partial.segments, &partial.frame),
            error: partial.error,
            figures: Some(figures(partial.figures)),
        }),
    };
    v1::ExplainStreamResponse { kind: Some(kind) }
}

/// A decision and its scalar on the picture.
pub(super) fn target(spec: &ModelSpec, decision: &Named, value: f64) -> v1::ExplainedTarget {
    let target = &decision.target;
    let labels = |classes: &[usize]| {
        classes.iter().map(|class| spec.output.labels[*class].clone()).collect::<Vec<_>>()
    };
    let scale = match target.scale() {
        Scale::LogOdds => v1::Scale::LogOdds,
        Scale::Probability => v1::Scale::Probability,
        Scale::DoubleSoftmax => v1::Scale::DoubleSoftmax,
    };
    v1::ExplainedTarget {
        label: decision.label.clone(),
        value,
        fill_value: None,
        scale: scale.into(),
        pro: labels(target.pro()),
        contra: labels(target.contra()),
    }
}

fn reading(reading: Reading) -> v1::Reading {
    match reading {
        Reading::Evidence => v1::Reading::Evidence,
        Reading::Importance => v1::Reading::Importance,
    }
}

fn figures(Figures { intercept, r2, total, variance }: Figures) -> v1::Figures {
    v1::Figures { intercept, r2, total, variance }
}

/// What a search came to.
pub(super) fn adversarial(sample: &Adversarial, spec: &ModelSpec) -> v1::AdversarialSample {
    let Adversarial { found, change: (largest_change, mean_change) } = sample;
    let (sample, margin) = (&found.sample, Target::manipulated(spec.output.real, spec.classes()));
    v1::AdversarialSample {
        flipped: sample.flipped,
        steps: sample.steps as u32,
        passes: sample.passes,
        margin_before: margin.value(&sample.before),
        margin_after: margin.value(&sample.after),
        largest_change: *largest_change,
        mean_change: *mean_change,
    }
}

/// What has ended an explanation early.
pub(super) fn truncation(ended: Ended) -> v1::Truncation {
    match ended {
        Ended::All | Ended::Stopped => v1::Truncation::Unspecified,
        Ended::Deadline => v1::Truncation::Deadline,
        Ended::Budget => v1::Truncation::Budget,
    }
}

/// Standard errors on either side of a value, between which 95 % of a normal distribution lie.
const CONFIDENT: f64 = 1.96;

fn regions(
    ranked: &[Ranked],
    errors: Option<&Errors>,
    segments: &LabelMap,
    frame: &Frame,
) -> Vec<v1::Region> {
    let one = |(ranked, rank): (&Ranked, u32)| {
        region(rank, ranked, errors.map(|errors| errors.regions[ranked.label]), segments, frame)
    };
    ranked.iter().zip(1..).map(one).collect()
}

fn region(rank: u32, ranked: &Ranked, error: Option<f64>, segments: &LabelMap, frame: &Frame) -> v1::Region {
    let (left, top, right, bottom) = ranked.bounds;
    v1::Region {
        rank,
        r#box: Some(rect(frame.rect_to_displayed(left as u32, top as u32, right as u32, bottom as u32))),
        mean: ranked.mean,
        evidence_share: ranked.evidence_share,
        area_share: ranked.area_share,
        label: segments.name(ranked.label),
        stands_out: ranked.stands_out(),
        standard_error: error,
        confidence: error.map(|error| {
            let (low, high) = (ranked.mean - CONFIDENT * error, ranked.mean + CONFIDENT * error);
            v1::Interval { low, high }
        }),
    }
}

/// The regions under the numbers by which the ranked ones are known.
fn labels(segments: &LabelMap) -> v1::LabelSegmentation {
    // A caller's numbers are 16 bits wide, and no segmentation of ours has more regions than that.
    let number = |label: &u32| segments.name(*label as usize) as u16;
    v1::LabelSegmentation {
        height: segments.height() as u32,
        width: segments.width() as u32,
        values: segments.labels().iter().flat_map(|label| number(label).to_le_bytes()).collect(),
        sha256: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_little_endian_and_keep_the_callers_numbers() {
        let message = labels(&LabelMap::new(2, 2, &[7, 300, 300, 65535]).unwrap());
        assert_eq!((message.height, message.width), (2, 2));
        assert_eq!(message.values, [7, 0, 44, 1, 44, 1, 255, 255]);
    }
}
