//! Every method over every fill, through the real server: the same bytes whatever the pool looks like, costs that add up,
//! finite maps, and places that are freed when nobody waits.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use tonic::Request;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::v1::{self, fill, method};
use unmask_server::Service;
use unmask_tests::{Root, assert_adds_up, explain, model, png, unpaid, until, values};

const SIDE: u32 = 32;

fn picture() -> Vec<u8> {
    png(SIDE, SIDE, |x, y| [(x * 7) as u8, (y * 7) as u8, (x * 3 + y * 4) as u8])
}

/// Small explanations by every method of the contract, and those whose preset is another algorithm.
fn methods() -> Vec<v1::Method> {
    let kinds = [
        method::Kind::Rise(v1::Rise { masks: Some(300), ..v1::Rise::default() }),
        method::Kind::Occlusion(v1::Occlusion::default()),
        method::Kind::Lime(v1::Lime { samples: Some(300), ..v1::Lime::default() }),
        method::Kind::Sobol(v1::Sobol { grid: Some(4), design: Some(16), ..v1::Sobol::default() }),
        method::Kind::PartitionShap(v1::PartitionShap {
            evaluations: Some(300),
            ..v1::PartitionShap::default()
        }),
        method::Kind::KernelShap(v1::KernelShap { samples: Some(300), ..Default::default() }),
        method::Kind::Reveal(v1::Reveal::default()),
        method::Kind::Hsic(v1::Hsic { grid: Some(4), masks: Some(200) }),
        method::Kind::Hipe(v1::Hipe { passes: Some(200), ..Default::default() }),
    ];
    let with = |preset: &str| {
        let preset = preset.to_owned();
        kinds.map(move |kind| v1::Method { kind: Some(kind), preset: preset.clone() })
    };
    with("").into_iter().chain(with("paper")).collect()
}

/// Every fill of the contract.
fn fills() -> Vec<v1::Fill> {
    [
        fill::Kind::Constant(v1::ConstantFill::default()),
        fill::Kind::Mean(v1::MeanFill {}),
        fill::Kind::Blur(v1::BlurFill::default()),
        fill::Kind::Image(v1::ImageFill {
            image: png(SIDE, SIDE, |x, y| [x as u8, 9, y as u8]),
            ..Default::default()
        }),
        fill::Kind::SegmentMean(v1::SegmentMeanFill {}),
        fill::Kind::BoxBlur(v1::BoxBlurFill::default()),
        fill::Kind::Noise(v1::NoiseFill::default()),
        fill::Kind::Zero(v1::ZeroFill {}),
        fill::Kind::Adversarial(v1::AdversarialFill {
            max_passes: Some(200),
            grid: Some(8),
            ..Default::default()
        }),
        fill::Kind::AdversarialPaper(v1::AdversarialPaperFill { steps: Some(2), ..Default::default() }),
    ]
    .map(|kind| v1::Fill { kind: Some(kind) })
    .into()
}

fn request(name: &str, method: &v1::Method, fill: &v1::Fill) -> v1::ExplainRequest {
    v1::ExplainRequest {
        image: picture(),
        model: model(name),
        method: Some(method.clone()),
        fill: Some(fill.clone()),
        outputs: vec![v1::Output::Overlay.into(), v1::Output::Fill.into(), v1::Output::Labels.into()],
        seed: 9,
        ..v1::ExplainRequest::default()
    }
}

