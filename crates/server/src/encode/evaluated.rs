//! Evaluated explanations as messages.

use unmask_core::{Reading, Scale};
use unmask_explainer::fill::adversarial::Search;
use unmask_explainer::metrics::{About, Better, METRICS, Measured, Need, Wrong};
use unmask_protocol::v1::{self, candidate, metric};

use super::{bill, catalogue, explained, prediction, resolved, version};
use crate::decode::{Candidate, EvaluateJob, Kind, Measure, Plan};
use crate::run::{Evaluation, Outcome, Scored};

/// Evaluated explanations.
pub(crate) fn evaluated(request_id: String, job: &EvaluateJob, answer: Evaluation) -> v1::EvaluateResponse {
    let spec = &answer.spec;
    let resolved = plan(&job.plan, spec);
    let target = answer.seen.as_ref().map(|seen| explained::target(spec, &seen.decision, seen.score));
    v1::EvaluateResponse {
        request_id,
        prediction: answer.seen.as_ref().map(|seen| prediction(spec, &seen.logits)),
        target,
        evaluated: answer.scored.into_iter().map(|scored| one(scored, spec)).collect(),
        cost: Some(bill::cost(&answer.bill)),
        resolved: Some(resolved),
        model: Some(version(spec)),
        timings: Some(bill::timings(&answer.bill)),
        warnings: answer.warnings,
    }
}

fn one(scored: Scored, spec: &unmask_core::ModelSpec) -> v1::Evaluated {
    v1::Evaluated {
        name: scored.name,
        control: scored.control,
        results: scored.outcomes.into_iter().map(result).collect(),
        announced: scored.announced,
        adversarial: scored.adversarial.as_ref().map(|sample| explained::adversarial(sample, spec)),
        missing: scored.missing.unwrap_or_default(),
        used: scored.used,
    }
}

fn result(outcome: Outcome) -> v1::Result {
    let Outcome { metric, announced, run, measured } = outcome;
    let (measured, missing) = match measured {
        None => (Measured::default(), String::new()),
        Some(Ok(measured)) => (measured, String::new()),
        Some(Err(missing)) => (Measured::default(), missing),
    };
    let figure = |figure: unmask_explainer::metrics::Figure| {
        let (value, missing) = match figure.value {
            Ok(value) => (Some(value), String::new()),
            Err(reason) => (None, reason.to_owned()),
        };
        v1::Figure { name: figure.name, value, better: better(figure.better).into(), missing }
    };
    let curve = |curve: unmask_explainer::metrics::Curve| v1::Curve {
        name: curve.name.into(),
        x: curve.x,
        y: curve.y,
    };
    v1::Result {
        metric: metric.into(),
        figures: measured.figures.into_iter().map(figure).collect(),
        curves: measured.curves.into_iter().map(curve).collect(),
        announced,
        run,
        missing,
    }
}

pub(super) fn better(better: Better) -> v1::Better {
    match better {
        Better::Higher => v1::Better::Higher,
        Better::Lower => v1::Better::Lower,
        Better::Neither => v1::Better::Neither,
    }
}

/// The plan with everything as it is used.
pub(crate) fn plan(plan: &Plan, spec: &unmask_core::ModelSpec) -> v1::EvaluationPlan {
    let scale = match plan.question.scale() {
        Scale::LogOdds => v1::Scale::LogOdds,
        Scale::Probability => v1::Scale::Probability,
        Scale::DoubleSoftmax => v1::Scale::DoubleSoftmax,
    };
    v1::EvaluationPlan {
        model: Some(v1::ModelSelector { name: spec.name.clone(), version: spec.version.clone() }),
        target: plan.target.clone(),
        candidates: plan.candidates.iter().map(candidate).collect(),
        metrics: plan.measures.iter().map(metric).collect(),
        scale: scale.into(),
        seed: plan.seed,
        segmentation: Some(segmentation(&plan.cut)),
        no_controls: !plan.controls,
    }
}

fn segmentation(cut: &crate::decode::Cut) -> v1::Segmentation {
    v1::Segmentation { kind: Some(resolved::segmentation_kind(cut)) }
}

