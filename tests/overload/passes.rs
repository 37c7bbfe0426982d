//! Places and passes: who is let in, and who is turned away at once.

use tonic::Code;
use tonic_types::StatusExt as _;
use unmask_protocol::v1::{self, Priority};
use unmask_tests::started::Started;
use unmask_tests::until;

use super::{masks, one};

fn of(priority: Priority, count: u32) -> v1::ExplainRequest {
    v1::ExplainRequest { priority: priority.into(), ..masks(count) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_announces_more_than_there_ever_is_is_refused_before_it_costs_anything() {
    let server = Started::with(&[("server.max_passes", "1000")]).await;
    let mut client = server.client().await;
    for (priority, most) in [(Priority::Interactive, 1000), (Priority::Normal, 875), (Priority::Bulk, 500)] {
        let status = client.explain(of(priority, 2000)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        let said =
            format!("announces 2002 passes, one request of its priority may announce {most}; ask for less");
        assert!(status.message().starts_with(&said), "{status}");
        // A budget is a promise as well.
        let budget = Some(v1::Budget { max_passes: Some(300), ..Default::default() });
        let answer = client.explain(v1::ExplainRequest { budget, ..of(priority, 2000) }).await;
        assert_eq!(answer.unwrap().into_inner().cost.unwrap().announced, 2002);
    }
    let plan = v1::EvaluationPlan {
        candidates: vec![v1::Candidate {
            kind: Some(v1::candidate::Kind::Method(unmask_tests::rise(2000))),
            ..Default::default()
        }],
        metrics: vec![v1::Metric { kind: Some(v1::metric::Kind::Deletion(v1::Deletion::default())) }],
        ..Default::default()
    };
    let mut evaluations = server.evaluations().await;
    let request =
        v1::EvaluateRequest { image: masks(1).image, plan: Some(plan.clone()), ..Default::default() };
    assert_eq!(evaluations.evaluate(request.clone()).await.unwrap_err().code(), Code::InvalidArgument);
    // To ask what it would cost costs nothing.
    assert!(evaluations.evaluate(v1::EvaluateRequest { dry_run: true, ..request }).await.is_ok());
    let message = v1::DatasetPlan { plan: Some(plan), ..Default::default() };
    let first = v1::EvaluateDatasetRequest { kind: Some(v1::evaluate_dataset_request::Kind::Plan(message)) };
    let answers = evaluations.evaluate_dataset(tokio_stream::iter([first])).await;
    let status = answers.unwrap().into_inner().message().await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_less_urgent_are_turned_away_first_and_told_when_to_come_back() {
    let server = Started::with(&[("server.max_passes", "40000"), ("pool.workers", "1")]).await;
    let endless = async |priority, count| {
        let mut client = server.client().await;
        let call = tokio::spawn(async move { client.explain(of(priority, count)).await });
        call.abort_handle()
    };
    let busy = endless(Priority::Bulk, 19_000).await;
    until(|| server.service.passes() > 0).await;
    let mut client = server.client().await;
    let refused = client.explain(of(Priority::Bulk, 2000)).await.unwrap_err();
    let said = "as many passes as this server takes at the same time are waiting; try again later";
    assert_eq!((refused.code(), refused.message()), (Code::ResourceExhausted, said));
    assert!(refused.get_error_details().retry_info().is_some());
    let more = endless(Priority::Normal, 15_000).await;
    until(|| server.service.waiting().1 == 2).await;
    assert_eq!(client.explain(of(Priority::Normal, 2000)).await.unwrap_err().code(), Code::ResourceExhausted);
    assert!(client.explain(of(Priority::Interactive, 200)).await.is_ok());
    // Whoever leaves makes room.
    more.abort();
    until(|| server.service.waiting().1 == 1).await;
    assert!(client.explain(of(Priority::Normal, 200)).await.is_ok());
    busy.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_job_gets_its_share_beside_a_large_one() {
    let server = Started::with(&[("pool.workers", "1")]).await;
    let mut busy = server.client().await;
    let large = tokio::spawn(async move { busy.explain(of(Priority::Bulk, 100_000)).await });
    until(|| server.service.passes() > 500).await;
    let before = server.service.passes();
    let answer = server.client().await.explain(of(Priority::Interactive, 400)).await.unwrap().into_inner();
    let passed = server.service.passes() - before;
    // Weights 16 and 1: beside 402 passes of its own the small job waits for about 25 of the large one's, and for what was under
    // way when it came.
    assert_eq!(answer.cost.unwrap().run, 402);
    assert!((402..=402 + 25 + 64).contains(&passed), "{passed}");
    large.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_times_too_many_are_each_answered_once_and_at_once() {
    let server = Started::with(&[("server.max_jobs", "8"), ("pool.workers", "1")]).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(server.client().await);
    }
    let mut calls = Vec::new();
    for i in 0..400u32 {
        let mut client = clients[i as usize % 8].clone();
        calls.push(tokio::spawn(async move {
            client.explain(masks(128)).await.map(|answer| answer.into_inner())
        }));
    }
    let (mut answered, mut refused) = (0, 0);
    let mut digests = std::collections::BTreeSet::new();
    for call in calls {
        match call.await.unwrap() {
            Ok(answer) => {
                answered += 1;
                digests.insert(answer.map.unwrap().sha256);
            }
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
                refused += 1;
            }
        }
    }
    assert!(answered >= 7 && refused > 0, "{answered} answered, {refused} refused");
    assert_eq!(digests.len(), 1);
    assert_eq!(server.service.waiting(), (0, 0));
    assert!(server.client().await.predict(one()).await.is_ok());
}
