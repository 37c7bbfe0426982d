//! What a tenant may: models, priorities, passes, and that it learns nothing of others.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;
use unmask_protocol::v1::model_service_client::ModelServiceClient;
use unmask_protocol::v1::{self, Priority, SavingReason};
use unmask_tests::started::Started;
use unmask_tests::{Root, model, request, rise, until};

use super::keys::{Files, Signer, claims};
use super::{configured, said, tokens_of, with};

/// Until something has to have happened; the bound only keeps a broken test from hanging.
const LONG: Duration = unmask_tests::PATIENCE;

const TENANTS: &str = r#"
[tenants.acme]
models = ["selfblend-mobilenetv2"]
priorities = ["normal", "bulk"]

[tenants.paced]
passes_per_second = 1.0
burst = 500.0

[tenants.patient]
priorities = ["bulk"]

[tenants.other]
"#;

async fn start() -> (Started, Signer, Files) {
    start_with("").await
}

async fn start_with(lines: &str) -> (Started, Signer, Files) {
    let (files, signer) = (Files::new(), Signer::new("one"));
    let file = tokens_of(&files.keys(vec![signer.public()])) + lines + TENANTS;
    let root = Root::new(&["planted-pixel"]);
    (Started::over(&configured(&root, &file)).await, signer, files)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_tenant_is_turned_away() {
    let (server, signer, _files) = start().await;
    let token = signer.sign(&claims("nobody"));
    let status = server.client().await.explain(with(request(), Some(&token))).await.unwrap_err();
    let reason = "you are no tenant of this server; ask its operator to name you";
    assert_eq!(said(&status), (Code::PermissionDenied, reason));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_finds_faces_is_everybodys() {
    let (files, signer) = (Files::new(), Signer::new("one"));
    let file = tokens_of(&files.keys(vec![signer.public()])) + TENANTS;
    let root = Root::new(&["planted-pixel"]).with_faces();
    let server = Started::over(&configured(&root, &file)).await;
    let token = signer.sign(&claims("acme"));
    let asked = v1::DetectFacesRequest { image: request().image, ..Default::default() };
    let found = server.client().await.detect_faces(with(asked, Some(&token))).await.unwrap().into_inner();
    assert_eq!(found.faces.len(), 1);
    let mut models = ModelServiceClient::new(server.channel().await);
    let named = with(v1::GetModelRequest { model: model("centerface") }, Some(&token));
    assert_eq!(
        models.get_model(named).await.unwrap().into_inner().model.unwrap().task(),
        v1::ModelTask::Faces
    );
    // For a decision on a picture it is like one that is not there, whatever else lies under its name.
    let mut client = server.client().await;
    let ask = |name: &str| with(v1::ExplainRequest { model: model(name), ..request() }, Some(&token));
    let theirs = client.explain(ask("centerface")).await.unwrap_err();
    let missing = client.explain(ask("no-such")).await.unwrap_err();
    assert_eq!(theirs.message().replace("centerface", "X"), missing.message().replace("no-such", "X"));
    let listed = models.list_models(with(v1::ListModelsRequest {}, Some(&token))).await.unwrap().into_inner();
    let names: Vec<_> = listed.models.into_iter().map(|model| model.version.unwrap().name).collect();
    assert_eq!(names, ["centerface", "selfblend-mobilenetv2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_others_is_like_one_that_is_not_there() {
    let (server, signer, _files) = start().await;
    let token = signer.sign(&claims("acme"));
    let mut client = server.client().await;
    let ask = |name: &str| with(v1::ExplainRequest { model: model(name), ..request() }, Some(&token));
    assert!(client.explain(ask("selfblend-mobilenetv2")).await.is_ok());
    let theirs = client.explain(ask("planted-pixel")).await.unwrap_err();
    let missing = client.explain(ask("no-such")).await.unwrap_err();
    assert_eq!(theirs.code(), Code::NotFound, "{theirs}");
    assert_eq!(theirs.message().replace("planted-pixel", "X"), missing.message().replace("no-such", "X"));
    let mut models = ModelServiceClient::new(server.channel().await);
    let listed = models.list_models(with(v1::ListModelsRequest {}, Some(&token))).await.unwrap().into_inner();
    assert!(
        listed.models.iter().all(|model| model.version.as_ref().unwrap().name == "selfblend-mobilenetv2"),
        "{listed:?}"
    );
    let asked = |name| with(v1::GetModelRequest { model: model(name) }, Some(&token));
    assert_eq!(models.get_model(asked("planted-pixel")).await.unwrap_err().code(), Code::NotFound);
    // As a model that finds faces, it is no more there.
    let detect = |name: &str| {
        let face_model = model(name);
        with(
            v1::DetectFacesRequest { image: request().image, face_model, ..Default::default() },
            Some(&token),
        )
    };
    let theirs = client.detect_faces(detect("planted-pixel")).await.unwrap_err();
    let missing = client.detect_faces(detect("no-such")).await.unwrap_err();
    assert_eq!(theirs.message().replace("planted-pixel", "X"), missing.message().replace("no-such", "X"));
    let other = signer.sign(&claims("other"));
    let listed = models.list_models(with(v1::ListModelsRequest {}, Some(&other))).await.unwrap().into_inner();
    assert_eq!(listed.models.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_priority_must_be_allowed_and_the_usual_one_counts() {
    let (server, signer, _files) = start().await;
    let token = signer.sign(&claims("acme"));
    let mut client = server.client().await;
    for (priority, allowed) in
        [(Priority::Interactive, false), (Priority::Normal, true), (Priority::Unspecified, true)]
    {
        let request = v1::ExplainRequest { priority: priority.into(), ..request() };
        match client.explain(with(request, Some(&token))).await {
            Ok(_) => assert!(allowed),
            Err(status) => {
                let reason = "priority: got interactive, allowed for this caller are normal, bulk";
                assert_eq!((said(&status), allowed), ((Code::PermissionDenied, reason), false));
            }
        }
    }
    // One that there is not is told as that, and together with everything else that is wrong.
    let request = v1::ExplainRequest { priority: 99, image: Vec::new(), ..request() };
    let status = client.explain(with(request, Some(&token))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    for words in ["priority: got 99, allowed are", "image: the picture has no bytes"] {
        assert!(status.message().contains(words), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_priority_that_nobody_names_is_asked_for_as_well() {
    let (server, signer, _files) = start().await;
    let token = signer.sign(&claims("patient"));
    let mut client = server.client().await;
    let status = client.explain(with(request(), Some(&token))).await.unwrap_err();
    let reason = "priority: got normal, allowed for this caller are bulk";
    assert_eq!(said(&status), (Code::PermissionDenied, reason));
    let bulk = v1::ExplainRequest { priority: Priority::Bulk.into(), ..request() };
    assert!(client.explain(with(bulk, Some(&token))).await.is_ok());
    // A dataset is bulk where it says nothing.
    for (priority, reason) in [
        (Priority::Unspecified, ""),
        (Priority::Normal, "priority: got normal, allowed for this caller are bulk"),
    ] {
        let mut dataset = Dataset::begin(&server, &token, priority).await;
        dataset.ask("1").await;
        let first = dataset.row().await;
        let got = first.as_ref().err().map_or((Code::Ok, ""), said);
        let code = if reason.is_empty() { Code::Ok } else { Code::PermissionDenied };
        assert_eq!(got, (code, reason));
    }
    // So is each of many, and each is told for itself.
    let many = [Priority::Unspecified, Priority::Normal].map(|priority| {
        let (request_id, priority) = (priority.as_str_name().to_owned(), priority.into());
        let request = Some(v1::ExplainRequest { request_id, priority, ..request() });
        v1::ExplainManyRequest { request, only_if: None }
    });
    let asked = with(tokio_stream::iter(many), Some(&token));
    let mut answers = client.explain_many(asked).await.unwrap().into_inner();
    let mut told = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        told.push((
            answer.request_id,
            match answer.kind.unwrap() {
                v1::explain_many_response::Kind::Failure(failure) => failure.message,
                v1::explain_many_response::Kind::Answer(_) | v1::explain_many_response::Kind::Skipped(_) => {
                    String::new()
                }
            },
        ));
    }
    told.sort();
    let expected = [
        ("PRIORITY_NORMAL", "priority: got normal, allowed for this caller are bulk"),
        ("PRIORITY_UNSPECIFIED", ""),
    ];
    assert_eq!(told, expected.map(|(id, message)| (id.to_owned(), message.to_owned())));
}

/// A dataset whose pictures cost 162 passes each.
struct Dataset {
    items: mpsc::Sender<v1::EvaluateDatasetRequest>,
    answers: Streaming<v1::EvaluateDatasetResponse>,
}

impl Dataset {
    async fn begin(server: &Started, token: &str, priority: Priority) -> Self {
        let method = v1::candidate::Kind::Method(rise(160));
        let plan = v1::EvaluationPlan {
            candidates: vec![v1::Candidate { kind: Some(method), ..Default::default() }],
            metrics: vec![v1::Metric { kind: Some(v1::metric::Kind::Entropy(v1::Entropy::default())) }],
            ..Default::default()
        };
        let plan = v1::DatasetPlan { plan: Some(plan), priority: priority.into(), ..Default::default() };
        let (items, receiver) = mpsc::channel(8);
        let kind = Some(v1::evaluate_dataset_request::Kind::Plan(plan));
        items.send(v1::EvaluateDatasetRequest { kind }).await.unwrap();
        let asked = with(ReceiverStream::new(receiver), Some(token));
        let answers = server.evaluations().await.evaluate_dataset(asked).await.unwrap().into_inner();
        Self { items, answers }
    }

    async fn ask(&self, id: &str) {
        let picture = v1::DatasetPicture { image: request().image, ..Default::default() };
        let kind = Some(v1::dataset_item::Kind::Picture(picture));
        let kind = v1::evaluate_dataset_request::Kind::Item(v1::DatasetItem { id: id.into(), kind });
        // A stream that has been refused takes nothing more; whoever waits for a row is told.
        let _ = self.items.send(v1::EvaluateDatasetRequest { kind: Some(kind) }).await;
    }

    /// Waits for the next row.
    async fn row(&mut self) -> Result<(), Status> {
        loop {
            let answer = self.answers.message().await?.unwrap();
            if let Some(v1::evaluate_dataset_response::Kind::Row(row)) = answer.kind {
                assert!(matches!(row.kind, Some(v1::dataset_row::Kind::Answer(_))), "{row:?}");
                return Ok(());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_a_dataset_wait_for_their_passes_and_keep_no_other_tenant_waiting() {
    let (server, signer, _files) = start_with("[server]\nmax_jobs = 2\n").await;
    let (paced, other) = (signer.sign(&claims("paced")), signer.sign(&claims("other")));
    // There are passes for three pictures, and enough for a fourth in two minutes.
    let mut paced = Dataset::begin(&server, &paced, Priority::Bulk).await;
    for id in ["1", "2", "3"] {
        paced.ask(id).await;
        paced.row().await.unwrap();
    }
    paced.ask("4").await;
    assert!(tokio::time::timeout(Duration::from_secs(2), paced.row()).await.is_err());
    // What waits for passes has no place, of which datasets get one here.
    let mut other = Dataset::begin(&server, &other, Priority::Bulk).await;
    other.ask("1").await;
    tokio::time::timeout(LONG, other.row()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_are_rationed_and_those_that_are_not_run_come_back() {
    let (server, signer, _files) = start().await;
    let token = signer.sign(&claims("paced"));
    let mut client = server.client().await;
    let ask = |masks| with(v1::ExplainRequest { method: Some(rise(masks)), ..request() }, Some(&token));
    // 202 of 500, then 402 of 298 and a little.
    assert!(client.explain(ask(200)).await.is_ok());
    let status = client.explain(ask(400)).await.unwrap_err();
    let reason = "your passes per second are used up; try again later";
    assert_eq!(said(&status), (Code::ResourceExhausted, reason));
    let wait = status.get_error_details().retry_info().unwrap().retry_delay.unwrap();
    assert!((80..=105).contains(&wait.as_secs()), "{wait:?}");
    // Nobody else pays for it, and a wrong request costs nothing.
    let other = signer.sign(&claims("other"));
    assert!(client.explain(with(request(), Some(&other))).await.is_ok());
    // Its header is right, so that it is paid for before it is found to be broken.
    let mut image = request().image;
    let middle = image.len() / 2;
    image[middle] ^= 1;
    let wrong = v1::ExplainRequest { image, ..request() };
    let status = client.explain(with(wrong, Some(&token))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(client.explain(ask(128)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_early_has_paid() {
    let (server, signer, _files) = start().await;
    let token = signer.sign(&claims("paced"));
    let mut client = server.client().await;
    let ask = |masks| with(v1::ExplainRequest { method: Some(rise(masks)), ..request() }, Some(&token));
    let mut leaving = client.clone();
    let early = ask(100_000);
    let call = tokio::spawn(async move { leaving.explain(early).await });
    until(|| server.service.passes() > 0).await;
    call.abort();
    until(|| server.service.waiting() == (0, 0)).await;
    let status = client.explain(ask(128)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_was_found_for_one_tenant_is_searched_for_anew_for_another() {
    let (server, signer, _files) = start().await;
    let mut client = server.client().await;
    let search = v1::Fill { kind: Some(v1::fill::Kind::Adversarial(v1::AdversarialFill::default())) };
    let wanted = v1::ExplainRequest { fill: Some(search), method: Some(rise(128)), ..request() };
    let mut cached = Vec::new();
    for tenant in ["acme", "other", "acme"] {
        let token = signer.sign(&claims(tenant));
        let answer = client.explain(with(wanted.clone(), Some(&token))).await.unwrap().into_inner();
        let saved = answer.cost.unwrap().saved;
        cached.push(saved.iter().any(|saving| saving.reason() == SavingReason::Cached));
    }
    assert_eq!(cached, [false, false, true]);
}
