//! The socket under hostile clients, under too many of them, and on its way down.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod browsers;
mod bytes;
mod connections;
mod deadlines;
mod drain;
mod passes;
mod raw;
mod streams;

use unmask_protocol::v1;
use unmask_tests::{request, rise};

/// An explanation of so many passes and two.
fn masks(masks: u32) -> v1::ExplainRequest {
    v1::ExplainRequest { method: Some(rise(masks)), ..request() }
}

/// A request of one pass.
fn one() -> v1::PredictRequest {
    v1::PredictRequest { image: request().image, ..v1::PredictRequest::default() }
}

/// One small explanation, and a metric without a pass.
fn plan() -> v1::EvaluateDatasetRequest {
    let plan = v1::EvaluationPlan {
        candidates: vec![v1::Candidate {
            kind: Some(v1::candidate::Kind::Method(unmask_tests::rise(128))),
            ..Default::default()
        }],
        metrics: vec![v1::Metric { kind: Some(v1::metric::Kind::Entropy(v1::Entropy::default())) }],
        ..Default::default()
    };
    let plan = v1::DatasetPlan { plan: Some(plan), ..Default::default() };
    v1::EvaluateDatasetRequest { kind: Some(v1::evaluate_dataset_request::Kind::Plan(plan)) }
}
