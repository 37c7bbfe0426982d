//! Many explanations over one call.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};
use unmask_protocol::v1::explain_many_response::Kind;
use unmask_protocol::v1::explanation_service_client::ExplanationServiceClient;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::v1::{self, Truncation, method};
use unmask_server::Service;
use unmask_tests::started::Started;
use unmask_tests::{PATIENCE, Root, explain, model, request, rise, sample, timeless, unpaid, until};

fn masks(masks: u32) -> v1::ExplainRequest {
    v1::ExplainRequest { method: Some(rise(masks)), ..request() }
}

fn named(id: &str, request: v1::ExplainRequest) -> v1::ExplainManyRequest {
    let request = v1::ExplainRequest { request_id: id.into(), ..request };
    v1::ExplainManyRequest { request: Some(request), only_if: None }
}

fn only_if(fake_probability: f64, request: v1::ExplainManyRequest) -> v1::ExplainManyRequest {
    let fake_probability = Some(fake_probability);
    v1::ExplainManyRequest { only_if: Some(v1::OnlyIf { fake_probability }), ..request }
}

/// All that is answered, in process.
async fn told(
    service: &Service,
    requests: Vec<v1::ExplainManyRequest>,
) -> Result<Vec<(String, Kind)>, Status> {
    let answers: Vec<_> = service.many(tokio_stream::iter(requests.into_iter().map(Ok))).collect().await;
    answers.into_iter().map(|answer| answer.map(|answer| (answer.request_id, answer.kind.unwrap()))).collect()
}

/// Through a socket: the answers as they come.
async fn send(server: &Started, requests: Vec<v1::ExplainManyRequest>) -> Streaming<v1::ExplainManyResponse> {
    let requests = tokio_stream::iter(requests);
    server.client().await.explain_many(requests).await.unwrap().into_inner()
}

/// How many answers come until the end.
async fn answers(mut answers: Streaming<v1::ExplainManyResponse>) -> (usize, Result<(), Status>) {
    let mut count = 0;
    loop {
        match answers.message().await {
            Ok(Some(answer)) => count += usize::from(matches!(answer.kind, Some(Kind::Answer(_)))),
            Ok(None) => return (count, Ok(())),
            Err(status) => return (count, Err(status)),
        }
    }
}

