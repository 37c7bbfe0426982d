//! Which spans are recorded: those of a caller who says so, a share of those that begin here, and batches with such a request.

use opentelemetry::trace::{Link, SpanKind, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingResult, ShouldSample};

/// Parent based, and links count as parents: a batch has a trace of its own, which nobody else could decide about.
#[derive(Clone, Debug)]
pub(super) struct Sampling {
    begun_here: Sampler,
}

impl Sampling {
    /// With this share of the traces that begin here.
    pub(super) fn new(ratio: f64) -> Self {
        Self { begun_here: Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))) }
    }
}

impl ShouldSample for Sampling {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let linked = links.iter().any(|link| link.span_context.is_sampled());
        let sampler = if linked { &Sampler::AlwaysOn } else { &self.begun_here };
        sampler.should_sample(parent, trace, name, kind, attributes, links)
    }
}
