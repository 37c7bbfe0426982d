//! What can be asked: groups, contrasts, scales, presets and regions, through the real server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use unmask_protocol::v1::{self, method, segmentation, target};
use unmask_tests::{Root, assert_adds_up, explain, request, rise, values};

fn log_odds(prediction: &v1::Prediction, pro: &[&str], contra: &[&str]) -> f64 {
    let sum = |labels: &[&str]| {
        let inside = |s: &&v1::ClassScore| labels.contains(&s.label.as_str());
        prediction.scores.iter().filter(inside).map(|s| s.probability).sum::<f64>()
    };
    (sum(pro) / sum(contra)).ln()
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_contrasts_are_explained_on_the_scale_that_was_asked_for() {
    let service = Root::new(&[]).service(&[]);
    let label = |name: &str| Some(target::Kind::Label(name.into()));
    let group = |name: &str| Some(target::Kind::Group(name.into()));
    let against = |name: &str| Some(target::Against::AgainstLabel(name.into()));
    for (kind, against, name, pro, contra) in [
        (None, None, "mouth", &["mouth"][..], &["real", "blend", "swap", "eyes"][..]),
        (group("fake"), None, "fake", &["blend", "swap", "mouth", "eyes"], &["real"]),
        (group("part"), None, "part", &["mouth", "eyes"], &["real", "blend", "swap"]),
        (label("mouth"), against("eyes"), "mouth against eyes", &["mouth"], &["eyes"]),
    ] {
        let asked = v1::Target { kind, against, scale: 0 };
        let wanted = v1::ExplainRequest { target: Some(asked), method: Some(rise(128)), ..request() };
        let answer = explain(&service, wanted).await.unwrap();
        let target = answer.target.as_ref().unwrap();
        assert_eq!((target.label.as_str(), target.scale()), (name, v1::Scale::LogOdds));
        assert_eq!((target.pro.as_slice(), target.contra.as_slice()), (&own(pro)[..], &own(contra)[..]));
        let expected = log_odds(answer.prediction.as_ref().unwrap(), pro, contra);
        assert!((target.value - expected).abs() < 1e-3, "{name}: {} {expected}", target.value);
        let expected = log_odds(answer.fill_prediction.as_ref().unwrap(), pro, contra);
        assert!((target.fill_value() - expected).abs() < 1e-3, "{name}: {} {expected}", target.fill_value());
        assert_eq!(answer.reading(), v1::Reading::Evidence);
    }
    let asked = v1::Target { scale: v1::Scale::Probability.into(), ..unmask_tests::target("mouth") };
    let answer = explain(&service, v1::ExplainRequest { target: Some(asked), ..request() }).await.unwrap();
    let mouth = answer.prediction.unwrap().scores.iter().find(|s| s.label == "mouth").unwrap().probability;
    assert!((answer.target.unwrap().value - mouth).abs() < 1e-6);
}

fn own(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preset_brings_its_parameters_scale_and_fill_and_is_named_exactly() {
    let service = Root::new(&[]).service(&[]);
    let kind = method::Kind::Rise(v1::Rise { masks: Some(128), ..v1::Rise::default() });
    let method = v1::Method { kind: Some(kind), preset: "paper".into() };
    let wanted = v1::ExplainRequest { method: Some(method), fill: None, ..request() };
    let answer = explain(&service, wanted.clone()).await.unwrap();
    let resolved = answer.resolved.unwrap();
    let method = resolved.method.clone().unwrap();
    assert_eq!(method.preset, "paper@1");
    let Some(method::Kind::Rise(rise)) = method.kind else { panic!("it stays RISE") };
    assert_eq!((rise.masks, rise.grid, rise.centred), (Some(128), Some(7), Some(false)));
    assert!((rise.keep_probability.unwrap() - 0.539_827_837).abs() < 1e-9);
    assert_eq!(answer.target.unwrap().scale(), v1::Scale::DoubleSoftmax);
    assert_eq!(resolved.fill.clone().unwrap().kind, Some(v1::fill::Kind::Zero(v1::ZeroFill {})));
    // What was resolved, sent again, is the same question.
    let again = v1::ExplainRequest { method: resolved.method, fill: resolved.fill, ..wanted };
    assert!(explain(&service, again).await.unwrap().map == answer.map);
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_are_those_of_the_callers_label_map_under_its_own_numbers() {
    let service = Root::new(&[]).service(&[]);
    let values_of = |number: &dyn Fn(u32, u32) -> u16| {
        (0..128 * 128).flat_map(|i| number(i % 128, i / 128).to_le_bytes()).collect::<Vec<u8>>()
    };
    let values = values_of(&|x, y| if x < 64 { 7 } else { 300 + u16::from(y >= 64) });
    let labels =
        v1::LabelSegmentation { height: 128, width: 128, values: values.clone(), sha256: String::new() };
    let wanted = v1::ExplainRequest {
        segmentation: Some(v1::Segmentation { kind: Some(segmentation::Kind::Labels(labels)) }),
        outputs: vec![v1::Output::Labels.into()],
        ..request()
    };
    let answer = explain(&service, wanted).await.unwrap();
    let mut numbers: Vec<u32> = answer.regions.iter().map(|region| region.label).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [7, 300, 301]);
    let left = answer.regions.iter().find(|region| region.label == 7).unwrap();
    assert_eq!(left.r#box, Some(v1::Box { x: 0, y: 0, width: 64, height: 128 }));
    let shares: f64 = answer.regions.iter().map(|region| region.evidence_share).sum();
    assert!((shares - 1.0).abs() < 1e-9);
    let back = answer.labels.unwrap();
    assert!((back.height, back.width) == (128, 128) && back.values == values);
    let Some(segmentation::Kind::Labels(sent)) = answer.resolved.unwrap().segmentation.unwrap().kind else {
        panic!("it stays a label map")
    };
    assert!(sent.values.is_empty() && sent.sha256.len() == 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_segmentation_answers_and_segments_are_the_default_only_where_they_are_needed() {
    let service = Root::new(&[]).service(&[]);
    let lime = v1::Method {
        kind: Some(method::Kind::Lime(v1::Lime { samples: Some(128), ..v1::Lime::default() })),
        preset: String::new(),
    };
    for (kind, method, name) in [
        (None, rise(128), "grid"),
        (None, lime.clone(), "slic"),
        (Some(segmentation::Kind::Slic(v1::SlicSegmentation::default())), rise(128), "slic"),
        (Some(segmentation::Kind::Quickshift(v1::QuickshiftSegmentation::default())), lime, "quickshift"),
    ] {
        let segmentation = kind.map(|kind| v1::Segmentation { kind: Some(kind) });
        let wanted = v1::ExplainRequest { segmentation, method: Some(method), ..request() };
        let answer = explain(&service, wanted).await.unwrap();
        let used = match answer.resolved.unwrap().segmentation.unwrap().kind.unwrap() {
            segmentation::Kind::Grid(_) => "grid",
            segmentation::Kind::Slic(_) => "slic",
            segmentation::Kind::Quickshift(_) => "quickshift",
            segmentation::Kind::Labels(_) => "labels",
            segmentation::Kind::Parts(_) => "parts",
        };
        assert_eq!(used, name);
        assert!(values(&answer.map.unwrap()).iter().all(|v| v.is_finite()));
        assert_adds_up(&answer.cost.unwrap());
    }
}