fn failure(kind: &Kind) -> (&str, &str) {
    match kind {
        Kind::Failure(failure) => (&failure.code, &failure.message),
        Kind::Answer(_) | Kind::Skipped(_) => ("OK", ""),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_answered_under_its_id_with_the_bytes_of_an_answer_of_its_own() {
    let server = Started::with(&[]).await;
    let lime = method::Kind::Lime(v1::Lime { samples: Some(200), ..Default::default() });
    let lime = v1::Method { kind: Some(lime), preset: String::new() };
    let outputs = vec![v1::Output::Overlay.into(), v1::Output::StandardErrors.into()];
    let asked = [
        ("rise", masks(1000)),
        ("short", v1::ExplainRequest { outputs, ..masks(128) }),
        ("lime", v1::ExplainRequest { method: Some(lime), fill: None, ..request() }),
        ("eyes", v1::ExplainRequest { image: sample("astronaut-blend.png"), seed: 9, ..masks(128) }),
    ];
    // Each plainly, and on a condition that it fulfils.
    let both = asked.iter().flat_map(|(id, request)| {
        let plain = named(id, request.clone());
        [plain, only_if(0.0, named(&format!("{id} if"), request.clone()))]
    });
    let mut got = BTreeMap::new();
    let mut stream = send(&server, both.collect()).await;
    while let Some(answer) = stream.message().await.unwrap() {
        let Some(Kind::Answer(explained)) = answer.kind else { panic!("{answer:?}") };
        assert_eq!(explained.request_id, answer.request_id);
        assert!(got.insert(answer.request_id, timeless(explained)).is_none());
    }
    assert_eq!(got.len(), 2 * asked.len());
    for (id, request) in asked {
        let alone = timeless(explain(&server.service, request).await.unwrap());
        for id in [id.to_owned(), format!("{id} if")] {
            assert!(got[&id] == alone, "{id}: {:?} and {:?}", got[&id].cost, alone.cost);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_a_fill_is_the_same_on_a_condition() {
    let service = Root::new(&[]).service(&[]);
    let kind = Some(v1::fill::Kind::Adversarial(v1::AdversarialFill::default()));
    let asked = v1::ExplainRequest { fill: Some(v1::Fill { kind }), ..masks(128) };
    let told = told(&service, vec![only_if(0.5, named("a", asked.clone()))]).await.unwrap();
    let [(_, Kind::Answer(answer))] = told.as_slice() else { panic!("{told:?}") };
    let alone = explain(&service, asked).await.unwrap();
    assert_eq!(answer.cost.as_ref().unwrap().used, alone.cost.as_ref().unwrap().used);
    assert!(unpaid(answer.clone()) == unpaid(alone));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_wrong_is_told_so_and_ends_no_other() {
    let service = Root::new(&[]).service(&[]);
    let broken = v1::ExplainRequest { image: b"words".to_vec(), top_regions: Some(65), ..masks(128) };
    let priority = v1::ExplainRequest { priority: 9, ..masks(128) };
    let requests = vec![
        named("a", masks(128)),
        named("b", broken),
        named("a", masks(128)),
        named("", masks(128)),
        named("two\nlines", masks(128)),
        only_if(1.5, named("c", priority)),
        v1::ExplainManyRequest::default(),
        named("d", masks(128)),
    ];
    let mut told = told(&service, requests).await.unwrap();
    // They come in any order.
    told.sort_by(|(a, x), (b, y)| (a, failure(x)).cmp(&(b, failure(y))));
    let found: Vec<_> = told.iter().map(|(id, kind)| (id.as_str(), failure(kind).0)).collect();
    let invalid = "INVALID_ARGUMENT";
    assert_eq!(
        found,
        [
            ("", invalid),
            ("", invalid),
            ("", invalid),
            ("a", invalid),
            ("a", "OK"),
            ("b", invalid),
            ("c", invalid),
            ("d", "OK")
        ]
    );
    let nameless = "request.request_id: got 0 bytes, allowed are 1 to 128 printable ASCII characters";
    assert!(told[0].1 != told[1].1 && failure(&told[0].1).1.contains("request.request_id: got"), "{told:?}");
    assert!(told[..3].iter().any(|(_, kind)| failure(kind).1 == nameless), "{told:?}");
    assert_eq!(failure(&told[3].1).1, "request.request_id: is there twice");
    let both = failure(&told[5].1).1;
    assert!(both.contains("request.image: ") && both.contains("; request.top_regions: got 65"), "{both}");
    let both = failure(&told[6].1).1;
    assert!(both.starts_with("request.priority: got 9"), "{both}");
    assert!(both.ends_with("only_if.fake_probability: got 1.5, allowed is 0 to 1"), "{both}");
    assert_eq!(service.passes(), 2 * 130, "the wrong ones have cost nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fulfil_its_condition_is_scored_and_costs_one_pass() {
    let service = Root::new(&[]).service(&[]);
    let real = v1::ExplainRequest { image: sample("astronaut-real.png"), ..masks(128) };
    let ask = v1::PredictRequest { image: real.image.clone(), ..v1::PredictRequest::default() };
    let scored = service.predict(Request::new(ask)).await.unwrap().into_inner();
    let probability = scored.prediction.as_ref().unwrap().fake_probability;
    let before = service.passes();
    let above = vec![only_if(probability + 1e-9, named("real", real.clone()))];
    let told_above = told(&service, above).await.unwrap();
    let [(id, Kind::Skipped(skipped))] = told_above.as_slice() else { panic!("{told_above:?}") };
    assert_eq!(
        (id.as_str(), &skipped.prediction, &skipped.model),
        ("real", &scored.prediction, &scored.model)
    );
    assert_eq!(skipped.cost, scored.cost);
    assert_eq!(service.passes() - before, 1);
    // At the very least it is explained.
    let at = told(&service, vec![only_if(probability, named("real", real))]).await.unwrap();
    assert!(matches!(at.as_slice(), [(_, Kind::Answer(_))]), "{at:?}");
}

/// The checksum of a PNG's chunk.
fn crc(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_in_it_is_said_before_its_condition_is_asked() {
    let service = Root::new(&[]).service(&[]);
    // A fill whose file is whole, and whose pixels are found to be none only when they are unpacked.
    let mut fill = sample("astronaut-real.png");
    let data = fill.windows(4).position(|name| name == b"IDAT").unwrap();
    let length = u32::from_be_bytes(fill[data - 4..data].try_into().unwrap()) as usize;
    fill[data + 4..data + 6].fill(0xff);
    let sum = crc(&fill[data..data + 4 + length]).to_be_bytes();
    fill[data + 4 + length..][..4].copy_from_slice(&sum);
    let request = v1::ExplainRequest {
        image: sample("astronaut-real.png"),
        fill: Some(unmask_tests::image_fill(fill)),
        ..masks(128)
    };
    let told = told(&service, vec![only_if(0.99, named("a", request))]).await.unwrap();
    let [(_, Kind::Failure(failure))] = told.as_slice() else { panic!("{told:?}") };
    assert!(failure.code == "INVALID_ARGUMENT" && failure.message.contains("fill.image"), "{failure:?}");
    assert_eq!(service.passes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_there_are_places_for_wait_and_are_all_answered() {
    // Of each, a half is for them: one place, and 200 passes.
    for setting in [("server.max_jobs", "2"), ("server.max_passes", "400")] {
        let server = Started::with(&[setting, ("pool.workers", "1")]).await;
        let requests = (0..12).map(|i| named(&i.to_string(), masks(128))).collect();
        let (all, most) = server.watched(answers(send(&server, requests).await)).await;
        assert!(all.1.is_ok(), "{setting:?}: {all:?}");
        assert_eq!((all.0, most), (12, 1), "{setting:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_stream_holds_no_place_and_a_silent_one_is_ended() {
    let server = Started::with(&[("server.max_jobs", "2"), ("http2.idle_seconds", "2")]).await;
    let (sender, receiver) = mpsc::channel(1);
    let mut stream =
        server.client().await.explain_many(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    sender.send(named("a", masks(128))).await.unwrap();
    assert!(stream.message().await.unwrap().is_some());
    // The only place for bulk requests is free.
    let bulk = v1::ExplainRequest { priority: v1::Priority::Bulk.into(), ..masks(128) };
    assert!(server.client().await.explain(bulk).await.is_ok());
    let status = tokio::time::timeout(PATIENCE, stream.message()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_to_a_full_server_is_told_so_at_once() {
    let server = Started::with(&[("server.max_jobs", "2"), ("pool.workers", "1")]).await;
    let mut client = server.client().await;
    let busy = v1::ExplainRequest { priority: v1::Priority::Bulk.into(), ..masks(100_000) };
    let call = tokio::spawn(async move { client.explain(busy).await });
    until(|| server.service.passes() > 0).await;
    let told = answers(send(&server, vec![named("a", masks(128))]).await);
    let (count, ended) = tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert_eq!((count, ended.unwrap_err().code()), (0, Code::ResourceExhausted));
    call.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_frees_its_places() {
    let server = Started::with(&[("server.max_jobs", "16"), ("pool.workers", "1")]).await;
    let requests = (0..12).map(|i| named(&i.to_string(), masks(50_000))).collect();
    let stream = send(&server, requests).await;
    until(|| server.service.waiting().1 > 1 && server.service.passes() > 100).await;
    assert!(server.service.waiting().1 <= 4, "few are worked on at the same time");
    drop(stream);
    until(|| server.service.waiting() == (0, 0)).await;
    assert!(server.service.passes() < 50_000, "none ran to its end for nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_read_is_worked_for_little_and_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.jsonl");
    let settings =
        [("server.max_jobs", "2"), ("http2.idle_seconds", "2"), ("audit.file", file.to_str().unwrap())];
    // A detector that would have done all of it long before its client is let go.
    let server = Started::over(&Root::new(&["planted-linear"]).config(&settings)).await;
    let mut deaf = ExplanationServiceClient::new(server.deaf().await);
    let quick = || v1::ExplainRequest { model: model("planted-linear"), ..masks(128) };
    let requests = (0..200).map(move |i| named(&i.to_string(), quick()));
    let stream = deaf.explain_many(tokio_stream::iter(requests)).await.unwrap();
    // Its end is on record, though its client does not read it.
    until(|| std::fs::read_to_string(&file).unwrap().contains("\"DEADLINE_EXCEEDED\"")).await;
    let passes = server.service.passes();
    assert!(passes < 16 * 130, "{passes} of {} passes", 200 * 130);
    until(|| server.service.waiting() == (0, 0)).await;
    let bulk = v1::ExplainRequest { priority: v1::Priority::Bulk.into(), ..masks(128) };
    assert!(server.client().await.explain(bulk).await.is_ok());
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_down_answers_what_it_has_read() {
    let mut server = Started::with(&[("drain.grace_seconds", "3600")]).await;
    let requests = (0..500).map(|i| named(&i.to_string(), masks(256))).collect();
    let mut stream = send(&server, requests).await;
    let mut count = 0;
    let status = loop {
        match stream.message().await {
            Ok(Some(_)) => {
                count += 1;
                if count == 2 {
                    server.stop();
                }
            }
            Ok(None) => panic!("all would pass for answered"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!((2..40).contains(&count), "{count}");
    tokio::time::timeout(PATIENCE, server.done).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_when_the_time_of_all_is_nearly_up_is_answered_with_what_there_is() {
    let server = Started::with(&[]).await;
    let mut seconds = 4;
    loop {
        let mut asked = Request::new(tokio_stream::iter([named("a", masks(100_000))]));
        asked.set_timeout(Duration::from_secs(seconds));
        let mut stream = server.client().await.explain_many(asked).await.unwrap().into_inner();
        match stream.message().await {
            Ok(Some(v1::ExplainManyResponse { kind: Some(Kind::Answer(answer)), .. })) => {
                assert_eq!(answer.truncated_by(), Truncation::Deadline);
                assert!(answer.error.unwrap() > 0.0);
                break;
            }
            // A machine that does much else may need more time for the first round.
            told => assert!(seconds < 100, "{told:?}"),
        }
        seconds *= 2;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_on_record_by_its_own_id() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.jsonl");
    let service = Root::new(&[]).service(&[("audit.file", file.to_str().unwrap())]);
    let broken = v1::ExplainRequest { image: b"words".to_vec(), ..masks(128) };
    let requests = vec![named("a", masks(128)), only_if(1.0, named("b", masks(128))), named("c", broken)];
    assert_eq!(told(&service, requests).await.unwrap().len(), 3);
    let text = std::fs::read_to_string(&file).unwrap();
    let mut lines: Vec<_> = text
        .lines()
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            let word = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
            let passes = record["passes"]["run"].as_u64();
            (word("request_id"), word("call"), word("code"), passes, !record["map_sha256"].is_null())
        })
        .collect();
    lines.sort();
    let line = |id: &str, code: &str, passes, map| {
        (id.to_owned(), "explain_many".to_owned(), code.to_owned(), passes, map)
    };
    assert_eq!(
        lines,
        [
            line("a", "OK", Some(130), true),
            line("b", "OK", Some(1), false),
            line("c", "INVALID_ARGUMENT", None, false)
        ]
    );
}
