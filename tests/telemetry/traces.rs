//! Where a request's time goes, as a collector is told.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tonic::Request;
use unmask_protocol::v1;
use unmask_tests::started::Started;
use unmask_tests::until;

use super::collector::{Collector, attributes};
use super::{masks, one};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A request of a caller that is in a trace, with these flags.
fn traced<T>(message: T, trace: &str, flags: &str) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("traceparent", format!("00-{trace}-{PARENT}-{flags}").parse().unwrap());
    metadata.insert("tracestate", "vendor=value".parse().unwrap());
    request
}

/// Spans of a server that answers what `ask` asks, and then ends: what it has left to send is sent by then.
async fn spans_of(
    collector: &Collector,
    settings: &[(&str, &str)],
    ask: impl AsyncFnOnce(&Started),
) -> Vec<Span> {
    let mut server = Started::with(settings).await;
    ask(&server).await;
    server.stop();
    tokio::time::timeout(unmask_tests::PATIENCE, server.done).await.unwrap().unwrap();
    collector.spans()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_followed_from_its_caller_through_its_steps_to_its_batches() {
    let (collector, endpoint) = Collector::start().await;
    let id = "r-17";
    let explain = async |server: &Started| {
        let message = v1::ExplainRequest { request_id: id.into(), ..masks(256) };
        server.client().await.explain(traced(message, TRACE, "01")).await.unwrap();
    };
    let settings = [("telemetry.otlp_endpoint", endpoint.as_str()), ("telemetry.sample_ratio", "0")];
    let spans = spans_of(&collector, &settings, explain).await;
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();

    let [own] = named("unmask.v1.ExplanationService/Explain")[..] else { panic!("{spans:?}") };
    assert_eq!((hex(&own.trace_id), hex(&own.parent_span_id)), (TRACE.into(), PARENT.into()));
    assert_eq!((own.kind(), own.trace_state.as_str()), (SpanKind::Server, "vendor=value"));
    let said = attributes(&own.attributes);
    assert_eq!(said["rpc.system.name"], "grpc");
    assert_eq!(said["rpc.method"], "unmask.v1.ExplanationService/Explain");
    assert_eq!(said["rpc.response.status_code"], "OK");
    assert_eq!(said["unmask.request_id"], id);
    assert_eq!(own.status.clone().unwrap_or_default().code(), StatusCode::Unset);

    let mut before = own.start_time_unix_nano;
    for name in ["decode", "segment", "fill", "rounds", "fold", "render"] {
        let [step] = named(name)[..] else { panic!("{name}: {spans:?}") };
        assert_eq!((&step.trace_id, &step.parent_span_id), (&own.trace_id, &own.span_id), "{name}");
        assert!(step.start_time_unix_nano >= before && step.end_time_unix_nano <= own.end_time_unix_nano);
        assert!(step.end_time_unix_nano >= step.start_time_unix_nano);
        // Clocks of the calendar and of the process differ by a little.
        before = step.start_time_unix_nano.saturating_sub(1_000_000);
    }
    let batches = named("batch");
    let pictures: u64 =
        batches.iter().map(|b| attributes(&b.attributes)["unmask.batch.size"].parse::<u64>().unwrap()).sum();
    assert_eq!(pictures, 258, "the picture, the fill, and every mask");
    for batch in &batches {
        assert_ne!(batch.trace_id, own.trace_id);
        assert!(batch.parent_span_id.is_empty());
        let [link] = &batch.links[..] else { panic!("{batch:?}") };
        assert_eq!((&link.trace_id, &link.span_id), (&own.trace_id, &own.span_id));
        assert_eq!(attributes(&batch.attributes)["unmask.model"], "selfblend-mobilenetv2");
    }
    assert_eq!(spans.len(), 7 + batches.len());
    let resource = collector.resource();
    assert_eq!(resource["service.name"], "unmask");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_links_to_every_request_in_it_that_is_followed() {
    let (collector, endpoint) = Collector::start().await;
    let traces = ["11111111111111111111111111111111", "22222222222222222222222222222222"];
    let ask = async |server: &Started| {
        let (mut first, mut second) = (server.client().await, server.client().await);
        let long = tokio::spawn(async move { first.explain(traced(masks(20_000), traces[0], "01")).await });
        // It is under way, and for much longer than the other takes.
        until(|| server.service.passes() > 0).await;
        second.explain(traced(masks(512), traces[1], "01")).await.unwrap();
        long.abort();
    };
    let settings = [("telemetry.otlp_endpoint", endpoint.as_str()), ("pool.workers", "1")];
    let spans = spans_of(&collector, &settings, ask).await;
    let both = |span: &&Span| span.name == "batch" && span.links.len() == 2;
    let shared: Vec<_> = spans.iter().filter(both).collect();
    assert!(!shared.is_empty());
    for batch in shared {
        let mut linked: Vec<_> = batch.links.iter().map(|link| hex(&link.trace_id)).collect();
        linked.sort();
        assert_eq!(linked, traces);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_is_not_followed_is_not_and_a_refusal_has_its_status() {
    let (collector, endpoint) = Collector::start().await;
    let ask = async |server: &Started| {
        let mut client = server.client().await;
        client.explain(traced(masks(128), TRACE, "00")).await.unwrap();
        let wrong = v1::PredictRequest { image: b"no picture".to_vec(), ..one() };
        client.predict(wrong).await.unwrap_err();
        client.explain(masks(5000)).await.unwrap_err();
    };
    let settings = [("telemetry.otlp_endpoint", endpoint.as_str()), ("server.max_passes", "1000")];
    let spans = spans_of(&collector, &settings, ask).await;
    assert!(spans.iter().all(|span| hex(&span.trace_id) != TRACE), "{spans:?}");
    let mut told: Vec<_> = spans
        .iter()
        .map(|span| (span.name.as_str(), attributes(&span.attributes)["rpc.response.status_code"].clone()))
        .collect();
    told.sort();
    let wrong = || "INVALID_ARGUMENT".to_owned();
    let names = ["unmask.v1.ExplanationService/Explain", "unmask.v1.ExplanationService/Predict"];
    assert_eq!(told, names.map(|name| (name, wrong())));
    // The client's fault is no error of the server.
    assert!(spans.iter().all(|span| span.status.clone().unwrap_or_default().code() == StatusCode::Unset));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_configuration_nothing_listens_and_nothing_is_sent() {
    let (collector, _) = Collector::start().await;
    let explain = async |server: &Started| {
        assert_eq!(server.admin, None);
        server.client().await.explain(traced(masks(128), TRACE, "01")).await.unwrap();
    };
    assert!(spans_of(&collector, &[], explain).await.is_empty());
    assert!(collector.metrics().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_costs_nobody_an_answer() {
    // A port that nobody listens on any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{gone}");
    let mut server =
        Started::with(&[("telemetry.otlp_endpoint", endpoint.as_str()), ("telemetry.metrics_seconds", "1")])
            .await;
    server.client().await.explain(masks(256)).await.unwrap();
    server.stop();
    tokio::time::timeout(unmask_tests::PATIENCE, server.done).await.unwrap().unwrap();
}