#[test]
fn the_lists_name_every_method_and_fill() {
    let name = |kind: &method::Kind| match kind {
        method::Kind::Rise(_) => "rise",
        method::Kind::Occlusion(_) => "occlusion",
        method::Kind::Lime(_) => "lime",
        method::Kind::Sobol(_) => "sobol",
        method::Kind::PartitionShap(_) => "partition_shap",
        method::Kind::KernelShap(_) => "kernel_shap",
        method::Kind::Reveal(_) => "reveal",
        method::Kind::Hsic(_) => "hsic",
        method::Kind::Hipe(_) => "hipe",
    };
    for descriptor in unmask_explainer::methods::METHODS {
        let found = methods().iter().any(|m| name(m.kind.as_ref().unwrap()) == descriptor.name);
        assert!(found, "{} is not in the matrix", descriptor.name);
    }
    assert_eq!(fills().len(), unmask_explainer::fill::FILLS.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_over_every_fill_gives_the_same_bytes_for_every_batch_and_worker_count() {
    let root = Root::new(&["planted-linear", "planted-constant"]);
    let pools: Vec<Service> = [("1", "1"), ("2", "7"), ("2", "64")]
        .map(|(workers, batch)| root.service(&[("pool.workers", workers), ("pool.batch", batch)]))
        .into();
    for method in methods() {
        for fill in fills() {
            let what = format!("{method:?} over {fill:?}");
            let mut first = None;
            for service in &pools {
                let answer = explain(service, request("planted-linear", &method, &fill)).await.unwrap();
                assert_adds_up(answer.cost.as_ref().unwrap());
                assert!(values(answer.map.as_ref().unwrap()).iter().all(|v| v.is_finite()), "{what}");
                assert!(answer.fill_png.starts_with(b"\x89PNG"), "{what}");
                let answer = unpaid(answer);
                let expected = first.get_or_insert_with(|| answer.clone());
                assert!(answer == *expected, "{what}");
            }
            let flat = explain(&pools[1], request("planted-constant", &method, &fill)).await.unwrap();
            assert_adds_up(flat.cost.as_ref().unwrap());
            let map = values(flat.map.as_ref().unwrap());
            // The paper's RISE keeps the constant score times the mean mask: finite, and not flat.
            let exempt = matches!(&method.kind, Some(method::Kind::Rise(_))) && method.preset == "paper";
            assert!(map.iter().all(|v| v.is_finite() && (exempt || *v == 0.0)), "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_frees_its_places_whatever_it_asked_for() {
    let service = Root::new(&[]).service(&[("pool.workers", "1")]);
    let original = v1::Fill { kind: Some(fill::Kind::Mean(v1::MeanFill {})) };
    let endless = v1::AdversarialPaperFill { steps: Some(1000), ..Default::default() };
    let endless = v1::Fill { kind: Some(fill::Kind::AdversarialPaper(endless)) };
    let long = [
        (method::Kind::Rise(v1::Rise { masks: Some(100_000), ..Default::default() }), &original),
        (method::Kind::Lime(v1::Lime { samples: Some(20_000), ..Default::default() }), &original),
        (method::Kind::Sobol(v1::Sobol { design: Some(1024), ..Default::default() }), &original),
        (
            method::Kind::PartitionShap(v1::PartitionShap {
                evaluations: Some(100_000),
                ..Default::default()
            }),
            &original,
        ),
        (
            method::Kind::KernelShap(v1::KernelShap { samples: Some(100_000), ..Default::default() }),
            &original,
        ),
        (method::Kind::Occlusion(v1::Occlusion::default()), &endless),
    ];
    for (kind, fill) in long {
        let method = v1::Method { kind: Some(kind), preset: String::new() };
        let (what, before) = (format!("{method:?}"), service.passes());
        let request = v1::ExplainRequest {
            image: unmask_tests::sample("astronaut-mouth.png"),
            method: Some(method),
            fill: Some(fill.clone()),
            ..v1::ExplainRequest::default()
        };
        let asked = service.clone();
        let call = tokio::spawn(async move { asked.explain(Request::new(request)).await });
        until(|| service.passes() > before + 4).await;
        call.abort();
        until(|| service.waiting() == (0, 0)).await;
        // What was in the model when the caller left may still be counted; nothing more runs.
        let left = service.passes();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(service.passes() <= left + 8, "{what}");
    }
}
