//! Many pictures under one plan.

use std::time::Duration;

use tokio_stream::StreamExt as _;
use tonic::{Code, Status};
use unmask_protocol::v1::evaluate_dataset_request::Kind as Asked;
use unmask_protocol::v1::evaluate_dataset_response::Kind as Answered;
use unmask_protocol::v1::{self, dataset_item, dataset_row};
use unmask_server::{Service, status_of};
use unmask_tests::{Root, sample, until};

use crate::{metric, metrics, planned, quick, request, timeless};

fn plan(metrics: Vec<v1::Metric>) -> v1::EvaluateDatasetRequest {
    // An image fill belongs to one picture.
    let plan = planned(request(metrics), |plan| plan.candidates[0].fill = None).plan;
    let plan = v1::DatasetPlan { plan, resamples: Some(200), ..Default::default() };
    v1::EvaluateDatasetRequest { kind: Some(Asked::Plan(plan)) }
}

fn item(id: &str, kind: dataset_item::Kind) -> v1::EvaluateDatasetRequest {
    let item = v1::DatasetItem { id: id.into(), kind: Some(kind) };
    v1::EvaluateDatasetRequest { kind: Some(Asked::Item(item)) }
}

/// A row that is sent back.
fn known(row: v1::DatasetRow) -> v1::EvaluateDatasetRequest {
    item(&row.id.clone(), dataset_item::Kind::Row(row))
}

fn picture(id: &str, family: &str, image: Vec<u8>) -> v1::EvaluateDatasetRequest {
    let mask = Some(v1::Mask { image: sample("astronaut-mouth.mask.png") });
    let (family, label) = (family.to_owned(), String::new());
    item(id, dataset_item::Kind::Picture(v1::DatasetPicture { image, mask, family, label, crop: None }))
}

/// Rows and summary of a whole stream.
async fn run(
    service: &Service,
    requests: Vec<v1::EvaluateDatasetRequest>,
) -> Result<(Vec<v1::DatasetRow>, v1::DatasetSummary), Status> {
    let mut answers = service.dataset(tokio_stream::iter(requests.into_iter().map(Ok)));
    let (mut rows, mut summary) = (Vec::new(), None);
    while let Some(answer) = answers.next().await {
        assert!(summary.is_none(), "the summary is the last message");
        match answer?.kind.unwrap() {
            Answered::Row(row) => rows.push(row),
            Answered::Progress(progress) => assert_eq!(progress.items, rows.len() as u64),
            Answered::Summary(last) => summary = Some(last),
        }
    }
    Ok((rows, summary.expect("a summary")))
}

