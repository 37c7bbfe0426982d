//! Models of every kind answer; broken ones are refused with the reason and take nothing from the others.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use tonic::Request;
use unmask_protocol::v1;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::v1::model_service_server::ModelService as _;
use unmask_server::Service;
use unmask_tests::{Root, black_fill, explain, from_set_up, model, planted_weights, png, values};

const GOOD: [&str; 5] = ["planted-linear", "nhwc", "single-logit", "softmax-inside", "external-listed"];
const SIDE: usize = 32;

/// Each bundle that must be refused, and words of its reason.
const REFUSED: [(&str, &str); 24] = [
    ("bad-hash", "has SHA-256"),
    ("bad-input-name", "input.name is \"picture\" in the manifest, the graph's inputs are \"input\""),
    ("bad-label", "its output has shape [-1, 3], the manifest says [-1, 2]"),
    ("bad-golden", "golden score 1 of row 0 is"),
    ("external-data", "keeps its data in \"weights.bin\", which the manifest does not list"),
    ("random-bytes", "is not an ONNX model"),
    ("custom-op", "operator domain \"com.example\""),
    ("static-batch", "the batch axis of its input is fixed to 1, export it as a dynamic axis"),
    ("float16", "float32 is needed"),
    (
        "hostile-traversal",
        "keeps its data in \"../../../../../../etc/passwd\", which the manifest does not list",
    ),
    ("hostile-absolute", "keeps its data in \"/etc/passwd\", which the manifest does not list"),
    ("hostile-address", "keeps its data in \"*/_ORT_MEM_ADDR_/*\", which the manifest does not list"),
    ("hostile-beyond", "has 24576 bytes from byte 8 of \"weights.bin\", which has 24576"),
    ("hostile-linked-model", "model.onnx is a symbolic link"),
    ("hostile-linked-external", "weights.bin is a symbolic link"),
    ("hostile-huge-weight", "tensor \"huge\" has shape [1099511627776, 4], which needs 17592186044416 bytes"),
    (
        "hostile-lying-weight",
        "tensor \"weights\" has shape [6144, 2], which needs 49152 bytes, but holds 24576",
    ),
    ("hostile-constant", "tensor \"zeros\" is made by ConstantOfShape with shape [1099511627776]"),
    ("hostile-lying-output", "the output has shape [2, 3] for a batch of 2"),
    (
        "hostile-loop",
        "node \"output\" is operator \"Loop\", which is not among those that are always allowed",
    ),
    ("hostile-if", "node \"magic\" is operator \"Magic\" of domain \"com.example\""),
    ("hostile-deep", "recursion limit reached"),
    ("hostile-empty", "model.onnx is empty"),
    ("hostile-garbage", "is not an ONNX model"),
];

/// A 32 x 32 picture whose cells differ.
fn picture() -> Vec<u8> {
    png(SIDE as u32, SIDE as u32, |x, y| [(x * 7) as u8, (y * 7) as u8, (x * 3 + y * 4) as u8])
}

fn occlusion(name: &str, mode: v1::OcclusionMode) -> v1::ExplainRequest {
    let occlusion = v1::Occlusion { mode: mode.into(), ..v1::Occlusion::default() };
    v1::ExplainRequest {
        image: picture(),
        model: model(name),
        target: Some(unmask_tests::target("fake")),
        method: Some(v1::Method {
            kind: Some(v1::method::Kind::Occlusion(occlusion)),
            ..v1::Method::default()
        }),
        fill: Some(black_fill()),
        ..v1::ExplainRequest::default()
    }
}

async fn predict(service: &Service, name: &str) -> v1::Prediction {
    let request =
        v1::PredictRequest { image: picture(), model: model(name), ..v1::PredictRequest::default() };
    service.predict(Request::new(request)).await.unwrap().into_inner().prediction.unwrap()
}

