//! What stands on record of every kind of request, and what never does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use prost_reflect::{DescriptorPool, DynamicMessage, Value};
use serde_json::Value as Json;
use tokio_stream::StreamExt as _;
use tonic::{Code, Request, Status};
use unmask_protocol::v1::evaluation_service_server::EvaluationService as _;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::v1::{
    self, dataset_item, dataset_row, evaluate_dataset_request, evaluate_dataset_response, metric,
    segmentation,
};
use unmask_registry::sha256;
use unmask_server::Service;
use unmask_tests::started::Started;
use unmask_tests::{Root, explain, image_fill, model, rise, sample, until};

/// A service that records into a folder which dies with the value.
struct Recorded {
    dir: tempfile::TempDir,
    service: Service,
}

impl Recorded {
    fn new(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("audit.jsonl");
        let mut all = vec![("audit.file", file.to_str().unwrap())];
        all.extend(settings);
        Self { service: Root::new(&[]).service(&all), dir }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("audit.jsonl")
    }

    fn records(&self) -> Vec<Json> {
        records(&self.file())
    }
}

/// Every line of a file of records.
fn records(path: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn predicting(id: &str) -> v1::PredictRequest {
    v1::PredictRequest {
        request_id: id.into(),
        image: sample("astronaut-mouth.png"),
        ..v1::PredictRequest::default()
    }
}

async fn predict(service: &Service, request: v1::PredictRequest) -> Result<v1::PredictResponse, Status> {
    service.predict(Request::new(request)).await.map(tonic::Response::into_inner)
}

fn explaining(id: &str) -> v1::ExplainRequest {
    v1::ExplainRequest {
        request_id: id.into(),
        image: sample("astronaut-mouth.png"),
        method: Some(rise(128)),
        fill: Some(image_fill(sample("astronaut-real.png"))),
        seed: 7,
        ..v1::ExplainRequest::default()
    }
}

/// A plan with a map of the caller's.
fn plan(map: Option<v1::Map>) -> v1::EvaluationPlan {
    let kind = match map {
        None => v1::candidate::Kind::Method(rise(128)),
        Some(map) => v1::candidate::Kind::Map(v1::SuppliedMap { map: Some(map), reading: 0 }),
    };
    let candidate = v1::Candidate { name: "mine".into(), kind: Some(kind), ..v1::Candidate::default() };
    v1::EvaluationPlan {
        candidates: vec![candidate],
        metrics: vec![v1::Metric { kind: Some(metric::Kind::Sparseness(v1::Sparseness {})) }],
        ..v1::EvaluationPlan::default()
    }
}

fn dataset(id: &str, items: &[(&str, Vec<u8>)]) -> Vec<v1::EvaluateDatasetRequest> {
    let first = v1::DatasetPlan { request_id: id.into(), plan: Some(plan(None)), ..Default::default() };
    let item = |(id, image): &(&str, Vec<u8>)| {
        let picture = v1::DatasetPicture { image: image.clone(), ..Default::default() };
        let kind = Some(dataset_item::Kind::Picture(picture));
        evaluate_dataset_request::Kind::Item(v1::DatasetItem { id: (*id).into(), kind })
    };
    let kinds = std::iter::once(evaluate_dataset_request::Kind::Plan(first)).chain(items.iter().map(item));
    kinds.map(|kind| v1::EvaluateDatasetRequest { kind: Some(kind) }).collect()
}

/// All answers of a stream.
async fn stream(
    service: &Service,
    requests: Vec<v1::EvaluateDatasetRequest>,
) -> Vec<Result<v1::EvaluateDatasetResponse, Status>> {
    service.dataset(tokio_stream::iter(requests.into_iter().map(Ok))).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_settled_on_the_way_is_on_record_with_the_model_that_found_the_face() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.jsonl");
    let service = Root::new(&[]).with_faces().service(&[("audit.file", file.to_str().unwrap())]);
    let search = v1::face_choice::Kind::Search(v1::FaceSearch::default());
    let face = Some(v1::FaceChoice { kind: Some(search) });
    let answer =
        explain(&service, v1::ExplainRequest { face: face.clone(), ..explaining("found") }).await.unwrap();
    let nobody = unmask_tests::png(200, 200, |x, y| [x as u8, y as u8, 128]);
    let missed = v1::ExplainRequest { face, image: nobody, fill: None, ..explaining("missed") };
    assert_eq!(explain(&service, missed).await.unwrap_err().code(), Code::InvalidArgument);
    let records = records(&file);
    let crop = answer.resolved.unwrap().crop.unwrap();
    assert_eq!(records[0]["resolved"]["crop"]["width"], crop.width);
    assert!(records[0]["resolved"]["landmarks"]["nose"]["x"].is_number(), "{}", records[0]);
    assert_eq!(records[0]["face_model"]["sha256"], answer.face_model.unwrap().sha256);
    assert_eq!((&records[1]["code"], &records[1]["face_model"]), (&"INVALID_ARGUMENT".into(), &Json::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_decision_is_on_record_before_it_is_answered() {
    let recorded = Recorded::new(&[]);
    let service = &recorded.service;
    let predicted = predict(service, predicting("p")).await.unwrap();
    let explained = explain(service, explaining("e")).await.unwrap();
    let request = v1::EvaluateRequest {
        request_id: "v".into(),
        image: sample("astronaut-mouth.png"),
        plan: Some(plan(None)),
        ..Default::default()
    };
    service.evaluate(Request::new(request)).await.unwrap();
    let picture = || sample("astronaut-mouth.png");
    let items = [("one", picture()), ("two", b"no picture".to_vec()), ("one", picture())];
    assert!(stream(service, dataset("d", &items)).await.iter().all(Result::is_ok));

    let all = recorded.records();
    let told = |r: &Json| {
        ["call", "request_id", "item", "code"]
            .map(|name| r[name].as_str().unwrap_or("-").to_owned())
            .join(" ")
    };
    let mut lines: Vec<_> = all.iter().map(told).collect();
    // Items are worked on at the same time.
    lines[3..].sort();
    assert_eq!(
        lines,
        [
            "predict p - OK",
            "explain e - OK",
            "evaluate v - OK",
            "evaluate_dataset d one INVALID_ARGUMENT",
            "evaluate_dataset d one OK",
            "evaluate_dataset d two INVALID_ARGUMENT",
        ]
    );
    for record in all.iter().filter(|record| record["code"] == "OK") {
        assert_eq!(record["prediction"]["label"], "mouth");
        assert_eq!(record["prediction"]["scores"].as_array().unwrap().len(), 5);
        assert_eq!(record["model"]["sha256"], predicted.model.as_ref().unwrap().sha256.as_str());
        assert_eq!(record["subject"], "anonymous");
        assert!(record["duration_ms"].as_f64().unwrap() > 0.0);
        assert!(record["resolved"].is_object() && record["message"] == "");
    }
    let explanation = &all[1];
    let cost = explained.cost.unwrap();
    assert_eq!(explanation["map_sha256"], sha256(&explained.map.unwrap().values));
    assert_eq!(explanation["passes"], serde_json::json!({ "announced": cost.announced, "run": cost.run }));
    assert_eq!(explanation["target"]["label"], "mouth");
    assert_eq!(explanation["warnings"], serde_json::json!(explained.warnings));
    let resolved = &explanation["resolved"];
    assert_eq!((&resolved["seed"], &resolved["method"]["rise"]["masks"]), (&7.into(), &128.into()));
    assert_eq!(
        resolved["fill"]["image"],
        serde_json::json!({ "sha256": sha256(&sample("astronaut-real.png")) })
    );
    assert_eq!(all[2]["resolved"]["candidates"][0]["name"], "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_an_answer_is_on_record_with_the_reason() {
    let recorded = Recorded::new(&[]);
    let service = &recorded.service;
    let wrong = v1::PredictRequest { image: b"no picture".to_vec(), ..predicting("a") };
    let status = predict(service, wrong).await.unwrap_err();
    let id = "two\nlines\", \"code\": \"OK";
    predict(service, predicting(id)).await.unwrap_err();
    let nowhere = v1::PredictRequest { model: model("nowhere\n"), ..predicting("c") };
    predict(service, nowhere).await.unwrap_err();
    // The fill's header is right, so that only the work finds out that it is broken.
    let mut broken = sample("astronaut-real.png");
    let middle = broken.len() / 2;
    broken[middle..middle + 64].fill(0);
    explain(service, v1::ExplainRequest { fill: Some(image_fill(broken)), ..explaining("d") })
        .await
        .unwrap_err();
    assert!(stream(service, dataset(id, &[])).await[0].is_err());
    let late = dataset("f", &[("x\n", Vec::new())]);
    assert!(stream(service, late).await.iter().any(Result::is_err));

    let all = recorded.records();
    assert_eq!(all.len(), 6);
    let invalid = "INVALID_ARGUMENT";
    let expected =
        [("a", invalid), ("", invalid), ("c", "NOT_FOUND"), ("d", invalid), ("", invalid), ("f", invalid)];
    for (record, (id, code)) in all.iter().zip(expected) {
        assert_eq!((record["request_id"].as_str().unwrap(), record["code"].as_str().unwrap()), (id, code));
        assert_eq!((&record["prediction"], &record["passes"]), (&Json::Null, &Json::Null));
        // What had been decoded is known.
        assert_eq!(record["model"].is_null(), id != "d", "{record}");
    }
    assert_eq!(all[0]["message"], status.message());
    assert!(all[3]["message"].as_str().unwrap().contains("fill.image.image"), "{}", all[3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_at_once_each_has_a_whole_line_the_refused_ones_too() {
    let recorded = Recorded::new(&[("server.max_jobs", "4")]);
    let asked: Vec<_> = (0..64)
        .map(|i| {
            let service = recorded.service.clone();
            tokio::spawn(async move { predict(&service, predicting(&format!("r-{i}"))).await })
        })
        .collect();
    let mut answered = Vec::new();
    for (i, asked) in asked.into_iter().enumerate() {
        let code = match asked.await.unwrap() {
            Ok(_) => "OK",
            Err(status) if status.code() == Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Err(status) => panic!("{status}"),
        };
        answered.push((format!("r-{i}"), code.to_owned()));
    }
    let own = |record: &Json, name: &str| record[name].as_str().unwrap().to_owned();
    let mut recorded: Vec<_> =
        recorded.records().iter().map(|r| (own(r, "request_id"), own(r, "code"))).collect();
    answered.sort();
    recorded.sort();
    assert_eq!(recorded, answered);
    for code in ["OK", "RESOURCE_EXHAUSTED"] {
        assert!(answered.iter().any(|(_, c)| c == code), "{code}");
    }
}

/// Bytes as JSON of a message has them.
fn base64(bytes: &[u8]) -> String {
    let pool = DescriptorPool::decode(unmask_protocol::DESCRIPTOR_SET).unwrap();
    let mut message = DynamicMessage::new(pool.get_message_by_name("unmask.v1.ImageFill").unwrap());
    message.set_field_by_name("image", Value::Bytes(bytes.to_vec().into()));
    serde_json::to_value(&message).unwrap()["image"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pixel_label_or_value_is_on_record_and_a_digest_of_the_picture_only_where_it_is_wanted() {
    let labels: Vec<u8> =
        (0..128u32 * 128).flat_map(|i| ((i / 2000) as u16 + 0x4241).to_le_bytes()).collect();
    let cut = segmentation::Kind::Labels(v1::LabelSegmentation {
        height: 128,
        width: 128,
        values: labels.clone(),
        sha256: String::new(),
    });
    let values: Vec<u8> = (0..128u32 * 128).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let map = v1::Map { height: 128, width: 128, values: values.clone(), sha256: String::new() };
    let (image, fill) = (sample("astronaut-mouth.png"), sample("astronaut-real.png"));
    for wanted in ["false", "true"] {
        let recorded = Recorded::new(&[("audit.image_sha256", wanted)]);
        let service = &recorded.service;
        let segmentation = Some(v1::Segmentation { kind: Some(cut.clone()) });
        let outputs = [v1::Output::Overlay, v1::Output::Fill, v1::Output::Labels].map(i32::from).into();
        let request = v1::ExplainRequest { segmentation, outputs, ..explaining("e") };
        let answer = explain(service, request).await.unwrap();
        let request = v1::EvaluateRequest {
            image: image.clone(),
            plan: Some(plan(Some(map.clone()))),
            ..Default::default()
        };
        service.evaluate(Request::new(request)).await.unwrap();
        stream(service, dataset("d", &[("one", image.clone())])).await;
        let text = std::fs::read_to_string(recorded.file()).unwrap();
        assert_eq!(text.lines().count(), 3);
        for bytes in [
            &image,
            &fill,
            &labels,
            &values,
            &answer.overlay_png,
            &answer.fill_png,
            &answer.map.unwrap().values,
        ] {
            for part in bytes.chunks_exact(48).step_by(7) {
                assert!(!text.contains(&base64(part)));
            }
        }
        assert!(text.len() < 12_000, "{}", text.len());
        for known in [&fill, &labels, &values] {
            assert_eq!(text.matches(&sha256(known)).count(), 1);
        }
        let times = if wanted == "true" { 3 } else { 0 };
        assert_eq!(text.matches(&sha256(&image)).count(), times);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_moved_away_gets_no_more_lines() {
    let recorded = Recorded::new(&[]);
    predict(&recorded.service, predicting("one")).await.unwrap();
    let old = recorded.dir.path().join("audit.jsonl.1");
    std::fs::rename(recorded.file(), &old).unwrap();
    predict(&recorded.service, predicting("two")).await.unwrap();
    let ids =
        |all: Vec<Json>| all.iter().map(|r| r["request_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!((ids(records(&old)), ids(recorded.records())), (vec!["one".into()], vec!["two".into()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_losses_are_counted_and_where_records_are_required_nobody_is_answered() {
    let items = [("one", sample("astronaut-mouth.png"))];
    let full = ("audit.file", "/dev/full");
    let service = Root::new(&[]).service(&[full]);
    predict(&service, predicting("a")).await.unwrap();
    assert!(stream(&service, dataset("d", &items)).await.iter().all(Result::is_ok));
    assert_eq!(service.unrecorded(), 2);

    let service = Root::new(&[]).service(&[full, ("audit.required", "true")]);
    let status = predict(&service, predicting("a")).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message().contains("nothing is answered unrecorded")),
        (Code::Unavailable, true)
    );
    // Why is no matter of the client's.
    assert!(!status.message().contains("space"), "{status}");
    explain(&service, v1::ExplainRequest { image: Vec::new(), ..explaining("b") })
        .await
        .map_err(|s| s.code())
        .unwrap_err();
    let answers = stream(&service, dataset("d", &items)).await;
    let Some(evaluate_dataset_response::Kind::Row(row)) = answers[0].clone().unwrap().kind else { panic!() };
    let Some(dataset_row::Kind::Failure(failure)) = row.kind else { panic!("{row:?}") };
    assert_eq!(failure.code, "UNAVAILABLE");
    let broken = stream(&service, dataset("d\n", &[])).await;
    assert_eq!(broken[0].as_ref().unwrap_err().code(), Code::Unavailable);
    assert_eq!(service.unrecorded(), 4);
}

#[test]
fn a_file_that_cannot_be_opened_keeps_the_server_from_starting() {
    let config = Root::new(&[]).config(&[("audit.file", "/nowhere/audit.jsonl")]);
    let error = Service::open(&config).err().unwrap().to_string();
    assert_eq!(error, "audit.file: cannot open /nowhere/audit.jsonl: No such file or directory (os error 2)");
}

/// The codes on record once there are so many.
async fn codes(file: &Path, count: usize) -> Vec<String> {
    until(|| records(file).len() >= count).await;
    records(file).iter().map(|record| record["code"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_deadline_cuts_off_is_on_record_as_it_was_answered() {
    let recorded = Recorded::new(&[]);
    let kind = segmentation::Kind::Quickshift(v1::QuickshiftSegmentation::default());
    for i in 0..20 {
        let segmentation = Some(v1::Segmentation { kind: Some(kind.clone()) });
        let mut request = Request::new(v1::ExplainRequest { segmentation, ..explaining("late") });
        request.set_timeout(std::time::Duration::from_millis(2 * i));
        let status = recorded.service.explain(request).await.err().map_or(Code::Ok, |status| status.code());
        let codes = codes(&recorded.file(), i as usize + 1).await;
        let expected = if status == Code::Ok { "OK" } else { "DEADLINE_EXCEEDED" };
        assert_eq!((codes.len(), codes.last().unwrap().as_str()), (i as usize + 1, expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_shutdown_cuts_off_is_on_record_as_it_was_answered() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("audit.jsonl");
    let settings = [("audit.file", file.to_str().unwrap()), ("drain.grace_seconds", "1")];
    let mut server = Started::with(&settings).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let mut client = server.client().await;
        calls.spawn(async move {
            client.explain(v1::ExplainRequest { method: Some(rise(50_000)), ..explaining("cut off") }).await
        });
    }
    until(|| server.service.waiting().1 == 8).await;
    server.stop();
    while let Some(call) = calls.join_next().await {
        assert_eq!(call.unwrap().unwrap_err().code(), Code::Unavailable);
    }
    server.done.await.unwrap();
    assert_eq!(codes(&file, 8).await, ["UNAVAILABLE"; 8]);
}
