//! Evaluate and EvaluateDataset, through the real server and the real ONNX Runtime.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod comparisons;
mod dataset;
mod every;
mod wrong;

use tonic::{Request, Status};
use unmask_protocol::v1::evaluation_service_server::EvaluationService as _;
use unmask_protocol::v1::{self, candidate, fill, method, metric};
use unmask_server::Service;
use unmask_tests::{sample, target};

pub(crate) async fn evaluate(
    service: &Service,
    request: v1::EvaluateRequest,
) -> Result<v1::EvaluateResponse, Status> {
    service.evaluate(Request::new(request)).await.map(tonic::Response::into_inner)
}

/// A method over a fill, under the default name.
pub(crate) fn made(kind: method::Kind, fill: Option<fill::Kind>) -> v1::Candidate {
    let method = v1::Method { kind: Some(kind), preset: String::new() };
    v1::Candidate {
        kind: Some(candidate::Kind::Method(method)),
        fill: fill.map(|kind| v1::Fill { kind: Some(kind) }),
        ..v1::Candidate::default()
    }
}

pub(crate) fn occlusion() -> method::Kind {
    method::Kind::Occlusion(v1::Occlusion::default())
}

pub(crate) fn original() -> fill::Kind {
    fill::Kind::Image(v1::ImageFill { image: sample("astronaut-real.png"), sha256: String::new() })
}

/// A short search within the usual bound.
pub(crate) fn adversarial() -> v1::AdversarialFill {
    v1::AdversarialFill { max_passes: Some(150), ..v1::AdversarialFill::default() }
}

/// Every metric of the contract.
pub(crate) fn metrics() -> Vec<v1::Metric> {
    let bounded = || Some(v1::Attack { kind: Some(v1::attack::Kind::Bounded(adversarial())) });
    [
        metric::Kind::AdversarialSufficiency(v1::AdversarialSufficiency {
            regions: Some(1),
            attack: bounded(),
        }),
        metric::Kind::Stability(v1::Stability { attack: bounded(), ..Default::default() }),
        metric::Kind::Deletion(v1::Deletion { step: Some(1024), fill: None }),
        metric::Kind::Insertion(v1::Insertion { step: Some(1024), fill: None }),
        metric::Kind::PixelFlipping(v1::PixelFlipping { regions: Some(20), ..Default::default() }),
        metric::Kind::Road(v1::Road::default()),
        metric::Kind::AverageDrop(v1::AverageDrop::default()),
        metric::Kind::Comprehensiveness(v1::Comprehensiveness::default()),
        metric::Kind::Sufficiency(v1::Sufficiency::default()),
        metric::Kind::CompletenessGap(v1::CompletenessGap {}),
        metric::Kind::PointingGame(v1::PointingGame::default()),
        metric::Kind::RelevanceMass(v1::RelevanceMass {}),
        metric::Kind::RelevanceRank(v1::RelevanceRank {}),
        metric::Kind::Iou(v1::Iou::default()),
        metric::Kind::Auroc(v1::Auroc {}),
        metric::Kind::AveragePrecision(v1::AveragePrecision {}),
        metric::Kind::Sparseness(v1::Sparseness {}),
        metric::Kind::Entropy(v1::Entropy {}),
        metric::Kind::EffectiveComplexity(v1::EffectiveComplexity::default()),
        metric::Kind::TotalVariation(v1::TotalVariation {}),
        metric::Kind::Spread(v1::Spread {}),
        metric::Kind::Centredness(v1::Centredness {}),
        metric::Kind::MaxSensitivity(v1::MaxSensitivity { draws: Some(1), ..Default::default() }),
        metric::Kind::Rfxg(v1::Rfxg::default()),
    ]
    .map(metric)
    .into()
}

pub(crate) fn metric(kind: metric::Kind) -> v1::Metric {
    v1::Metric { kind: Some(kind) }
}

/// Those that need neither mask nor method and are quick.
pub(crate) fn quick() -> Vec<v1::Metric> {
    vec![
        metric(metric::Kind::Deletion(v1::Deletion { step: Some(2048), fill: None })),
        metric(metric::Kind::Sparseness(v1::Sparseness {})),
    ]
}

/// The mouth sample, explained by occlusion over its original, by these metrics.
pub(crate) fn request(metrics: Vec<v1::Metric>) -> v1::EvaluateRequest {
    v1::EvaluateRequest {
        image: sample("astronaut-mouth.png"),
        plan: Some(v1::EvaluationPlan {
            candidates: vec![made(occlusion(), Some(original()))],
            metrics,
            target: Some(target("mouth")),
            seed: 3,
            ..Default::default()
        }),
        mask: Some(v1::Mask { image: sample("astronaut-mouth.mask.png") }),
        label: "mouth".into(),
        ..Default::default()
    }
}

/// The request with another plan.
pub(crate) fn planned(
    mut request: v1::EvaluateRequest,
    change: impl FnOnce(&mut v1::EvaluationPlan),
) -> v1::EvaluateRequest {
    change(request.plan.as_mut().unwrap());
    request
}

/// The figures of an explanation by metric, in order.
pub(crate) fn figures(evaluated: &v1::Evaluated) -> Vec<(&str, &str, Option<f64>)> {
    let results = evaluated.results.iter();
    results.flat_map(|r| r.figures.iter().map(|f| (r.metric.as_str(), f.name.as_str(), f.value))).collect()
}

/// Everything of an answer that must not depend on time or on who paid.
pub(crate) fn timeless(answer: v1::EvaluateResponse) -> v1::EvaluateResponse {
    let mut answer = v1::EvaluateResponse { cost: None, timings: None, request_id: String::new(), ..answer };
    for result in answer.evaluated.iter_mut().flat_map(|e| &mut e.results) {
        result.run = 0;
    }
    answer
}