fn candidate(candidate: &Candidate) -> v1::Candidate {
    let name = candidate.name.clone();
    match &candidate.kind {
        Kind::Made(making) => {
            let preset = making.preset.name();
            let method =
                v1::Method { kind: Some(resolved::method_kind(&making.method)), preset: preset.into() };
            v1::Candidate {
                name,
                kind: Some(candidate::Kind::Method(method)),
                fill: Some(v1::Fill { kind: Some(resolved::fill_kind(&making.fill)) }),
                segmentation: Some(segmentation(&making.cut)),
            }
        }
        Kind::Supplied(supplied) => {
            let reading = match supplied.reading {
                Reading::Evidence => v1::Reading::Evidence,
                Reading::Importance => v1::Reading::Importance,
            };
            let map = v1::Map {
                height: supplied.height as u32,
                width: supplied.width as u32,
                values: Vec::new(),
                sha256: supplied.sha256.clone(),
            };
            let map = v1::SuppliedMap { map: Some(map), reading: reading.into() };
            v1::Candidate { name, kind: Some(candidate::Kind::Map(map)), fill: None, segmentation: None }
        }
    }
}

fn metric(measure: &Measure) -> v1::Metric {
    let fill = || measure.fill.as_ref().map(|fill| v1::Fill { kind: Some(resolved::fill_kind(fill)) });
    let attack = || measure.attack.as_ref().map(attack);
    let kind = match measure.message.clone() {
        metric::Kind::AdversarialSufficiency(m) => {
            metric::Kind::AdversarialSufficiency(v1::AdversarialSufficiency { attack: attack(), ..m })
        }
        metric::Kind::Stability(m) => metric::Kind::Stability(v1::Stability { attack: attack(), ..m }),
        metric::Kind::Deletion(m) => metric::Kind::Deletion(v1::Deletion { fill: fill(), ..m }),
        metric::Kind::Insertion(m) => metric::Kind::Insertion(v1::Insertion { fill: fill(), ..m }),
        metric::Kind::PixelFlipping(m) => {
            metric::Kind::PixelFlipping(v1::PixelFlipping { fill: fill(), ..m })
        }
        metric::Kind::Road(_) => metric::Kind::Road(v1::Road { fill: fill() }),
        metric::Kind::AverageDrop(_) => metric::Kind::AverageDrop(v1::AverageDrop { fill: fill() }),
        metric::Kind::Comprehensiveness(_) => {
            metric::Kind::Comprehensiveness(v1::Comprehensiveness { fill: fill() })
        }
        metric::Kind::Sufficiency(_) => metric::Kind::Sufficiency(v1::Sufficiency { fill: fill() }),
        metric::Kind::Rfxg(m) => metric::Kind::Rfxg(v1::Rfxg { fill: fill(), ..m }),
        kind @ (metric::Kind::CompletenessGap(_)
        | metric::Kind::PointingGame(_)
        | metric::Kind::RelevanceMass(_)
        | metric::Kind::RelevanceRank(_)
        | metric::Kind::Iou(_)
        | metric::Kind::Auroc(_)
        | metric::Kind::AveragePrecision(_)
        | metric::Kind::Sparseness(_)
        | metric::Kind::Entropy(_)
        | metric::Kind::EffectiveComplexity(_)
        | metric::Kind::TotalVariation(_)
        | metric::Kind::Spread(_)
        | metric::Kind::Centredness(_)
        | metric::Kind::MaxSensitivity(_)) => kind,
    };
    v1::Metric { kind: Some(kind) }
}

fn attack(search: &Search) -> v1::Attack {
    let kind = match search {
        Search::Bounded(bounded) => v1::attack::Kind::Bounded(resolved::bounded(bounded)),
        Search::Paper(paper) => v1::attack::Kind::Paper(resolved::paper(paper)),
    };
    v1::Attack { kind: Some(kind) }
}

/// The catalogue of metrics.
pub(crate) fn metrics() -> v1::ListMetricsResponse {
    v1::ListMetricsResponse { metrics: METRICS.iter().map(|about| entry(about)).collect() }
}

fn entry(about: &About) -> v1::MetricEntry {
    let need = |need: &Need| match need {
        Need::Mask => "mask",
        Need::Method => "method",
        Need::Fill => "fill",
    };
    let wrong = |wrong: &Wrong| match wrong {
        Wrong::Shifted => "shifted",
        Wrong::Inverted => "inverted",
        Wrong::Random => "random",
    };
    let figure = |figure: &unmask_explainer::metrics::FigureAbout| v1::FigureEntry {
        name: figure.name.into(),
        better: better(figure.better).into(),
    };
    v1::MetricEntry {
        entry: Some(catalogue::entry(&about.entry)),
        figures: about.figures.iter().map(figure).collect(),
        needs: about.needs.iter().map(|n| need(n).to_owned()).collect(),
        tells: about.tells.iter().map(|w| wrong(w).to_owned()).collect(),
    }
}
