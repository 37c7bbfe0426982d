//! Deadlines are the server's own matter: whoever is late is told so, and not that it has cancelled.

use std::time::Duration;

use tonic::{Code, Request};
use unmask_protocol::v1;
use unmask_protocol::v1::evaluation_service_client::EvaluationServiceClient;
use unmask_tests::started::Started;
use unmask_tests::until;

use super::raw::{EXPLAIN, Raw, prefix, status};
use super::{masks, plan};

fn within<T>(message: T, time: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(time);
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_is_over_before_anything_is_folded_is_deadline_exceeded() {
    let server = Started::with(&[("server.max_jobs", "1")]).await;
    let mut other = server.client().await;
    // Quickshift cuts a picture in one go, longer than this; the client waits on, and hears it from the server.
    let mut raw = Raw::connect(server.address).await;
    let kind = v1::segmentation::Kind::Quickshift(v1::QuickshiftSegmentation::default());
    let segmentation = Some(v1::Segmentation { kind: Some(kind) });
    let message = prost::Message::encode_to_vec(&v1::ExplainRequest { segmentation, ..masks(4000) });
    let (response, mut body) = raw.open_within(EXPLAIN, "20m").await.unwrap();
    body.send_data(prefix(0, message.len() as u32), false).unwrap();
    body.send_data(message.into(), true).unwrap();
    let (code, said) = status(response).await;
    assert_eq!(code, Code::DeadlineExceeded, "{said}");
    // Nobody has waited for the end of the work, which has its place until then.
    assert_eq!(other.predict(super::one()).await.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_holds_while_a_message_is_on_its_way() {
    let server = Started::with(&[]).await;
    let mut raw = Raw::connect(server.address).await;
    let (response, mut body) = raw.open_within(EXPLAIN, "100m").await.unwrap();
    body.send_data(prefix(0, 1000), false).unwrap();
    assert_eq!(status(response).await.0, Code::DeadlineExceeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_cannot_be_read_is_refused_and_not_taken_for_none() {
    let server = Started::with(&[]).await;
    let mut raw = Raw::connect(server.address).await;
    let (response, _body) = raw.open_within(EXPLAIN, "5 seconds").await.unwrap();
    let said = "grpc-timeout: got \"5 seconds\", allowed are one to eight digits and one of H, M, S, m, u, n";
    assert_eq!(status(response).await, (Code::InvalidArgument, said.replace(' ', "%20").replace('"', "%22")));
}

/// A plan, and then nothing for ever.
fn silent() -> impl tokio_stream::Stream<Item = v1::EvaluateDatasetRequest> + Send {
    tokio_stream::StreamExt::chain(tokio_stream::iter([plan()]), tokio_stream::pending())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_silent_is_ended() {
    let server = Started::with(&[("http2.idle_seconds", "1")]).await;
    let answers = server.evaluations().await.evaluate_dataset(silent()).await;
    let status = answers.unwrap().into_inner().message().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(status.message().starts_with("no item has come for too long"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_late_ends_as_late() {
    let server = Started::with(&[]).await;
    let request = within(silent(), Duration::from_millis(300));
    let answers = server.evaluations().await.evaluate_dataset(request).await;
    let status = answers.unwrap().into_inner().message().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_its_rows_keeps_nobody_out_and_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.jsonl");
    let settings =
        [("server.max_jobs", "2"), ("http2.idle_seconds", "2"), ("audit.file", file.to_str().unwrap())];
    let server = Started::with(&settings).await;
    let mut deaf = EvaluationServiceClient::new(server.deaf().await);
    let item = |i: usize| {
        let picture = v1::DatasetPicture { image: masks(1).image, ..Default::default() };
        let kind = Some(v1::dataset_item::Kind::Picture(picture));
        v1::evaluate_dataset_request::Kind::Item(v1::DatasetItem { id: i.to_string(), kind })
    };
    let items = (0..200).map(item).map(|kind| v1::EvaluateDatasetRequest { kind: Some(kind) });
    let requests = tokio_stream::iter(std::iter::once(plan()).chain(items));
    let answers = deaf.evaluate_dataset(requests).await.unwrap();
    until(|| server.service.passes() > 0).await;
    until(|| server.service.waiting() == (0, 0)).await;
    for _ in 0..4 {
        assert!(server.client().await.predict(super::one()).await.is_ok());
    }
    // The end of the stream is on record, though its client does not read it.
    let ended = || {
        let records = std::fs::read_to_string(&file).unwrap();
        records
            .lines()
            .any(|line| line.contains("\"evaluate_dataset\"") && line.contains("\"DEADLINE_EXCEEDED\""))
    };
    until(ended).await;
    drop(answers);
}