/// What each 4 x 4 cell of the picture adds to the logit of `fake`, at every pixel of the cell.
fn exact() -> Vec<f64> {
    let pixels = image::load_from_memory(&picture()).unwrap().to_rgb8();
    let (weights, mut cells) = (planted_weights(), [0.0; 64]);
    for (x, y, pixel) in pixels.enumerate_pixels() {
        let weight = f64::from(weights[y as usize * SIDE + x as usize]);
        cells[(y / 4 * 8 + x / 4) as usize] +=
            pixel.0.iter().map(|v| f64::from(*v) / 255.0 * weight).sum::<f64>();
    }
    (0..SIDE * SIDE).map(|i| cells[i / SIDE / 4 * 8 + i % SIDE / 4]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linear_model_is_explained_exactly_through_onnx_runtime() {
    let service = Root::new(&GOOD).service(&[]);
    for mode in [v1::OcclusionMode::Hide, v1::OcclusionMode::Show, v1::OcclusionMode::Both] {
        let map = explain(&service, occlusion("planted-linear", mode)).await.unwrap().map.unwrap();
        for (got, expected) in values(&map).iter().zip(exact()) {
            assert!((f64::from(*got) - expected).abs() < 1e-4, "{mode:?}: {got} {expected}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn layouts_and_outputs_of_every_kind_give_the_same_explanation() {
    let service = Root::new(&GOOD).service(&[]);
    let hide = |name| occlusion(name, v1::OcclusionMode::Hide);
    let expected = values(&explain(&service, hide("planted-linear")).await.unwrap().map.unwrap());
    for name in ["nhwc", "single-logit", "external-listed"] {
        let got = values(&explain(&service, hide(name)).await.unwrap().map.unwrap());
        assert!(got.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{name}");
        let (a, b) = (predict(&service, name).await, predict(&service, "planted-linear").await);
        assert_eq!((a.label, a.fake), (b.label, b.fake), "{name}");
        assert!((a.fake_probability - b.fake_probability).abs() < 1e-6, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probabilities_of_a_graph_with_softmax_inside_are_the_graphs_own() {
    let service = Root::new(&GOOD).service(&[]);
    let inside = predict(&service, "softmax-inside").await;
    let sum: f64 = inside.scores.iter().map(|s| s.probability).sum();
    assert!((sum - 1.0).abs() < 1e-6 && inside.scores.len() == 3, "{inside:?}");
    // The first two logits are those of the linear model, so their difference is its log-odds.
    let outside = predict(&service, "planted-linear").await;
    let difference = |p: &v1::Prediction| p.scores[1].logit - p.scores[0].logit;
    assert!((difference(&inside) - difference(&outside)).abs() < 1e-4);
    let request = v1::ExplainRequest { target: None, ..occlusion("softmax-inside", v1::OcclusionMode::Hide) };
    let answer = explain(&service, request).await.unwrap();
    assert!(values(&answer.map.unwrap()).iter().any(|v| *v != 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_models_are_refused_with_the_reason_and_the_others_serve() {
    let names: Vec<&str> = GOOD.into_iter().chain(REFUSED.map(|(name, _)| name)).collect();
    let service = Root::new(&names).service(&[]);
    let models =
        service.list_models(Request::new(v1::ListModelsRequest {})).await.unwrap().into_inner().models;
    assert_eq!(models.len(), 1 + GOOD.len() + REFUSED.len());
    for (name, words) in REFUSED {
        let found = models.iter().find(|m| m.version.as_ref().unwrap().name == name).unwrap();
        assert_eq!(found.state(), v1::ModelState::Refused, "{name}");
        assert!(found.reason.contains(words), "{name}: {}", found.reason);
        let error = explain(&service, occlusion(name, v1::OcclusionMode::Hide)).await.unwrap_err();
        assert_eq!(error.code(), tonic::Code::NotFound, "{name}: {error}");
    }
    for name in GOOD {
        assert!(predict(&service, name).await.scores.iter().any(|s| s.probability > 0.0), "{name}");
    }
    assert!(explain(&service, unmask_tests::request()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_opened_is_loaded() {
    let service = Root::new(&["hostile-if"]).service(&[("models.operators", "If")]);
    let found =
        service.list_models(Request::new(v1::ListModelsRequest {})).await.unwrap().into_inner().models;
    let refused = found.iter().find(|m| m.version.as_ref().unwrap().name == "hostile-if").unwrap();
    assert!(!refused.reason.contains("\"If\"") && refused.reason.contains("\"Magic\""), "{}", refused.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_version_can_be_looked_up() {
    let service = Root::new(&["bad-hash"]).service(&[]);
    let selector = Some(v1::ModelSelector { name: "bad-hash".into(), version: "1".into() });
    let answer = service.get_model(Request::new(v1::GetModelRequest { model: selector })).await.unwrap();
    assert!(answer.into_inner().model.unwrap().reason.contains("has SHA-256"));
    let default = service.get_model(Request::new(v1::GetModelRequest { model: None })).await.unwrap();
    let default = default.into_inner().model.unwrap();
    assert!(default.is_default && default.version.unwrap().name == "selfblend-mobilenetv2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_without_a_model_that_serves_is_told_why() {
    let bad = from_set_up("TEST_FIXTURES").join("bad-golden");
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(bad, dir.path().join("bad-golden")).unwrap();
    let root = dir.path().to_string_lossy().into_owned();
    let config = Root::new(&[]).config(&[("models.root", &root)]);
    let error = Service::open(&config).err().unwrap().to_string();
    assert!(error.starts_with("no model serves: bad-golden@1: golden score"), "{error}");
}
