//! How far an answer is from that of infinitely many draws, and answers that end when they are near enough.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use unmask_protocol::v1::{self, SavingReason, Truncation, method};
use unmask_server::status_of;
use unmask_tests::{Root, assert_adds_up, explain, request, rise, values};

fn budget(max_passes: Option<u64>, target_error: Option<f64>) -> Option<v1::Budget> {
    Some(v1::Budget { max_passes, target_error })
}

fn of(kind: method::Kind) -> v1::ExplainRequest {
    let method = Some(v1::Method { kind: Some(kind), preset: String::new() });
    v1::ExplainRequest { method, outputs: vec![v1::Output::StandardErrors.into()], ..request() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_ends_once_its_error_is_as_small_as_was_asked_for_and_is_that_of_its_passes() {
    let service = Root::new(&[]).service(&[]);
    let asked = v1::ExplainRequest { method: Some(rise(20_000)), ..request() };
    let near = v1::ExplainRequest { budget: budget(None, Some(0.06)), ..asked.clone() };
    let near = explain(&service, near).await.unwrap();
    let cost = near.cost.as_ref().unwrap();
    assert!(near.converged && near.error.unwrap() <= 0.06, "{:?}", near.error);
    assert!(cost.run < 10_000, "{cost:?}");
    assert_eq!(cost.saved[0].reason(), SavingReason::Converged);
    assert_eq!(near.truncated_by(), Truncation::Unspecified);
    assert_adds_up(cost);
    let resolved = near.resolved.as_ref().unwrap();
    assert_eq!(resolved.budget, budget(None, Some(0.06)));
    // Whoever spends as much gets the same, and is told that it was cut short.
    let same = v1::ExplainRequest { budget: budget(Some(cost.used), None), ..asked.clone() };
    let same = explain(&service, same).await.unwrap();
    assert!(same.map == near.map && same.regions == near.regions && same.error == near.error);
    assert_eq!((same.converged, same.truncated_by()), (false, Truncation::Budget));
    // It does not stop much later than it might: the looks before were not near enough.
    let before = v1::ExplainRequest { budget: budget(Some(2 + (cost.used - 2) / 2), None), ..asked };
    assert!(explain(&service, before).await.unwrap().error.unwrap() > 0.06);
}

#[tokio::test(flavor = "multi_thread")]
async fn masks_in_pairs_and_sets_by_leverage_end_at_a_target_too() {
    let service = Root::new(&[]).service(&[]);
    let sampling = v1::KernelShapSampling::Leverage.into();
    for kind in [
        method::Kind::KernelShap(v1::KernelShap { samples: Some(20_000), sampling }),
        method::Kind::Rise(v1::Rise { masks: Some(20_000), paired: Some(true), ..Default::default() }),
    ] {
        let wanted = v1::ExplainRequest { budget: budget(None, Some(0.2)), ..of(kind) };
        let near = explain(&service, wanted).await.unwrap();
        let cost = near.cost.as_ref().unwrap();
        assert!(near.converged && near.error.unwrap() <= 0.2, "{kind:?}: {:?}", near.error);
        assert!(cost.run < 10_000 && cost.saved[0].reason() == SavingReason::Converged, "{cost:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_draw_say_how_far_they_are_and_others_do_not() {
    let service = Root::new(&[]).service(&[]);
    let drawing = [
        method::Kind::Rise(v1::Rise { masks: Some(256), ..Default::default() }),
        method::Kind::Lime(v1::Lime { samples: Some(256), ..Default::default() }),
        method::Kind::KernelShap(v1::KernelShap { samples: Some(512), ..Default::default() }),
    ];
    for kind in drawing {
        let answer = explain(&service, of(kind)).await.unwrap();
        for region in &answer.regions {
            let (error, interval) = (region.standard_error.unwrap(), region.confidence.unwrap());
            assert!(error > 0.0, "{region:?}");
            assert!((interval.high - interval.low - 2.0 * 1.96 * error).abs() < 1e-9, "{region:?}");
            assert!(((interval.high + interval.low) / 2.0 - region.mean).abs() < 1e-9, "{region:?}");
        }
        assert!(answer.error.unwrap() > 0.0 && !answer.converged);
        let errors = values(answer.standard_errors.as_ref().unwrap());
        assert_eq!(errors.len(), values(answer.map.as_ref().unwrap()).len());
        assert!(errors.iter().all(|error| *error > 0.0));
    }
    for kind in [
        method::Kind::Occlusion(v1::Occlusion::default()),
        method::Kind::Sobol(v1::Sobol { design: Some(4), ..Default::default() }),
        method::Kind::PartitionShap(v1::PartitionShap { evaluations: Some(128), ..Default::default() }),
        method::Kind::Hsic(v1::Hsic { masks: Some(128), ..Default::default() }),
        method::Kind::Hipe(v1::Hipe { passes: Some(128), ..Default::default() }),
    ] {
        let answer = explain(&service, of(kind)).await.unwrap();
        assert!(answer.regions.iter().all(|region| region.standard_error.is_none()), "{kind:?}");
        assert_eq!((answer.error, answer.standard_errors, answer.converged), (None, None, false), "{kind:?}");
        let wanted = v1::ExplainRequest { budget: budget(None, Some(0.1)), ..of(kind) };
        let status = explain(&service, wanted).await.unwrap_err();
        let (_, message, fields) = status_of(&status);
        assert_eq!(fields[0].0, "budget.target_error", "{message}");
        assert!(message.contains("does not know its error"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_nobody_could_reach_is_refused() {
    let service = Root::new(&[]).service(&[]);
    for target in [0.0, -1.0, 1e-4, 1.1, f64::NAN, f64::INFINITY] {
        let asked = v1::ExplainRequest { budget: budget(None, Some(target)), ..request() };
        let (_, message, fields) = status_of(&explain(&service, asked).await.unwrap_err());
        assert_eq!(fields[0].0, "budget.target_error", "{message}");
    }
    assert_eq!(service.passes(), 0);
}
