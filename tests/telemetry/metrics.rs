//! Exact counts after known requests.

use tonic::Code;
use unmask_protocol::v1;
use unmask_tests::started::Started;
use unmask_tests::{model, until};

use super::collector::Collector;
use super::scrape::Scrape;
use super::{ADMIN, masks, one};

const MODEL: &str = "selfblend-mobilenetv2";

fn calls(method: &str, code: &str) -> String {
    format!(
        "rpc_server_call_duration_seconds_count{{rpc_method=\"unmask.v1.{method}\",rpc_response_status_code=\"{code}\"}}"
    )
}

fn adversarial() -> Option<v1::Fill> {
    Some(v1::Fill { kind: Some(v1::fill::Kind::Adversarial(v1::AdversarialFill::default())) })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pass_refusal_and_request_is_counted_once() {
    let server = Started::with(&[ADMIN, ("server.max_passes", "10000")]).await;
    let admin = server.admin.unwrap();
    let before = Scrape::of(admin).await;
    assert_eq!(before.sum("unmask_rejects_total") + before.sum("unmask_explanations_total"), 0.0);
    let mut client = server.client().await;
    client.predict(one()).await.unwrap();
    client.predict(one()).await.unwrap();
    let answer = client.explain(masks(300)).await.unwrap().into_inner();
    let budget = Some(v1::Budget { max_passes: Some(200), ..Default::default() });
    let short = client.explain(v1::ExplainRequest { budget, ..masks(300) }).await.unwrap().into_inner();
    let wrong = v1::PredictRequest { image: b"no picture".to_vec(), ..one() };
    assert_eq!(client.predict(wrong).await.unwrap_err().code(), Code::InvalidArgument);
    let nowhere = v1::PredictRequest { model: model("nowhere"), ..one() };
    assert_eq!(client.predict(nowhere).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(client.explain(masks(100_000)).await.unwrap_err().code(), Code::InvalidArgument);
    // Twice the same search: the second is kept.
    let search = v1::ExplainRequest { fill: adversarial(), ..masks(128) };
    let first = client.explain(search.clone()).await.unwrap().into_inner();
    let second = client.explain(search).await.unwrap().into_inner();
    let costs = [&answer, &short, &first, &second].map(|answer| answer.cost.clone().unwrap());
    let run = 2 + costs.iter().map(|cost| cost.run).sum::<u64>();

    let seen = Scrape::of(admin).await;
    let passes = format!("unmask_passes_total{{model=\"{MODEL}\",version=\"1\"}}");
    assert_eq!(seen.value(&passes), run as f64);
    assert_eq!(seen.value(&format!("unmask_batch_size_sum{{model=\"{MODEL}\"}}")), run as f64);
    let batches = seen.value(&format!("unmask_batch_size_count{{model=\"{MODEL}\"}}"));
    assert_eq!(seen.value(&format!("unmask_batch_fill_ratio_count{{model=\"{MODEL}\"}}")), batches);
    assert_eq!(seen.value(&format!("unmask_forward_duration_seconds_count{{model=\"{MODEL}\"}}")), batches);
    let saved: u64 = costs.iter().flat_map(|cost| &cost.saved).map(|saving| saving.passes).sum();
    assert_eq!(seen.sum("unmask_passes_saved_total"), saved as f64);
    let cached: u64 = costs[3]
        .saved
        .iter()
        .filter(|saving| saving.reason() == v1::SavingReason::Cached)
        .map(|saving| saving.passes)
        .sum();
    assert!(cached > 0);
    assert_eq!(seen.value("unmask_passes_saved_total{reason=\"cached\"}"), cached as f64);
    for (reason, count) in [("invalid", 2.0), ("too_dear", 1.0), ("places", 0.0), ("unauthenticated", 0.0)] {
        assert_eq!(seen.value(&format!("unmask_rejects_total{{reason=\"{reason}\"}}")), count, "{reason}");
    }
    for (method, code, count) in [
        ("ExplanationService/Predict", "OK", 2.0),
        ("ExplanationService/Predict", "INVALID_ARGUMENT", 1.0),
        ("ExplanationService/Predict", "NOT_FOUND", 1.0),
        ("ExplanationService/Explain", "OK", 4.0),
        ("ExplanationService/Explain", "INVALID_ARGUMENT", 1.0),
    ] {
        assert_eq!(seen.value(&calls(method, code)), count, "{method} {code}");
    }
    assert_eq!(seen.sum("rpc_server_call_duration_seconds_count"), 9.0);
    for (labels, count) in [("ended=\"all\",method=\"rise\"", 3.0), ("ended=\"budget\",method=\"rise\"", 1.0)]
    {
        assert_eq!(seen.value(&format!("unmask_explanations_total{{{labels}}}")), count, "{labels}");
    }
    assert_eq!(seen.value("unmask_fill_requests_total{result=\"searched\"}"), 1.0);
    assert_eq!(seen.value("unmask_fill_requests_total{result=\"cached\"}"), 1.0);
    assert_eq!(seen.sum("unmask_fill_searches_total"), 1.0);
    assert_eq!(seen.value("unmask_model_loads_total{result=\"ok\"}"), 1.0);
    assert_eq!(seen.value("unmask_models{state=\"loaded\"}"), 1.0);
    assert_eq!(seen.value(&format!("unmask_queue_depth{{model=\"{MODEL}\"}}")), 0.0);
    assert_eq!(seen.value(&format!("unmask_queue_age_seconds{{model=\"{MODEL}\"}}")), 0.0);
    let workers = seen.value(&format!("unmask_workers{{model=\"{MODEL}\",state=\"up\"}}"));
    assert!(workers >= 1.0 && seen.sum("unmask_workers") == workers);
    assert_eq!(seen.value("unmask_requests_active"), 0.0);
    assert_eq!(seen.value("unmask_audit_lost_total"), 0.0);
    assert_eq!(seen.sum("unmask_build_info"), 1.0);
    assert!(seen.value("process_resident_memory_bytes") > 1e7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_a_dataset_that_is_refused_is_counted() {
    use v1::evaluate_dataset_request::Kind;
    let server = Started::with(&[ADMIN]).await;
    let method = v1::candidate::Kind::Method(masks(128).method.unwrap());
    let plan = v1::EvaluationPlan {
        candidates: vec![v1::Candidate { kind: Some(method), ..Default::default() }],
        metrics: vec![v1::Metric { kind: Some(v1::metric::Kind::Sparseness(v1::Sparseness {})) }],
        ..Default::default()
    };
    let plan = Kind::Plan(v1::DatasetPlan { plan: Some(plan), ..Default::default() });
    let picture = |id: &str, image: Vec<u8>| {
        let picture = v1::DatasetPicture { image, ..Default::default() };
        Kind::Item(v1::DatasetItem { id: id.into(), kind: Some(v1::dataset_item::Kind::Picture(picture)) })
    };
    let asked = [plan, picture("a", one().image), picture("b", b"no picture".to_vec())];
    let asked = asked.map(|kind| v1::EvaluateDatasetRequest { kind: Some(kind) });
    let mut client = server.evaluations().await;
    let mut answers = client.evaluate_dataset(tokio_stream::iter(asked)).await.unwrap().into_inner();
    while answers.message().await.unwrap().is_some() {}
    let seen = Scrape::of(server.admin.unwrap()).await;
    assert_eq!(seen.value("unmask_rejects_total{reason=\"invalid\"}"), 1.0);
    assert_eq!(seen.sum("unmask_rejects_total"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_seen_and_what_nobody_waits_for_any_more_is_saved() {
    let server = Started::with(&[ADMIN, ("pool.workers", "1")]).await;
    let admin = server.admin.unwrap();
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.explain(masks(100_000)).await });
    until(|| server.service.passes() > 20).await;
    let seen = Scrape::of(admin).await;
    assert_eq!(seen.value("unmask_requests_active"), 1.0);
    assert!(seen.value(&format!("unmask_queue_depth{{model=\"{MODEL}\"}}")) > 8.0);
    assert!(seen.value(&format!("unmask_queue_age_seconds{{model=\"{MODEL}\"}}")) > 0.0);
    call.abort();
    until(|| server.service.waiting() == (0, 0)).await;
    let saved = async {
        loop {
            let seen = Scrape::of(admin).await;
            let saved = seen.value("unmask_passes_saved_total{reason=\"cancelled\"}");
            if saved > 0.0 && seen.sum("rpc_server_call_duration_seconds_count") > 0.0 {
                break seen;
            }
        }
    };
    let seen = tokio::time::timeout(unmask_tests::PATIENCE, saved).await.unwrap();
    assert_eq!(seen.value(&calls("ExplanationService/Explain", "CANCELLED")), 1.0);
    let all = seen.value("unmask_passes_saved_total{reason=\"cancelled\"}") + seen.sum("unmask_passes_total");
    // Batches that were under way then are run to their end, for nobody.
    assert!((100_002.0..100_066.0).contains(&all), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_label_holds_what_a_caller_said() {
    let server = Started::with(&[ADMIN]).await;
    let mut client = server.client().await;
    let request_id = "a-word-of-the-caller".to_owned();
    let request = v1::ExplainRequest { request_id, fill: adversarial(), ..masks(128) };
    let answer = client.explain(request).await.unwrap().into_inner();
    let nowhere = v1::PredictRequest { model: model("another-word-of-the-caller"), ..one() };
    client.predict(nowhere).await.unwrap_err();
    let unknown = http::uri::PathAndQuery::from_static("/unmask.v1.ExplanationService/AWordOfTheCaller");
    let mut raw = tonic::client::Grpc::new(server.channel().await);
    raw.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<v1::PredictRequest, v1::PredictResponse>::default();
    let refused = raw.unary(tonic::Request::new(one()), unknown, codec).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unimplemented);
    let seen = Scrape::of(server.admin.unwrap()).await;
    assert_eq!(seen.sum("rpc_server_call_duration_seconds_count"), 3.0);
    let digest = answer.model.unwrap().sha256;
    for (name, value) in seen.labels() {
        let own = !value.contains("caller") && !value.contains("AWord") && !value.contains(&digest[..12]);
        assert!(own, "{name} = {value}");
        let hexadecimal = value.len() >= 32 && value.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        assert!(!hexadecimal, "{name} = {value} may be a digest or an id");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_pushed_where_that_is_wanted() {
    let (collector, endpoint) = Collector::start().await;
    let settings = [("telemetry.otlp_endpoint", endpoint.as_str()), ("telemetry.metrics_seconds", "1")];
    let mut server = Started::with(&settings).await;
    server.client().await.predict(one()).await.unwrap();
    server.stop();
    server.done.await.unwrap();
    let names = collector.metrics();
    for name in ["rpc.server.call.duration", "unmask.passes", "unmask.batch.size", "unmask.queue.age"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
}