fn answer(row: &v1::DatasetRow) -> v1::EvaluateResponse {
    match &row.kind {
        Some(dataset_row::Kind::Answer(answer)) => timeless(answer.clone()),
        other => panic!("{}: {other:?}", row.id),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_in_order_failures_are_rows_and_the_summary_is_their_mean() {
    let service = Root::new(&[]).service(&[]);
    let mut requests = vec![plan(quick())];
    for (id, family, name) in [
        ("a", "mouth", "astronaut-mouth.png"),
        ("b", "eyes", "astronaut-eyes.png"),
        ("c", "mouth", "astronaut-blend.png"),
    ] {
        requests.push(picture(id, family, sample(name)));
    }
    requests.insert(2, picture("broken", "mouth", b"no picture".to_vec()));
    requests.insert(3, picture("a", "mouth", sample("astronaut-mouth.png")));
    requests.push(picture("control\u{7f}", "", Vec::new()));
    let (code, message, _) = status_of(&run(&service, requests.clone()).await.unwrap_err());
    assert_eq!(code, Code::InvalidArgument, "a message without a usable id ends the stream: {message}");
    requests.pop();
    let (rows, summary) = run(&service, requests).await.unwrap();
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["a", "broken", "a", "b", "c"]);
    for (at, words) in [(1, "image: "), (2, "item.id: is there twice")] {
        let Some(dataset_row::Kind::Failure(failure)) = &rows[at].kind else { panic!("{at}") };
        assert_eq!(failure.code, "INVALID_ARGUMENT");
        assert!(failure.message.starts_with(words), "{failure:?}");
    }
    assert_eq!((summary.items, summary.failed, summary.resamples), (5, 2, 200));
    let value = |row: &v1::DatasetRow| answer(row).evaluated[0].results[0].figures[0].value.unwrap();
    let (a, b, c) = (value(&rows[0]), value(&rows[3]), value(&rows[4]));
    let means = summary.means.iter().filter(|m| m.name == "occlusion" && m.figure == "deletion");
    let means: Vec<_> = means.map(|m| (m.family.as_str(), m.items, m.mean.unwrap())).collect();
    let expected = [("mouth", 2, (a + c) / 2.0), ("eyes", 1, b), ("", 3, (a + b + c) / 3.0)];
    assert_eq!(means.len(), 3, "{means:?}");
    for (got, expected) in means.iter().zip(expected) {
        assert!(got.0 == expected.0 && got.1 == expected.1 && (got.2 - expected.2).abs() < 1e-12, "{got:?}");
    }
    let all = summary.means.iter().find(|m| m.family.is_empty()).unwrap();
    assert!(all.low.unwrap() <= all.mean.unwrap() && all.mean.unwrap() <= all.high.unwrap());
    let controls = summary.means.iter().filter(|m| m.control).map(|m| m.name.as_str());
    assert!(controls.clone().any(|name| name == "uniform") && summary.resolved.is_some());
    // The same picture asked for alone gives the same figures.
    let alone = planned(request(quick()), |plan| plan.candidates[0].fill = None);
    let alone =
        crate::evaluate(&service, v1::EvaluateRequest { label: String::new(), ..alone }).await.unwrap();
    let alone = v1::EvaluateResponse { resolved: None, ..timeless(alone) };
    assert!(alone == answer(&rows[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_known_cost_nothing_and_give_the_same_summary() {
    let service = Root::new(&[]).service(&[]);
    let names = ["astronaut-mouth.png", "astronaut-eyes.png", "astronaut-blend.png"];
    let pictures = || names.map(|name| picture(name, &name[10..12], sample(name)));
    let whole: Vec<_> = std::iter::once(plan(quick())).chain(pictures()).collect();
    let (rows, summary) = run(&service, whole).await.unwrap();
    let before = service.passes();
    let mut resumed = vec![plan(quick())];
    resumed.extend(rows.iter().cloned().map(known));
    let (again, same) = run(&service, resumed).await.unwrap();
    assert_eq!(service.passes(), before);
    assert!(again == rows && same == summary);
    // A row of another plan is a failure of its own.
    let (other, _) = run(&service, vec![plan(metrics()), known(rows[0].clone())]).await.unwrap();
    assert!(reason(&other[0]).contains("is of another plan"), "{other:?}");
    // So is one that stands in another's place.
    let moved = item("x", dataset_item::Kind::Row(rows[0].clone()));
    let (moved, _) = run(&service, vec![plan(quick()), moved]).await.unwrap();
    let said = "item.row: is of \"astronaut-mouth.png\" and stands as \"x\"";
    assert_eq!((moved[0].id.as_str(), reason(&moved[0])), ("x", said));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_does_not_begin_with_a_good_plan_is_refused_with_every_field() {
    let service = Root::new(&[]).service(&[]);
    let one = picture("a", "", sample("astronaut-mouth.png"));
    let refused = |requests: Vec<v1::EvaluateDatasetRequest>| {
        let service = service.clone();
        async move { status_of(&run(&service, requests).await.unwrap_err()) }
    };
    let (code, _, fields) = refused(vec![one.clone()]).await;
    assert_eq!((code, fields[0].0.as_str()), (Code::InvalidArgument, "plan"));
    let (code, ..) = refused(Vec::new()).await;
    assert_eq!(code, Code::InvalidArgument);
    let (code, _, fields) = refused(vec![plan(quick()), plan(quick())]).await;
    assert_eq!((code, fields[0].0.as_str()), (Code::InvalidArgument, "item"));
    let wrong = v1::DatasetPlan {
        resamples: Some(1),
        confidence: Some(2.0),
        plan: Some(v1::EvaluationPlan { scale: 9, ..Default::default() }),
        request_id: "\n".into(),
        priority: 9,
    };
    let wrong = v1::EvaluateDatasetRequest { kind: Some(Asked::Plan(wrong)) };
    let (_, message, fields) = refused(vec![wrong, one]).await;
    let fields: Vec<&str> = fields.iter().map(|(field, _)| field.as_str()).collect();
    let expected = [
        "plan.request_id",
        "plan.resamples",
        "plan.confidence",
        "plan.priority",
        "plan.plan.scale",
        "plan.plan.candidates",
    ];
    assert_eq!(fields, expected, "{message}");
    assert_eq!(service.passes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_a_stream_frees_everything() {
    let service = Root::new(&[]).service(&[("server.max_jobs", "2")]);
    let attack = v1::Attack { kind: Some(v1::attack::Kind::Paper(v1::AdversarialPaperFill::default())) };
    let slow = v1::AdversarialSufficiency { regions: Some(16), attack: Some(attack) };
    let slow = plan(vec![metric(metric::Kind::AdversarialSufficiency(slow))]);
    let pictures = (0..50).map(|i| picture(&i.to_string(), "", sample("astronaut-mouth.png")));
    let requests = std::iter::once(slow).chain(pictures).map(Ok);
    let answers = service.dataset(tokio_stream::iter(requests.collect::<Vec<_>>()));
    until(|| service.passes() > 0).await;
    drop(answers);
    until(|| service.waiting() == (0, 0)).await;
    // A place is given back a moment after the work under it has ended.
    let again = async {
        let asked = || vec![plan(quick()), picture("a", "", sample("astronaut-mouth.png"))];
        loop {
            match run(&service, asked()).await {
                Ok((rows, _)) => break rows,
                Err(status) => assert_eq!(status_of(&status).0, Code::ResourceExhausted),
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let rows = tokio::time::timeout(unmask_tests::PATIENCE, again).await.expect("the places are free again");
    assert_eq!(rows.len(), 1);
}

/// The reason of a row that failed.
fn reason(row: &v1::DatasetRow) -> &str {
    match &row.kind {
        Some(dataset_row::Kind::Failure(failure)) => &failure.message,
        other => panic!("{}: {other:?}", row.id),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_sent_back_counts_only_where_it_can_be_one_of_ours() {
    let service = Root::new(&[]).service(&[]);
    let whole = vec![plan(quick()), picture("a", "mouth", sample("astronaut-mouth.png"))];
    let (rows, honest) = run(&service, whole).await.unwrap();
    type Lie = fn(&mut v1::DatasetRow);
    fn inside(row: &mut v1::DatasetRow) -> &mut v1::EvaluateResponse {
        match &mut row.kind {
            Some(dataset_row::Kind::Answer(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }
    fn figures(row: &mut v1::DatasetRow) -> &mut Vec<v1::Figure> {
        &mut inside(row).evaluated[0].results[0].figures
    }
    let lies: [(Lie, &str); 9] = [
        (
            |row| {
                let twice = figures(row).clone();
                figures(row).extend(twice);
            },
            "stands once",
        ),
        (|row| figures(row)[0].name = "<script>\n".into(), "has \"<script>"),
        (|row| figures(row)[0].better = v1::Better::Higher.into(), "another direction is better"),
        (|row| figures(row)[0].value = Some(1e301), "not finite or beyond 1e300"),
        (|row| figures(row)[0].value = Some(f64::NAN), "not finite"),
        (|row| inside(row).model.as_mut().unwrap().sha256 = "0".into(), "of another model"),
        (|row| inside(row).model = None, "of another model"),
        (|row| row.family = "x".repeat(1 << 20), "has a family that no row has"),
        (|row| row.label = "\u{7}".into(), "has a label that no row has"),
    ];
    let mut requests = vec![plan(quick()), known(rows[0].clone())];
    for (i, (lie, _)) in lies.iter().enumerate() {
        let mut row = v1::DatasetRow { id: i.to_string(), ..rows[0].clone() };
        lie(&mut row);
        requests.push(known(row));
    }
    let (answers, summary) = run(&service, requests).await.unwrap();
    for (row, (_, words)) in answers[1..].iter().zip(&lies) {
        assert!(reason(row).contains(words), "{}", reason(row));
    }
    assert_eq!((summary.items, summary.failed), (10, 9));
    assert!(summary.means == honest.means, "what is no row of ours changes nothing");
    // Cost is told and not added up beyond what a number holds.
    let mut dear = rows[0].clone();
    inside(&mut dear).cost.as_mut().unwrap().run = u64::MAX;
    let twice = ["a", "b"].map(|id| known(v1::DatasetRow { id: id.into(), ..dear.clone() }));
    assert!(run(&service, std::iter::once(plan(quick())).chain(twice).collect()).await.is_ok());
    // Each family has means of its own.
    let many = (0..257)
        .map(|i| known(v1::DatasetRow { id: i.to_string(), family: i.to_string(), ..rows[0].clone() }));
    let (code, message, _) =
        status_of(&run(&service, std::iter::once(plan(quick())).chain(many).collect()).await.unwrap_err());
    assert!(code == Code::InvalidArgument && message.contains("more than 256 families"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_map_is_no_segmentation_of_a_dataset() {
    let service = Root::new(&[]).service(&[]);
    let labels = v1::Segmentation {
        kind: Some(v1::segmentation::Kind::Labels(v1::LabelSegmentation {
            height: 128,
            width: 128,
            values: vec![0; 2 * 128 * 128],
            ..Default::default()
        })),
    };
    let mut request = plan(quick());
    let Some(Asked::Plan(message)) = &mut request.kind else { panic!("a plan") };
    let own = message.plan.as_mut().unwrap();
    own.segmentation = Some(labels.clone());
    own.candidates[0].segmentation = Some(labels);
    let (code, message, fields) = status_of(&run(&service, vec![request]).await.unwrap_err());
    let fields: Vec<&str> = fields.iter().map(|(field, _)| field.as_str()).collect();
    let expected = ["plan.plan.segmentation.labels", "plan.plan.candidates[0].segmentation.labels"];
    assert_eq!((code, &fields[..]), (Code::InvalidArgument, &expected[..]), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_word_of_an_item_costs_that_item_alone() {
    let service = Root::new(&[]).service(&[]);
    let mut requests = vec![plan(quick())];
    for (i, label) in ["nope", "nope\n", "\u{e9}", "\u{1b}", &*"x".repeat(200)].into_iter().enumerate() {
        let picture = v1::DatasetPicture {
            image: sample("astronaut-mouth.png"),
            label: label.into(),
            ..Default::default()
        };
        requests.push(item(&i.to_string(), dataset_item::Kind::Picture(picture)));
    }
    requests.push(picture("good", "", sample("astronaut-mouth.png")));
    let (rows, summary) = run(&service, requests).await.unwrap();
    assert!(rows[..5].iter().all(|row| reason(row).contains("label")), "{rows:?}");
    assert_eq!((rows.len(), summary.failed), (6, 5));
    answer(&rows[5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_without_a_mask_has_all_figures_that_need_none() {
    let service = Root::new(&[]).service(&[]);
    let metrics = [quick(), vec![metric(metric::Kind::Auroc(v1::Auroc {}))]].concat();
    let bare = v1::DatasetPicture { image: sample("astronaut-mouth.png"), ..Default::default() };
    let requests = vec![plan(metrics), item("a", dataset_item::Kind::Picture(bare))];
    let (rows, _) = run(&service, requests).await.unwrap();
    let results = &answer(&rows[0]).evaluated[0].results;
    assert!(results[0].figures[0].value.is_some());
    assert_eq!(results.last().unwrap().figures[0].missing, "no mask was given");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_idle_keeps_nobody_out() {
    let service = Root::new(&[]).service(&[("server.max_jobs", "1")]);
    let idle: Vec<_> = (0..3)
        .map(|_| {
            let (sender, receiver) = tokio::sync::mpsc::channel(2);
            sender.try_send(Ok(plan(quick()))).unwrap();
            (sender, service.dataset(tokio_stream::wrappers::ReceiverStream::new(receiver)))
        })
        .collect();
    let requests = vec![plan(quick()), picture("a", "", sample("astronaut-mouth.png"))];
    let (rows, _) = run(&service, requests).await.unwrap();
    answer(&rows[0]);
    drop(idle);
}
