//! The spans of a request: where its time goes, for whoever follows it through several services.
//!
//! They are made here and not of the log's lines: a filter of the log drops no span, and what leaves the process is said in one
//! place. A request that nobody follows has no spans at all.

use std::time::{Instant, SystemTime};

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{Span as _, SpanBuilder, Status, TraceContextExt as _, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, Span};
use unmask_pool::Origin;

/// A request's place in a trace. Clones are of the same one.
#[derive(Clone, Default)]
pub(crate) struct Trace {
    id: Option<TraceId>,
    followed: Option<Followed>,
}

/// The span below which others are made, and what makes them.
#[derive(Clone)]
struct Followed {
    tracer: SdkTracer,
    own: Context,
}

impl Trace {
    /// The trace that the caller is in, without spans.
    pub(super) fn of_caller(caller: &Context) -> Self {
        let id = caller.span().span_context().trace_id();
        Self { id: (id != TraceId::INVALID).then_some(id), followed: None }
    }

    /// Below this span; it is followed where it is recorded.
    pub(super) fn below(tracer: &SdkTracer, span: Span) -> Self {
        let (id, recorded) = (span.span_context().trace_id(), span.is_recording());
        let followed =
            recorded.then(|| Followed { tracer: tracer.clone(), own: Context::new().with_span(span) });
        Self { id: Some(id), followed }
    }

    /// The trace's id in hexadecimal, as lines of the log carry it.
    pub(crate) fn id(&self) -> Option<String> {
        self.id.map(|id| id.to_string())
    }

    /// Where passes of this request come from, where it is followed.
    pub(crate) fn origin(&self) -> Option<Origin> {
        let own = self.followed.as_ref()?.own.span().span_context().clone();
        let trace = u128::from_be_bytes(own.trace_id().to_bytes());
        Some(Origin { trace, span: u64::from_be_bytes(own.span_id().to_bytes()) })
    }

    /// Says something of the request itself.
    pub(crate) fn says(&self, what: impl FnOnce() -> KeyValue) {
        if let Some(followed) = &self.followed {
            followed.own.span().set_attribute(what());
        }
    }

    /// Ends the request's own span.
    pub(super) fn end(&self, status: Status, what: KeyValue) {
        if let Some(Followed { own, .. }) = &self.followed {
            own.span().set_attribute(what);
            own.span().set_status(status);
            own.span().end();
        }
    }

    /// A step of the work, in the log's lines and as a span.
    pub(crate) fn step<T, E>(&self, name: &'static str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let _line = tracing::info_span!("step", name).entered();
        let span = self.begin(name, SystemTime::now());
        let done = work();
        end(span, SystemTime::now(), done.is_ok());
        done
    }

    /// A step that was seen only when it was over.
    pub(crate) fn past(&self, name: &'static str, from: Instant, to: Instant, went_well: bool) {
        if self.followed.is_some() {
            end(self.begin(name, at(from)), at(to), went_well);
        }
    }

    fn begin(&self, name: &'static str, from: SystemTime) -> Option<Span> {
        let Followed { tracer, own } = self.followed.as_ref()?;
        Some(SpanBuilder::from_name(name).with_start_time(from).start_with_context(tracer, own))
    }
}

fn end(span: Option<Span>, at: SystemTime, went_well: bool) {
    if let Some(mut span) = span {
        if !went_well {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(at);
    }
}

/// What the calendar's clock said then.
fn at(then: Instant) -> SystemTime {
    let now = SystemTime::now();
    now.checked_sub(then.elapsed()).unwrap_or(now)
}

/// The caller's place in a trace, as `traceparent` and `tracestate` tell it (W3C Trace Context).
pub(super) fn caller(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers))
}

/// Bytes of a `tracestate` that are to be passed on (W3C Trace Context, section 3.3.1.5).
const LONGEST: usize = 512;

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        // Every span carries a state on: one that is longer than propagators have to keep is left out.
        self.0.get(key)?.to_str().ok().filter(|value| value.len() <= LONGEST)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_trace_is_known_even_where_nothing_is_recorded() {
        let read = |text: &str| {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("traceparent"),
                text.parse::<http::HeaderValue>().unwrap(),
            )]);
            Trace::of_caller(&caller(&headers)).id()
        };
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(read(&format!("00-{id}-00f067aa0ba902b7-00")).as_deref(), Some(id));
        for nonsense in ["", "x", &format!("00-{id}-0000000000000000-01"), &format!("00-{id}")] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_request_that_nobody_follows_works_all_the_same() {
        let trace = Trace::default();
        assert_eq!(trace.step("decode", || Ok::<_, ()>(7)), Ok(7));
        assert!(trace.origin().is_none());
    }
}
