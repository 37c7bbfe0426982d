//! The presets of quality, through the real server on the shipped samples: what they stand for, what they find and what they cost.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use tonic::{Code, Request};
use unmask_protocol::v1::evaluation_service_server::EvaluationService as _;
use unmask_protocol::v1::{self, candidate, fill, method, metric};
use unmask_tests::{Root, above_mean, assert_adds_up, explain, rise, sample, timeless, values};

fn preset(name: &str) -> Option<v1::Method> {
    Some(v1::Method { kind: None, preset: name.into() })
}

fn asked(file: &str, method: Option<v1::Method>) -> v1::ExplainRequest {
    v1::ExplainRequest { image: sample(file), method, ..v1::ExplainRequest::default() }
}

/// Side of the samples and of the detector's frame.
const SIDE: usize = 128;

/// Where the detector was shown something manipulated.
fn mask(file: &str) -> Vec<bool> {
    let mask = image::load_from_memory(&sample(file)).unwrap().to_luma8();
    mask.pixels().map(|pixel| pixel.0[0] > 127).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_names_nothing_is_explained_by_the_balanced_preset_and_finds_what_was_manipulated() {
    let service = Root::new(&[]).service(&[]);
    for part in ["mouth", "eyes"] {
        let answer = explain(&service, asked(&format!("astronaut-{part}.png"), None)).await.unwrap();
        let method = answer.resolved.as_ref().unwrap().method.clone().unwrap();
        assert_eq!(method.preset, "balanced@1");
        assert!(matches!(method.kind, Some(method::Kind::Reveal(_))), "{method:?}");
        assert!(answer.adversarial.as_ref().unwrap().flipped);
        assert_adds_up(answer.cost.as_ref().unwrap());
        let mask = mask(&format!("astronaut-{part}.mask.png"));
        let map = values(&answer.map.unwrap());
        let area = mask.iter().filter(|inside| **inside).count() as f64 / mask.len() as f64;
        let inside = above_mean(&map, &mask);
        assert!(inside > 3.0 * area, "{part}: {inside:.3} of the evidence in {area:.3} of the frame");
        let best = (0..map.len()).max_by(|a, b| map[*a].total_cmp(&map[*b])).unwrap();
        // A cell is 16 pixels wide: the peak is known to half of one.
        let apart = |i: usize| (i % SIDE).abs_diff(best % SIDE).max((i / SIDE).abs_diff(best / SIDE));
        let distance = (0..mask.len()).filter(|i| mask[*i]).map(apart).min().unwrap();
        assert!(distance <= 8, "{part}: the peak lies {distance} pixels outside");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_preset_resolved_to_gives_the_same_bytes_again() {
    let service = Root::new(&[]).service(&[]);
    for name in ["fast", "balanced@1", "thorough"] {
        let first = explain(&service, asked("astronaut-mouth.png", preset(name))).await.unwrap();
        let resolved = first.resolved.clone().unwrap();
        assert_eq!(resolved.method.as_ref().unwrap().preset.split('@').next(), name.split('@').next());
        let again = v1::ExplainRequest {
            method: resolved.method.clone(),
            fill: resolved.fill.clone(),
            segmentation: resolved.segmentation.clone(),
            request_id: first.request_id.clone(),
            ..asked("astronaut-mouth.png", None)
        };
        let again = explain(&service, again).await.unwrap();
        let bare = |answer| v1::ExplainResponse { cost: None, ..timeless(answer) };
        assert!(bare(first) == bare(again), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_names_stands_beside_the_preset() {
    let service = Root::new(&[]).service(&[]);
    let grey = v1::Fill { kind: Some(fill::Kind::Constant(v1::ConstantFill::default())) };
    let kind = method::Kind::Reveal(v1::Reveal { grid: Some(4), smoothing: None });
    let method = Some(v1::Method { kind: Some(kind), preset: "fast".into() });
    let wanted = v1::ExplainRequest { fill: Some(grey.clone()), ..asked("astronaut-mouth.png", method) };
    let answer = explain(&service, wanted).await.unwrap();
    let resolved = answer.resolved.unwrap();
    let Some(method::Kind::Reveal(reveal)) = resolved.method.unwrap().kind else { panic!("it stays Reveal") };
    assert_eq!(reveal.grid, Some(4));
    assert!(matches!(resolved.fill.unwrap().kind, Some(fill::Kind::Constant(_))));
    assert_eq!(answer.cost.unwrap().run, 18);

    let method = Some(v1::Method { preset: "balanced".into(), ..rise(128) });
    let error = explain(&service, asked("astronaut-mouth.png", method)).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().contains("method.preset: preset balanced@1 explains by reveal"), "{error}");
    let error = explain(&service, asked("astronaut-mouth.png", preset("best"))).await.unwrap_err();
    assert!(error.message().contains("allowed are paper@1, fast@1, balanced@1, thorough@1"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_cuts_the_search_and_then_the_patches_and_a_map_is_left() {
    let service = Root::new(&[]).service(&[]);
    let whole = explain(&service, asked("astronaut-mouth.png", None)).await.unwrap();
    let most = whole.cost.unwrap().run - 20;
    let budget = Some(v1::Budget { max_passes: Some(most), target_error: None });
    let answer =
        explain(&service, v1::ExplainRequest { budget, ..asked("astronaut-mouth.png", None) }).await.unwrap();
    assert_eq!(answer.truncated_by(), v1::Truncation::Budget);
    assert!(values(&answer.map.unwrap()).iter().all(|value| value.is_finite()));
    let few = Some(v1::Budget { max_passes: Some(30), target_error: None });
    let error =
        explain(&service, v1::ExplainRequest { budget: few, ..asked("astronaut-mouth.png", None) }).await;
    assert!(error.unwrap_err().message().contains("no answer with fewer than 40 passes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn presets_are_judged_like_methods_and_their_passes_are_told() {
    let service = Root::new(&[]).service(&[]);
    let candidate = |name: &str, method| v1::Candidate {
        name: name.into(),
        kind: Some(candidate::Kind::Method(method)),
        ..v1::Candidate::default()
    };
    let plan = v1::EvaluationPlan {
        candidates: vec![candidate("", preset("fast").unwrap()), candidate("rise", rise(128))],
        metrics: vec![v1::Metric { kind: Some(metric::Kind::Sparseness(v1::Sparseness {})) }],
        ..v1::EvaluationPlan::default()
    };
    let request = v1::EvaluateRequest {
        image: sample("astronaut-mouth.png"),
        plan: Some(plan),
        ..v1::EvaluateRequest::default()
    };
    let answer = service.evaluate(Request::new(request)).await.unwrap().into_inner();
    let [fast, rise, control, ..] = answer.evaluated.as_slice() else { panic!("{answer:?}") };
    assert_eq!((fast.name.as_str(), rise.name.as_str()), ("fast", "rise"));
    let search = fast.adversarial.as_ref().unwrap().passes;
    assert_eq!((fast.used, rise.used, control.used), (66 + search, 130, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_called_real_is_explained_the_other_way_round() {
    let service = Root::new(&[]).service(&[]);
    let answer = explain(&service, asked("astronaut-real.png", preset("fast"))).await.unwrap();
    assert!(!answer.prediction.unwrap().fake);
    let sample = answer.adversarial.unwrap();
    assert!(sample.margin_before < 0.0 && sample.margin_after > sample.margin_before, "{sample:?}");
    assert!(values(&answer.map.unwrap()).iter().all(|value| value.is_finite()));
}
