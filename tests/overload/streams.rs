//! Streams of many pictures, which wait for what they need and never take more than their share.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use unmask_protocol::v1::evaluate_dataset_request::Kind as Asked;
use unmask_protocol::v1::evaluate_dataset_response::Kind as Answered;
use unmask_protocol::v1::{self, dataset_item};
use unmask_tests::started::Started;
use unmask_tests::until;

use super::{masks, plan};

/// Until something has to have happened; the bound only keeps a broken test from hanging.
const LONG: Duration = unmask_tests::PATIENCE;

fn asked(id: &str, kind: Option<dataset_item::Kind>) -> v1::EvaluateDatasetRequest {
    v1::EvaluateDatasetRequest { kind: Some(Asked::Item(v1::DatasetItem { id: id.into(), kind })) }
}

fn picture(id: usize) -> v1::EvaluateDatasetRequest {
    let picture = v1::DatasetPicture { image: masks(1).image, ..Default::default() };
    asked(&id.to_string(), Some(dataset_item::Kind::Picture(picture)))
}

/// The plan of other tests with so many masks.
fn plan_of(count: u32) -> v1::EvaluateDatasetRequest {
    let mut request = plan();
    let Some(Asked::Plan(v1::DatasetPlan { plan: Some(plan), .. })) = &mut request.kind else {
        unreachable!()
    };
    plan.candidates[0].kind = Some(v1::candidate::Kind::Method(unmask_tests::rise(count)));
    request
}

/// How many rows come until the end.
async fn rows(mut answers: Streaming<v1::EvaluateDatasetResponse>) -> (usize, Result<(), Status>) {
    let mut rows = 0;
    loop {
        match answers.message().await {
            Ok(Some(answer)) => rows += usize::from(matches!(answer.kind, Some(Answered::Row(_)))),
            Ok(None) => return (rows, Ok(())),
            Err(status) => return (rows, Err(status)),
        }
    }
}

async fn send(
    server: &Started,
    requests: Vec<v1::EvaluateDatasetRequest>,
) -> Streaming<v1::EvaluateDatasetResponse> {
    let requests = tokio_stream::iter(requests);
    server.evaluations().await.evaluate_dataset(requests).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_wait_for_a_place_for_passes_and_for_memory() {
    // Of each, a half is for datasets: one place, 200 passes, and memory for one of these pictures.
    for setting in [("server.max_jobs", "2"), ("server.max_passes", "400"), ("image.max_bytes", "2400000")] {
        let server = Started::with(&[setting, ("pool.workers", "1")]).await;
        let requests = std::iter::once(plan()).chain((0..12).map(picture)).collect();
        let (all, most) = server.watched(rows(send(&server, requests).await)).await;
        assert!(all.1.is_ok(), "{setting:?}: {all:?}");
        assert_eq!((all.0, most), (12, 1), "{setting:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_works_on_few_pictures_at_the_same_time() {
    let server = Started::with(&[("pool.workers", "1")]).await;
    let requests = std::iter::once(plan_of(2000)).chain((0..12).map(picture)).collect();
    let answers = send(&server, requests).await;
    until(|| server.service.passes() > 500).await;
    assert!(server.service.waiting().1 <= 4);
    drop(answers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_to_a_full_server_is_told_so_at_once() {
    let server = Started::with(&[("server.max_jobs", "2"), ("pool.workers", "1")]).await;
    let mut client = server.client().await;
    let busy = v1::ExplainRequest { priority: v1::Priority::Bulk.into(), ..masks(100_000) };
    let call = tokio::spawn(async move { client.explain(busy).await });
    until(|| server.service.passes() > 0).await;
    let (rows, ended) =
        tokio::time::timeout(LONG, rows(send(&server, vec![plan(), picture(0)]).await)).await.unwrap();
    assert_eq!((rows, ended.unwrap_err().code()), (0, Code::ResourceExhausted));
    call.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_pictures_take_long_is_not_silent() {
    let server = Started::with(&[("http2.idle_seconds", "1"), ("pool.workers", "1")]).await;
    let (sender, receiver) = mpsc::channel(2);
    sender.try_send(plan_of(5000)).unwrap();
    sender.try_send(picture(0)).unwrap();
    let answers = server.evaluations().await.evaluate_dataset(ReceiverStream::new(receiver)).await;
    let started = std::time::Instant::now();
    let (rows, ended) = tokio::time::timeout(LONG, rows(answers.unwrap().into_inner())).await.unwrap();
    // Once nothing is left to do, it is.
    assert_eq!((rows, ended.unwrap_err().code()), (1, Code::DeadlineExceeded));
    assert!(started.elapsed() > Duration::from_secs(2), "the picture takes longer than a stream may be idle");
    drop(sender);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_items_without_end_is_refused() {
    let server = Started::with(&[]).await;
    let items = (0..20_001).map(|i| asked(&i.to_string(), None));
    let (rows, ended) = rows(send(&server, std::iter::once(plan()).chain(items).collect()).await).await;
    let status = ended.unwrap_err();
    // The one too many is worked on beside the last ones.
    assert_eq!(rows, 20_000);
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().contains("more than 20000 items"), "{status}");
}
