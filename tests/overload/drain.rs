//! A server on its way down.

use std::time::Duration;

use tokio::net::TcpStream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use unmask_protocol::v1;
use unmask_tests::started::Started;
use unmask_tests::{sample, until};

use super::masks;

const LONG: Duration = unmask_tests::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn readiness_falls_first_and_nothing_that_was_accepted_is_lost() {
    let mut server = Started::with(&[("server.max_jobs", "64"), ("drain.grace_seconds", "300")]).await;
    let mut health = HealthClient::new(server.channel().await);
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let serving = watch.message().await.unwrap().unwrap();
    assert_eq!(serving.status(), ServingStatus::Serving);
    let mut calls = Vec::new();
    for _ in 0..50 {
        let mut client = server.client().await;
        calls.push(tokio::spawn(async move { client.explain(masks(128)).await }));
    }
    until(|| server.service.waiting().1 > 20).await;
    server.stop();
    // The watch says so, and ends, so that it keeps nobody waiting.
    let fallen = watch.message().await.unwrap().unwrap();
    assert_eq!(fallen.status(), ServingStatus::NotServing);
    assert_eq!(watch.message().await.unwrap_err().code(), Code::Unavailable);
    let mut answered = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => answered += 1,
            // Turned away at the door, or come when it was shut already: never accepted.
            Err(status) => {
                assert!(matches!(status.code(), Code::ResourceExhausted | Code::Unavailable), "{status}")
            }
        }
    }
    assert!(answered > 20, "{answered}");
    tokio::time::timeout(LONG, server.done).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_down_is_not_connected_to_while_it_finishes_what_it_has() {
    let mut server = Started::with(&[("drain.grace_seconds", "3600")]).await;
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.explain(masks(100_000)).await });
    until(|| server.service.passes() > 0).await;
    server.stop();
    let closed = async { while TcpStream::connect(server.address).await.is_ok() {} };
    tokio::time::timeout(LONG, closed).await.unwrap();
    assert!(!call.is_finished() && !server.done.is_finished());
    call.abort();
    tokio::time::timeout(LONG, server.done).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn for_the_time_of_the_notice_whoever_has_not_heard_is_still_served() {
    let mut server = Started::with(&[("drain.notice_seconds", "3600")]).await;
    let mut health = HealthClient::new(server.channel().await);
    server.stop();
    let status = async |health: &mut HealthClient<_>| {
        health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status()
    };
    let told = async { while status(&mut health).await == ServingStatus::Serving {} };
    tokio::time::timeout(LONG, told).await.unwrap();
    for _ in 0..20 {
        assert!(server.client().await.predict(super::one()).await.is_ok());
    }
    assert!(!server.done.is_finished());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_done_within_the_grace_is_unavailable() {
    let mut server = Started::with(&[("drain.grace_seconds", "1")]).await;
    let mut client = server.client().await;
    // Part of it would be no map.
    let occlusion = v1::Occlusion { grid: Some(64), ..v1::Occlusion::default() };
    let kind = Some(v1::method::Kind::Occlusion(occlusion));
    let method = Some(v1::Method { kind, ..v1::Method::default() });
    let call = v1::ExplainRequest { method, ..masks(1) };
    let call = tokio::spawn(async move { client.explain(call).await });
    until(|| server.service.passes() > 0).await;
    server.stop();
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(status.message(), "this server is shutting down; ask again, and another one answers");
    tokio::time::timeout(LONG, server.done).await.unwrap().unwrap();
    // Its work is taken back and not run to its end for nobody.
    until(|| server.service.waiting() == (0, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_found_something_when_the_grace_ends_is_answered_with_it() {
    // A machine that stands still at the wrong moment may take longer than the margin.
    for _ in 0..10 {
        let mut server = Started::with(&[("drain.grace_seconds", "2")]).await;
        let mut client = server.client().await;
        let call = tokio::spawn(async move { client.explain(masks(100_000)).await });
        // The references and the first round of 128.
        until(|| server.service.passes() > 300).await;
        server.stop();
        let answer = call.await.unwrap();
        tokio::time::timeout(LONG, server.done).await.unwrap().unwrap();
        match answer {
            Ok(answer) => {
                assert_eq!(answer.into_inner().truncated_by(), v1::Truncation::Deadline);
                return;
            }
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
        }
    }
    panic!("it is never answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_gets_the_rows_of_what_was_read_and_is_to_go_on_elsewhere() {
    // There would be time for all of them.
    let mut server = Started::with(&[("drain.grace_seconds", "3600")]).await;
    let plan = v1::EvaluationPlan {
        candidates: vec![v1::Candidate {
            kind: Some(v1::candidate::Kind::Method(unmask_tests::rise(256))),
            ..Default::default()
        }],
        metrics: vec![v1::Metric { kind: Some(v1::metric::Kind::Entropy(v1::Entropy::default())) }],
        ..Default::default()
    };
    let plan = v1::DatasetPlan { plan: Some(plan), ..Default::default() };
    let item = |i: usize| {
        let picture = v1::DatasetPicture { image: sample("astronaut-mouth.png"), ..Default::default() };
        let kind = Some(v1::dataset_item::Kind::Picture(picture));
        v1::evaluate_dataset_request::Kind::Item(v1::DatasetItem { id: i.to_string(), kind })
    };
    let kinds = std::iter::once(v1::evaluate_dataset_request::Kind::Plan(plan)).chain((0..1000).map(item));
    let requests = kinds.map(|kind| v1::EvaluateDatasetRequest { kind: Some(kind) });
    let answers = server.evaluations().await.evaluate_dataset(tokio_stream::iter(requests)).await;
    let mut answers = answers.unwrap().into_inner();
    let mut rows = 0;
    let status = loop {
        match answers.message().await {
            Ok(Some(answer)) => {
                rows += usize::from(matches!(answer.kind, Some(v1::evaluate_dataset_response::Kind::Row(_))));
                if rows == 2 {
                    server.stop();
                }
            }
            Ok(None) => panic!("a summary of a part would pass for one of the whole"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    // Those that were under way or on their way to the client.
    assert!((2..20).contains(&rows), "{rows}");
    tokio::time::timeout(LONG, server.done).await.unwrap().unwrap();
}
