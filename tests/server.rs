//! The server behind its socket: limits, health, reflection, clients that leave, shutdown.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use unmask_protocol::v1;
use unmask_tests::started::Started;
use unmask_tests::{request, rise, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_limit_is_resource_exhausted_with_the_limit() {
    let server = Started::with(&[("server.max_message_bytes", "100000")]).await;
    let wrong = v1::ExplainRequest { image: vec![0; 200_000], ..v1::ExplainRequest::default() };
    let status = server.client().await.explain(wrong).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().contains("100000"), "{status}");
    assert_eq!(server.service.passes(), 0);
    assert!(server.client().await.explain(request()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_answer_fits_the_usual_client_limit() {
    let server = Started::with(&[]).await;
    let outputs = vec![v1::Output::HeatMap.into(), v1::Output::Overlay.into()];
    let answer = server
        .client()
        .await
        .explain(v1::ExplainRequest { outputs, ..request() })
        .await
        .unwrap()
        .into_inner();
    assert!(answer.overlay_png.starts_with(b"\x89PNG") && answer.heat_map_png.starts_with(b"\x89PNG"));
    assert_eq!(answer.regions.len(), 5);
    assert_eq!(answer.map.unwrap().values.len(), 4 * 128 * 128);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_id_comes_back_or_is_made() {
    let server = Started::with(&[]).await;
    let request =
        |id: &str| v1::PredictRequest { request_id: id.into(), image: request().image, ..Default::default() };
    let given = server.client().await.predict(request("case 17")).await.unwrap().into_inner();
    assert_eq!(given.request_id, "case 17");
    let made = server.client().await.predict(request("")).await.unwrap().into_inner();
    assert_eq!(made.request_id.len(), 36);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_are_served() {
    let server = Started::with(&[]).await;
    for service in ["", "unmask.v1.ExplanationService", "unmask.v1.ModelService"] {
        let request = HealthCheckRequest { service: service.into() };
        let answer = HealthClient::new(server.channel().await).check(request).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving, "{service}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_stops_its_work() {
    let server = Started::with(&[("pool.workers", "1")]).await;
    let endless = v1::ExplainRequest { method: Some(rise(100_000)), ..request() };
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.explain(endless).await });
    until(|| server.service.passes() > 0).await;
    call.abort();
    until(|| server.service.waiting() == (0, 0)).await;
    assert!(server.service.passes() < 100_000);
    assert!(server.client().await.explain(request()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_gives_the_map_so_far_and_says_so() {
    let server = Started::with(&[]).await;
    let mut endless = Request::new(v1::ExplainRequest { method: Some(rise(100_000)), ..request() });
    endless.set_timeout(Duration::from_secs(3));
    let answer = server.client().await.explain(endless).await.unwrap().into_inner();
    let cost = answer.cost.unwrap();
    assert_eq!(cost.saved[0].reason(), v1::SavingReason::Deadline);
    assert_eq!(cost.announced, cost.run + cost.saved[0].passes);
    assert!(answer.warnings.iter().any(|w| w.starts_with("the deadline ended the explanation")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_says_so_and_when_to_come_back() {
    let server = Started::with(&[("server.max_jobs", "1"), ("pool.workers", "1")]).await;
    let endless = v1::ExplainRequest { method: Some(rise(100_000)), ..request() };
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.explain(endless).await });
    until(|| server.service.passes() > 0).await;
    let status = server.client().await.explain(request()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    let full = "as many requests as this server takes at the same time are being worked on; try again later";
    assert_eq!(status.message(), full);
    call.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_finishes_what_is_open() {
    let mut server = Started::with(&[]).await;
    let mut client = server.client().await;
    let call = tokio::spawn(async move {
        client.explain(v1::ExplainRequest { method: Some(rise(1000)), ..request() }).await
    });
    until(|| server.service.passes() > 0).await;
    server.stop();
    assert!(call.await.unwrap().is_ok());
    server.done.await.unwrap();
}
