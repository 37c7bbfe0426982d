//! What a server tells of itself: the admin port, its metrics, and its traces at a collector.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod admin;
mod collector;
mod metrics;
mod page;
mod scrape;
mod traces;

use unmask_protocol::v1;
use unmask_tests::{request, rise};

/// Settings with an admin port of the system's choice.
const ADMIN: (&str, &str) = ("admin.listen", "127.0.0.1:0");

/// An explanation of so many passes and two.
fn masks(masks: u32) -> v1::ExplainRequest {
    v1::ExplainRequest { method: Some(rise(masks)), ..request() }
}

/// A request of one pass.
fn one() -> v1::PredictRequest {
    v1::PredictRequest { image: request().image, ..v1::PredictRequest::default() }
}
