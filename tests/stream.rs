//! Explanations that are told of while they run.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use tokio_stream::StreamExt as _;
use tonic::{Code, Request, Status};
use unmask_protocol::v1::explain_stream_response::Kind;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::v1::{self, Truncation, method};
use unmask_server::{Service, status_of};
use unmask_tests::started::Started;
use unmask_tests::{PATIENCE, Root, explain, request, rise, until};

/// All that a stream says, as often as it can.
async fn told(service: &Service, request: v1::ExplainRequest) -> Result<Vec<Kind>, Status> {
    let request = v1::ExplainStreamRequest { request: Some(request), map_every_ms: Some(10) };
    let answers = service.explain_stream(Request::new(request)).await?.into_inner();
    let answers: Vec<_> = answers.collect().await;
    answers.into_iter().map(|answer| Ok(answer?.kind.unwrap())).collect()
}

fn of(kind: method::Kind) -> v1::ExplainRequest {
    v1::ExplainRequest { method: Some(v1::Method { kind: Some(kind), preset: String::new() }), ..request() }
}

fn partials(told: &[Kind]) -> Vec<&v1::PartialExplanation> {
    let partial = |kind: &'_ Kind| matches!(kind, Kind::Partial(_));
    told.iter()
        .filter(|kind| partial(kind))
        .map(|kind| match kind {
            Kind::Partial(partial) => partial,
            Kind::Progress(_) | Kind::Answer(_) => unreachable!("they were left out"),
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_after_so_many_passes_is_what_a_budget_of_as_many_gives() {
    let service = Root::new(&[]).service(&[]);
    let lime = method::Kind::Lime(v1::Lime { samples: Some(800), ..Default::default() });
    let shap = method::Kind::KernelShap(v1::KernelShap { samples: Some(800), ..Default::default() });
    let sobol = method::Kind::Sobol(v1::Sobol { design: Some(16), ..Default::default() });
    let halves =
        method::Kind::PartitionShap(v1::PartitionShap { evaluations: Some(800), ..Default::default() });
    let adversarial = v1::fill::Kind::Adversarial(v1::AdversarialFill::default());
    let searched = v1::ExplainRequest {
        method: Some(rise(800)),
        fill: Some(v1::Fill { kind: Some(adversarial) }),
        ..request()
    };
    let plain = v1::ExplainRequest { method: Some(rise(800)), ..request() };
    for asked in [plain, searched, of(lime), of(shap), of(sobol), of(halves)] {
        let told = told(&service, asked.clone()).await.unwrap();
        let Some(Kind::Answer(last)) = told.last() else { panic!("{:?} has no answer", asked.method) };
        let whole = explain(&service, asked.clone()).await.unwrap();
        assert!(last.map == whole.map && last.regions == whole.regions, "{:?}", asked.method);
        let partials = partials(&told);
        assert!(!partials.is_empty(), "{:?}", asked.method);
        // The first, the last and one between.
        for partial in [partials[0], partials[partials.len() / 2], partials[partials.len() - 1]] {
            let budget = Some(v1::Budget { max_passes: Some(partial.used), ..Default::default() });
            let cut = explain(&service, v1::ExplainRequest { budget, ..asked.clone() }).await.unwrap();
            let at = (asked.method.as_ref(), partial.used);
            assert!(cut.map == partial.map && cut.regions == partial.regions, "{at:?}");
            assert_eq!(
                (cut.error, cut.figures, cut.reading),
                (partial.error, partial.figures, partial.reading)
            );
            assert_eq!(cut.cost.unwrap().used, partial.used, "{at:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_rises_to_what_is_expected_and_an_error_that_is_enough_ends_it() {
    let service = Root::new(&[]).service(&[]);
    let budget = Some(v1::Budget { target_error: Some(0.08), ..Default::default() });
    let asked = v1::ExplainRequest { method: Some(rise(20_000)), budget, ..request() };
    let told = told(&service, asked).await.unwrap();
    let progress = told.iter().filter_map(|kind| match kind {
        Kind::Progress(progress) => Some((progress.used, progress.expected, progress.remaining_ms.unwrap())),
        Kind::Partial(_) | Kind::Answer(_) => None,
    });
    let progress: Vec<_> = progress.collect();
    assert!(progress.is_sorted_by_key(|(used, ..)| *used) && progress.len() > 2, "{progress:?}");
    assert!(progress.iter().all(|(used, expected, remaining)| used <= expected && *remaining >= 0.0));
    let Some(Kind::Answer(answer)) = told.last() else { panic!("no answer") };
    assert!(answer.converged && answer.error.unwrap() <= 0.08);
    let used = answer.cost.as_ref().unwrap().used;
    // The forecast was in the right order, long before the end.
    let (_, forecast, _) = progress[progress.len() / 2];
    assert!((used / 3..=used * 3).contains(&forecast), "{forecast} {used}");
    let first = partials(&told)[0].error.unwrap();
    assert!(first > answer.error.unwrap(), "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_request_is_told_by_its_fields_and_costs_nothing() {
    let service = Root::new(&[]).service(&[]);
    let wrong = v1::ExplainRequest { image: b"words".to_vec(), top_regions: Some(65), ..request() };
    let wrong = v1::ExplainStreamRequest { request: Some(wrong), map_every_ms: Some(9) };
    let mut answers = service.explain_stream(Request::new(wrong)).await.unwrap().into_inner();
    let status = answers.next().await.unwrap().unwrap_err();
    let (code, message, fields) = status_of(&status);
    let fields: Vec<&str> = fields.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(code, Code::InvalidArgument);
    assert_eq!(fields, ["request.image", "request.top_regions", "map_every_ms"], "{message}");
    assert!(answers.next().await.is_none());
    let nothing = v1::ExplainStreamRequest::default();
    let mut answers = service.explain_stream(Request::new(nothing)).await.unwrap().into_inner();
    assert!(answers.next().await.unwrap().unwrap_err().message().contains("request.image"));
    assert_eq!(service.passes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_frees_the_place_and_whoever_does_not_read_holds_no_worker() {
    let server = Started::with(&[("http2.idle_seconds", "1")]).await;
    let asked = |masks| {
        let asked = v1::ExplainRequest { method: Some(rise(masks)), ..request() };
        v1::ExplainStreamRequest { request: Some(asked), map_every_ms: Some(10) }
    };
    let mut client = server.client().await;
    let mut answers = client.explain_stream(asked(100_000)).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().is_some());
    drop(answers);
    until(|| server.service.waiting() == (0, 0)).await;
    assert!(server.service.passes() < 50_000, "it did not run to its end for nobody");

    // Not a single message is read. It runs to its end, or until it is clear that nobody reads.
    let unread = client.explain_stream(asked(3000)).await.unwrap();
    until(|| server.service.waiting().1 == 1).await;
    until(|| server.service.waiting() == (0, 0)).await;
    drop(unread);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_a_stream_with_what_there_is() {
    let server = Started::with(&[]).await;
    let asked = v1::ExplainRequest { method: Some(rise(100_000)), ..request() };
    let asked = v1::ExplainStreamRequest { request: Some(asked), map_every_ms: None };
    let mut client = server.client().await;
    let mut seconds = 4;
    let answer = loop {
        let mut request = Request::new(asked.clone());
        request.set_timeout(Duration::from_secs(seconds));
        let mut answers = client.explain_stream(request).await.unwrap().into_inner();
        let read = async {
            loop {
                match answers.message().await {
                    Ok(Some(v1::ExplainStreamResponse { kind: Some(Kind::Answer(answer)) })) => {
                        break Ok(answer);
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("the stream ended without an answer"),
                    Err(status) => break Err(status),
                }
            }
        };
        match tokio::time::timeout(PATIENCE, read).await.unwrap() {
            Ok(answer) => break answer,
            // A machine that does much else may need more time for the first round.
            Err(status) => assert!(seconds < 100, "{status}"),
        }
        seconds *= 2;
    };
    assert_eq!(answer.truncated_by(), Truncation::Deadline);
    assert!(answer.error.unwrap() > 0.0);
}
