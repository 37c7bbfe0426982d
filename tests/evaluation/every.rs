//! Every metric, on the shipped detector.

use unmask_protocol::v1::{self, Better};
use unmask_tests::{Root, assert_adds_up};

use crate::{evaluate, figures, metric, metrics, original, planned, request, timeless};

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_has_its_figures_beside_the_controls_and_the_costs_add_up() {
    let service = Root::new(&[]).service(&[]);
    let answer = evaluate(&service, request(metrics())).await.unwrap();
    let names: Vec<&str> = answer.evaluated.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["occlusion over image", "centred Gaussian", "uniform", "random"]);
    assert_eq!(answer.evaluated.iter().map(|e| e.control).collect::<Vec<_>>(), [false, true, true, true]);
    let cost = answer.cost.as_ref().unwrap();
    assert_adds_up(cost);
    assert_eq!(service.passes(), cost.run, "every pass is on the bill");
    assert_eq!(answer.prediction.as_ref().unwrap().label, "mouth");
    assert_eq!(answer.warnings.len(), 1, "{:?}", answer.warnings);
    let abouts = unmask_explainer::metrics::METRICS;
    for evaluated in &answer.evaluated {
        assert_eq!(evaluated.results.len(), abouts.len());
        for (result, about) in evaluated.results.iter().zip(abouts) {
            assert_eq!(result.metric, about.entry.name);
            assert!(!result.figures.is_empty() && result.missing.is_empty(), "{result:?}");
            assert!(result.run <= result.announced, "{} {}", evaluated.name, result.metric);
            for figure in &result.figures {
                assert_ne!(figure.better(), Better::Unspecified);
                assert!(figure.value.is_none_or(f64::is_finite), "{result:?}");
                assert_eq!(figure.value.is_none(), !figure.missing.is_empty(), "{figure:?}");
                let own = !evaluated.control;
                assert!(figure.value.is_some() || !own, "{} {figure:?}", result.metric);
            }
        }
    }
    let places = ["average_precision", "relevance_mass", "relevance_rank", "iou"];
    beats(&answer, 1..4, &places.map(|name| (name, true)));
    let hit = figures(&answer.evaluated[0]).iter().any(|f| f.1 == "pointing_game" && f.2 == Some(1.0));
    assert!(hit);
}

/// Over the original, removal tells the explanation from smooth maps that know nothing. A random map strews its pixels over the
/// whole face, which undoes the traces that the detector looks for at once: it does best of all, whatever the fill, and is no
/// measure for a smooth map.
#[tokio::test(flavor = "multi_thread")]
async fn removal_over_the_original_knows_the_mouth() {
    let service = Root::new(&[]).service(&[]);
    let fill = || Some(v1::Fill { kind: Some(original()) });
    let removal = vec![
        metric(v1::metric::Kind::Deletion(v1::Deletion { step: Some(1024), fill: fill() })),
        metric(v1::metric::Kind::Comprehensiveness(v1::Comprehensiveness { fill: fill() })),
    ];
    let answer = evaluate(&service, request(removal)).await.unwrap();
    beats(&answer, 1..3, &[("deletion", false), ("comprehensiveness", true)]);
}

/// The explanation beats these controls: higher where that is better, else lower.
fn beats(answer: &v1::EvaluateResponse, controls: std::ops::Range<usize>, figure_names: &[(&str, bool)]) {
    let of = |at: usize, name: &str| {
        let found = figures(&answer.evaluated[at]).into_iter().find(|(_, figure, _)| *figure == name);
        found.unwrap_or_else(|| panic!("{name}")).2
    };
    for (name, higher) in figure_names {
        let own = of(0, name).unwrap();
        for control in controls.clone() {
            let other = of(control, name).unwrap();
            assert!(if *higher { own > other } else { own < other }, "{name}: {own} and {other}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_gives_the_same_bytes_for_every_batch_and_worker_count() {
    let root = Root::new(&[]);
    let mut first = None;
    for (workers, batch) in [("1", "1"), ("2", "7"), ("2", "64")] {
        let service = root.service(&[("pool.workers", workers), ("pool.batch", batch)]);
        let answer = timeless(evaluate(&service, request(metrics())).await.unwrap());
        assert!(
            *first.get_or_insert_with(|| answer.clone()) == answer,
            "{workers} workers, batches of {batch}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_announces_what_a_real_one_does_and_runs_nothing() {
    let service = Root::new(&[]).service(&[]);
    let wanted = request(metrics());
    let dry = evaluate(&service, v1::EvaluateRequest { dry_run: true, ..wanted.clone() });
    let dry = dry.await.unwrap();
    assert_eq!(service.passes(), 0);
    let real = evaluate(&service, wanted).await.unwrap();
    let announced = |answer: &v1::EvaluateResponse| {
        let each = answer.evaluated.iter().flat_map(|e| e.results.iter().map(|r| r.announced));
        (answer.cost.as_ref().unwrap().announced, each.collect::<Vec<_>>())
    };
    assert_eq!(announced(&dry), announced(&real));
    assert_eq!(dry.resolved, real.resolved);
    assert!(
        dry.prediction.is_none()
            && dry.evaluated.iter().all(|e| e.results.iter().all(|r| r.figures.is_empty()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_answered_as_used_gives_the_same_answer() {
    // Image fills are answered by their digest alone, so that this plan has none.
    let service = Root::new(&[]).service(&[]);
    let wanted = planned(request(metrics()), |plan| plan.candidates[0].fill = None);
    let answer = evaluate(&service, wanted.clone()).await.unwrap();
    let again = v1::EvaluateRequest { plan: answer.resolved.clone(), ..wanted };
    assert!(timeless(evaluate(&service, again).await.unwrap()) == timeless(answer));
}
