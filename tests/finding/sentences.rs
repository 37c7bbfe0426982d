//! Every number in a sentence is one of the answer that it comes with.

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _, Value};
use unmask_protocol::{DESCRIPTOR_SET, v1};
use unmask_tests::{explain, grey_fill, image_fill, rise, sample};

use super::{of_kind, service, told};

/// The number at a path such as `parts[0].evidence_share`.
fn at(answer: &v1::ExplainResponse, path: &str) -> f64 {
    let pool = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
    let descriptor = pool.get_message_by_name("unmask.v1.ExplainResponse").unwrap();
    let message = DynamicMessage::decode(descriptor, answer.encode_to_vec().as_slice()).unwrap();
    let mut value = Value::Message(message);
    for step in path.split('.') {
        let (name, index) = match step.split_once('[') {
            Some((name, index)) => (name, Some(index.strip_suffix(']').unwrap().parse::<usize>().unwrap())),
            None => (step, None),
        };
        let outer = value.as_message().unwrap();
        assert!(outer.descriptor().get_field_by_name(name).is_some(), "there is no field {path}");
        let inner = outer.get_field_by_name(name).unwrap().into_owned();
        value = match index {
            Some(index) => inner.as_list().unwrap()[index].clone(),
            None => inner,
        };
    }
    let whole = || value.as_u64().map(|v| v as f64).or(value.as_u32().map(f64::from));
    value.as_f64().or_else(whole).unwrap_or_else(|| panic!("{path} is no number: {value:?}"))
}

/// How the number is to be read, worked out anew.
fn shown(value: f64, like: &str) -> String {
    if let Some(percent) = like.strip_suffix(" %") {
        let decimals = percent.split('.').nth(1).map_or(0, str::len);
        assert_eq!(decimals, usize::from(value * 100.0 < 9.95), "{like}");
        return format!("{:.decimals$} %", value * 100.0);
    }
    let decimals = like.split('.').nth(1).map_or(0, str::len);
    let sign = if like.starts_with('+') && value >= -0.005 { "+" } else { "" };
    let value = if value.abs() < 0.005 { 0.0 } else { value };
    format!("{sign}{value:.decimals$}")
}

fn check(answer: &v1::ExplainResponse) {
    assert!(!answer.sentences.is_empty());
    for sentence in &answer.sentences {
        let mut left = sentence.text.clone();
        for v1::Number { field, shown: said } in &sentence.numbers {
            assert_eq!(&shown(at(answer, field), said), said, "{field}: {}", sentence.text);
            assert!(left.contains(said), "{said} is not in \"{}\"", sentence.text);
            left = left.replacen(said, "", 1);
        }
        assert!(
            !left.contains(|c: char| c.is_ascii_digit()),
            "a number of \"{}\" is not told of",
            sentence.text
        );
    }
    let kinds: Vec<i32> = answer.sentences.iter().map(|sentence| sentence.kind).collect();
    assert!(kinds.is_sorted(), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_in_a_sentence_is_recomputed_from_its_answer() {
    let service = service();
    let full = |name: &str| v1::ExplainRequest {
        outputs: vec![v1::Output::Sentences.into(), v1::Output::Steadiness.into()],
        counterfactual: Some(v1::CounterfactualSearch::default()),
        ..told(name)
    };
    for name in ["astronaut-mouth.png", "astronaut-eyes.png", "astronaut-blend.png", "astronaut-real.png"] {
        check(&explain(&service, full(name)).await.unwrap());
    }
    let grid = v1::GridSegmentation { rows: Some(4), cols: Some(5) };
    let cut = v1::Segmentation { kind: Some(v1::segmentation::Kind::Grid(grid)) };
    let budget = v1::Budget { max_passes: Some(400), target_error: None };
    // With an error, a budget that ends it, and a fill that is called manipulated.
    let rough = v1::ExplainRequest {
        method: Some(rise(2000)),
        fill: Some(grey_fill()),
        segmentation: Some(cut),
        budget: Some(budget),
        ..full("astronaut-mouth.png")
    };
    let answer = explain(&service, rough).await.unwrap();
    check(&answer);
    let certain = of_kind(&answer, v1::SentenceKind::Certainty);
    assert!(certain.len() >= 2, "{certain:?}");
    // What is said of the fill is what the detector says of it.
    let is_fake = answer.fill_prediction.as_ref().unwrap().fake;
    let limits = of_kind(&answer, v1::SentenceKind::Limit);
    assert_eq!(limits.iter().any(|limit| limit.text.contains("itself called manipulated")), is_fake);
    // Without a face, of regions.
    let without = unmask_tests::Root::new(&[]).service(&[]);
    let fill = Some(image_fill(sample("astronaut-real.png")));
    let method = Some(rise(512));
    let answer =
        explain(&without, v1::ExplainRequest { fill, method, ..full("astronaut-mouth.png") }).await.unwrap();
    check(&answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mouth_is_named_by_what_was_done_to_it() {
    let service = service();
    let answer = explain(&service, told("astronaut-mouth.png")).await.unwrap();
    let evidence = of_kind(&answer, v1::SentenceKind::Evidence);
    assert!(evidence[0].text.contains("lies in the mouth ("), "{evidence:?}");
    let [found, _, middle] = answer.checks.as_slice() else { panic!("three were made: {:?}", answer.checks) };
    let effect = of_kind(&answer, v1::SentenceKind::Effect);
    let still = found.prediction.as_ref().unwrap().fake;
    assert_eq!(effect[0].text.contains("still calls it manipulated"), still, "{effect:?}");
    let control = of_kind(&answer, v1::SentenceKind::Control);
    let percent = |check: &v1::Check| (100.0 * check.prediction.as_ref().unwrap().fake_probability).round();
    let better = percent(found) < percent(middle);
    assert_eq!(control[0].text.contains("is better than that guess"), better, "{control:?}");
    // The same in German.
    let german = v1::ExplainRequest { language: "de".into(), ..told("astronaut-mouth.png") };
    let german = explain(&service, german).await.unwrap();
    assert!(
        of_kind(&german, v1::SentenceKind::Evidence)[0].text.contains("Mund ("),
        "{:?}",
        german.sentences
    );
    assert_eq!(german.resolved.unwrap().language, "de");
}
