//! The smallest change that changes the decision.

use std::time::Duration;

use tonic::Request;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::v1::{self, CounterfactualEnd, FacePart};
use unmask_tests::{assert_adds_up, explain, image_fill, sample, timeless};

use super::{every_method, of_kind, service, told};

fn asked(name: &str) -> v1::ExplainRequest {
    v1::ExplainRequest { counterfactual: Some(v1::CounterfactualSearch::default()), ..told(name) }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_picture_is_decided_otherwise_in_a_pass_of_its_own() {
    let service = service();
    for name in ["astronaut-mouth.png", "astronaut-eyes.png", "astronaut-blend.png", "astronaut-real.png"] {
        let answer = explain(&service, asked(name)).await.unwrap();
        assert_adds_up(answer.cost.as_ref().unwrap());
        let found = answer.counterfactual.as_ref().unwrap();
        let before = answer.prediction.as_ref().unwrap();
        assert_eq!(found.end(), CounterfactualEnd::Found, "{name}: {:?}", shown(found));
        assert!(!found.parts.is_empty() && found.labels.is_empty() && found.parts.len() == found.boxes.len());
        let request = v1::PredictRequest { image: found.image_png.clone(), ..Default::default() };
        let fresh = service.predict(Request::new(request)).await.unwrap().into_inner().prediction.unwrap();
        assert_ne!(fresh.fake, before.fake, "{name}");
        assert_eq!(Some(&fresh), found.prediction.as_ref(), "{name}: it says what a fresh pass says");
        // What was not replaced is the picture's own.
        let (changed, own) = (pixels(&found.image_png), pixels(&sample(name)));
        let differing = changed.pixels().zip(own.pixels()).filter(|(a, b)| a != b).count();
        let most = found.area_share * f64::from(own.width() * own.height());
        assert!(differing > 0 && differing as f64 <= most + 0.5, "{name}: {differing} of {most}");
        let sentence = &of_kind(&answer, v1::SentenceKind::Counterfactual)[0].text;
        let start = if found.smallest { "The least that has to be replaced" } else { "Replacing " };
        assert!(sentence.starts_with(start), "{sentence}");
    }
}

fn pixels(png: &[u8]) -> image::RgbImage {
    image::load_from_memory(png).unwrap().to_rgb8()
}

/// Without the picture.
fn shown(found: &v1::Counterfactual) -> v1::Counterfactual {
    v1::Counterfactual { image_png: Vec::new(), ..found.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_manipulated_is_part_of_what_has_to_be_replaced() {
    let answer = explain(&service(), asked("astronaut-mouth.png")).await.unwrap();
    let found = answer.counterfactual.unwrap();
    assert!(found.smallest && found.parts().any(|part| part == FacePart::Mouth), "{:?}", shown(&found));
    assert!(found.parts.len() < 4 && found.area_share < 0.25, "{:?}", shown(&found));
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_that_are_named_are_those_that_are_replaced() {
    let grid = v1::GridSegmentation { rows: Some(4), cols: Some(4) };
    let segmentation = Some(v1::Segmentation { kind: Some(v1::segmentation::Kind::Grid(grid)) });
    let search = v1::CounterfactualSearch { regions: Some(8), max_passes: Some(64), parts: None };
    let request =
        v1::ExplainRequest { segmentation, counterfactual: Some(search), ..told("astronaut-mouth.png") };
    let answer = explain(&service(), request).await.unwrap();
    let found = answer.counterfactual.as_ref().unwrap();
    assert!(found.parts.is_empty() && found.candidates == 8 && found.passes <= 64, "{:?}", shown(found));
    assert_eq!(found.end(), CounterfactualEnd::Found);
    for (label, b) in found.labels.iter().zip(&found.boxes) {
        assert_eq!((b.x, b.y, b.width, b.height), (label % 4 * 32, label / 4 * 32, 32, 32));
    }
    assert_adds_up(&answer.cost.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_changes_the_decision_that_is_said() {
    let service = service();
    // What is replaced by itself is not changed.
    let fill = image_fill(sample("astronaut-mouth.png"));
    for (regions, end, words) in [
        (4, CounterfactualEnd::None, "No set of the 4 candidates changes the decision"),
        (12, CounterfactualEnd::Passes, "not all were tried"),
    ] {
        let search = v1::CounterfactualSearch { regions: Some(regions), ..Default::default() };
        let request = v1::ExplainRequest {
            fill: Some(fill.clone()),
            counterfactual: Some(search),
            ..told("astronaut-mouth.png")
        };
        let answer = explain(&service, request).await.unwrap();
        let found = answer.counterfactual.as_ref().unwrap();
        assert_eq!((found.end(), found.candidates), (end, regions), "{:?}", shown(found));
        assert!(found.image_png.is_empty() && found.prediction.is_none() && !found.smallest);
        let sentence = &of_kind(&answer, v1::SentenceKind::Counterfactual)[0].text;
        assert!(sentence.contains(words), "{sentence}");
        assert_adds_up(&answer.cost.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_beside_the_budget_and_the_same_every_time() {
    let service = service();
    let plain =
        v1::ExplainRequest { outputs: Vec::new(), counterfactual: None, ..asked("astronaut-eyes.png") };
    let without = explain(&service, plain).await.unwrap();
    let used = without.cost.as_ref().unwrap().used;
    let budget = Some(v1::Budget { max_passes: Some(used), target_error: None });
    let request = v1::ExplainRequest {
        budget,
        outputs: vec![v1::Output::Sentences.into(), v1::Output::Steadiness.into()],
        ..asked("astronaut-eyes.png")
    };
    let first = explain(&service, request.clone()).await.unwrap();
    assert_eq!((&first.map, first.cost.as_ref().unwrap().used), (&without.map, used));
    assert!(first.cost.as_ref().unwrap().run > used, "{:?}", first.cost);
    assert_eq!(first.counterfactual.as_ref().unwrap().end(), CounterfactualEnd::Found);
    assert!(
        first.steadiness.as_ref().is_some_and(|s| s.seed == 1 && s.correlation > 0.3),
        "{:?}",
        first.steadiness
    );
    let bare = |answer| v1::ExplainResponse { cost: None, ..timeless(answer) };
    assert_adds_up(first.cost.as_ref().unwrap());
    let again = explain(&service, request).await.unwrap();
    assert_adds_up(again.cost.as_ref().unwrap());
    assert_eq!(bare(first), bare(again));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_whose_time_is_up_is_told_without_what_comes_after_it() {
    let service = service();
    let rise = v1::Rise { masks: Some(100_000), ..Default::default() };
    let method = v1::Method { kind: Some(v1::method::Kind::Rise(rise)), preset: String::new() };
    let outputs = vec![v1::Output::Sentences.into(), v1::Output::Steadiness.into()];
    let mut request =
        Request::new(v1::ExplainRequest { method: Some(method), outputs, ..asked("astronaut-mouth.png") });
    request.set_timeout(Duration::from_secs(4));
    let answer = service.explain(request).await.unwrap().into_inner();
    assert_eq!(answer.truncated_by(), v1::Truncation::Deadline);
    assert!(answer.checks.is_empty() && answer.steadiness.is_none());
    assert_eq!(answer.counterfactual.as_ref().unwrap().end(), CounterfactualEnd::Deadline);
    let reasons: Vec<_> = answer.cost.as_ref().unwrap().saved.iter().map(v1::Saving::reason).collect();
    assert!(!reasons.contains(&v1::SavingReason::Converged), "{:?}", answer.cost);
    let certain = of_kind(&answer, v1::SentenceKind::Certainty);
    assert!(certain[0].text.starts_with("The deadline ended the explanation"), "{certain:?}");
    assert_adds_up(&answer.cost.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ends_a_method_the_passes_add_up_and_the_search_tells_its_own() {
    let service = service();
    let grid = v1::GridSegmentation { rows: Some(2), cols: Some(2) };
    let segmentation = Some(v1::Segmentation { kind: Some(v1::segmentation::Kind::Grid(grid)) });
    let rise = v1::Rise { masks: Some(4000), ..Default::default() };
    let method = Some(v1::Method { kind: Some(v1::method::Kind::Rise(rise)), preset: String::new() });
    // Ended by its target while further rounds are on their way.
    let budget = Some(v1::Budget { target_error: Some(0.9), max_passes: None });
    for outputs in [vec![], vec![v1::Output::Sentences.into()]] {
        let mut passes = Vec::new();
        for _ in 0..3 {
            let request = v1::ExplainRequest {
                segmentation: segmentation.clone(),
                method: method.clone(),
                fill: Some(image_fill(sample("astronaut-real.png"))),
                budget,
                outputs: outputs.clone(),
                ..asked("astronaut-mouth.png")
            };
            let answer = explain(&service, request).await.unwrap();
            assert_adds_up(answer.cost.as_ref().unwrap());
            passes.push(answer.counterfactual.unwrap().passes);
        }
        // Fifteen sets and few checks, the same every time.
        assert!(passes[0] <= 20 && passes.iter().all(|p| *p == passes[0]), "{passes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_can_be_explained_once_more() {
    let service = service();
    for kind in every_method() {
        let request = v1::ExplainRequest {
            method: Some(v1::Method { kind: Some(kind), preset: String::new() }),
            fill: Some(image_fill(sample("astronaut-real.png"))),
            outputs: vec![v1::Output::Steadiness.into()],
            ..told("astronaut-mouth.png")
        };
        let answer = explain(&service, request).await.unwrap();
        assert!(answer.steadiness.is_some_and(|s| s.correlation > 0.0), "{kind:?}: {:?}", answer.steadiness);
        assert_eq!(answer.truncated_by(), v1::Truncation::Unspecified, "{kind:?}");
        assert_adds_up(&answer.cost.unwrap());
    }
}
