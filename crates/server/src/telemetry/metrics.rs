//! What is counted and measured where it happens. The names are OpenTelemetry's, the Prometheus endpoint writes them with
//! underscores and units; `docs/telemetry.md` has them all.
//!
//! Labels are words of ours, and names and versions of models: nothing that a caller says becomes one.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider as _, NoopMeterProvider};
use tonic::Code;
use unmask_core::{Ended, ModelSpec};
use unmask_explainer::fill::adversarial::Search;
use unmask_explainer::methods::METHODS;
use unmask_pool::Ran;

use super::words::{Reject, Saved, ended, paid};
use crate::encode::code_name;
use crate::fills::Paid;

/// Requests take from a millisecond to minutes, batches from a fraction of one to a minute.
const SECONDS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// A model loads in a second, or is calibrated for a minute.
const LOAD_SECONDS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
const PICTURES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
const SHARES: [f64; 8] = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0];

/// Counters and histograms. They cost nothing where nobody reads them.
pub(crate) struct Metrics {
    calls: Histogram<f64>,
    passes: Counter<u64>,
    saved: Counter<u64>,
    batch_size: Histogram<u64>,
    batch_fill: Histogram<f64>,
    forward: Histogram<f64>,
    rejects: Counter<u64>,
    fill_requests: Counter<u64>,
    fill_searches: Counter<u64>,
    explanations: Counter<u64>,
    loads: Counter<u64>,
    load_seconds: Histogram<f64>,
}

/// What a model's batches are counted under.
pub(super) struct Model {
    name: [KeyValue; 1],
    version: [KeyValue; 2],
}

impl Model {
    pub(super) fn new(spec: &ModelSpec) -> Self {
        let name = KeyValue::new("model", spec.name.clone());
        Self { name: [name.clone()], version: [name, KeyValue::new("version", spec.version.clone())] }
    }

    pub(super) fn name(&self) -> &KeyValue {
        &self.name[0]
    }
}

impl Metrics {
    /// Instruments that nobody reads.
    pub(super) fn unread() -> Self {
        Self::new(&NoopMeterProvider::new().meter("unmask"))
    }

    pub(super) fn new(meter: &Meter) -> Self {
        let counter = |name, what| meter.u64_counter(name).with_description(what).build();
        let histogram = |name, unit, what, bounds: &[f64]| {
            let bounds = bounds.to_vec();
            meter.f64_histogram(name).with_unit(unit).with_description(what).with_boundaries(bounds).build()
        };
        let sizes = meter.u64_histogram("unmask.batch.size").with_boundaries(PICTURES.to_vec());
        let metrics = Self {
            calls: histogram("rpc.server.call.duration", "s", "Duration of incoming calls.", &SECONDS),
            passes: counter("unmask.passes", "Pictures that have been through a model."),
            saved: counter("unmask.passes.saved", "Passes that were announced and not run."),
            batch_size: sizes.with_description("Pictures in a forward pass.").build(),
            batch_fill: histogram("unmask.batch.fill_ratio", "", "Share of the largest batch.", &SHARES),
            forward: histogram("unmask.forward.duration", "s", "One batch through the model.", &SECONDS),
            rejects: counter(
                "unmask.rejects",
                "Requests, and pictures of datasets, refused before their first pass.",
            ),
            fill_requests: counter("unmask.fill.requests", "Adversarial fills asked for."),
            fill_searches: counter("unmask.fill.searches", "Searches for adversarial fills that ended."),
            explanations: counter("unmask.explanations", "Explanations answered."),
            loads: counter("unmask.model.loads", "Models that were to be loaded."),
            load_seconds: histogram(
                "unmask.model.load.duration",
                "s",
                "From a verified bundle to a model that serves.",
                &LOAD_SECONDS,
            ),
        };
        metrics.begin();
        metrics
    }

    /// Counts nothing of everything that can be named beforehand: a series that begins with its first event hides that event.
    fn begin(&self) {
        Reject::ALL.iter().for_each(|reject| self.rejected(*reject, 0));
        Saved::ALL.iter().for_each(|saved| self.saved(*saved, 0));
        for result in [Paid::Here, Paid::Shared, Paid::Cached] {
            self.fill_requests.add(0, &[KeyValue::new("result", paid(result))]);
        }
        for fill in Search::NAMES {
            for flipped in [true, false] {
                self.searched(fill, flipped, 0);
            }
        }
        for method in METHODS.iter().map(|method| method.name) {
            for ended in [Ended::All, Ended::Stopped, Ended::Deadline, Ended::Budget] {
                self.explained(method, ended, 0);
            }
        }
        for result in ["ok", "refused"] {
            self.loads.add(0, &[KeyValue::new("result", result)]);
        }
    }

    /// A call has been answered, or its client has gone.
    pub(super) fn call(&self, method: &'static str, code: Code, took: Duration) {
        let labels =
            [KeyValue::new("rpc.method", method), KeyValue::new("rpc.response.status_code", code_name(code))];
        self.calls.record(took.as_secs_f64(), &labels);
    }

    /// A batch has been answered.
    pub(super) fn batch(&self, model: &Model, batch: &Ran<'_>) {
        let size = batch.size();
        self.passes.add(size as u64, &model.version);
        self.batch_size.record(size as u64, &model.name);
        self.batch_fill.record(size as f64 / batch.most.max(1) as f64, &model.name);
        self.forward.record(batch.took.as_secs_f64(), &model.name);
    }

    /// Passes were announced and not run.
    pub(crate) fn saved(&self, reason: Saved, passes: u64) {
        self.saved.add(passes, &[KeyValue::new("reason", reason.word())]);
    }

    /// Requests were refused before their first pass.
    pub(crate) fn rejected(&self, reason: Reject, requests: u64) {
        self.rejects.add(requests, &[KeyValue::new("reason", reason.word())]);
    }

    /// An adversarial fill was asked for.
    pub(crate) fn filled(&self, by: Paid) {
        self.fill_requests.add(1, &[KeyValue::new("result", paid(by))]);
    }

    /// Searches have ended.
    pub(crate) fn searched(&self, fill: &'static str, flipped: bool, searches: u64) {
        let flipped = KeyValue::new("flipped", if flipped { "true" } else { "false" });
        self.fill_searches.add(searches, &[KeyValue::new("fill", fill), flipped]);
    }

    /// Explanations were made.
    pub(crate) fn explained(&self, method: &'static str, why: Ended, explanations: u64) {
        let labels = [KeyValue::new("method", method), KeyValue::new("ended", ended(why))];
        self.explanations.add(explanations, &labels);
    }

    /// A model serves.
    pub(crate) fn loaded(&self, took: Duration) {
        self.loads.add(1, &[KeyValue::new("result", "ok")]);
        self.load_seconds.record(took.as_secs_f64(), &[]);
    }

    /// A model was refused.
    pub(crate) fn refused(&self) {
        self.loads.add(1, &[KeyValue::new("result", "refused")]);
    }
}
