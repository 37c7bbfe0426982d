//! What is told of a model's batches: counts, and a span with links to the requests in it.

use std::time::SystemTime;

use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanId, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, KeyValue};
use unmask_core::ModelSpec;
use unmask_pool::{Observer, Origin, Ran};

use super::Telemetry;
use super::metrics::Model;

/// Most requests that a batch's span links to.
pub(super) const MOST_LINKS: usize = 128;

/// Told of the batches of one model.
pub(crate) struct Batches {
    telemetry: Telemetry,
    model: Model,
}

impl Batches {
    pub(crate) fn new(telemetry: &Telemetry, spec: &ModelSpec) -> Self {
        Self { telemetry: telemetry.clone(), model: Model::new(spec) }
    }

    /// A span in a trace of its own: a batch belongs to all the requests in it. Where nobody follows any of them there is none.
    fn span(&self, batch: &Ran<'_>) {
        let Some(tracer) = self.telemetry.tracer() else { return };
        let origins = batch.origins(MOST_LINKS);
        if origins.is_empty() {
            return;
        }
        let ended = SystemTime::now();
        let started = ended.checked_sub(batch.took).unwrap_or(ended);
        let span = SpanBuilder::from_name("batch")
            .with_start_time(started)
            .with_attributes([
                KeyValue::new("unmask.batch.size", batch.size() as i64),
                KeyValue::new("unmask.model", self.model.name().value.clone()),
            ])
            .with_links(origins.into_iter().map(link).collect());
        let mut span = span.start_with_context(tracer, &Context::new());
        if !batch.answered {
            span.set_status(Status::error("the session failed"));
        }
        span.end_with_timestamp(ended);
    }
}

impl Observer for Batches {
    fn ran(&self, batch: &Ran<'_>) {
        if batch.answered {
            self.telemetry.metrics().batch(&self.model, batch);
        }
        self.span(batch);
    }
}

fn link(origin: Origin) -> Link {
    let (trace, span) = (TraceId::from(origin.trace), SpanId::from(origin.span));
    Link::with_context(SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default()))
}
