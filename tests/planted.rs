//! Every method on detectors whose answer is known, through the real server, the real pool and the real ONNX Runtime.
//!
//! The picture is white and the fill black, so a region's effect is exactly its weight. Tolerances are those that each
//! method states: the exact ones to float32, LIME to the shrinkage of its ridge, SOBOL and RISE to their sampling error.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use unmask_protocol::v1::{self, method::Kind};
use unmask_server::Service;
use unmask_tests::{Root, black_fill, explain, model, planted_weights, png, target, values};

const SIDE: usize = 32;
const CELLS: usize = 8;
/// Exact but for float32.
const EXACT: f64 = 1e-3;
/// LIME's ridge of 1 shrinks a weight by under two in a hundred at 2000 samples.
const SHRUNK: f64 = 0.02;

fn lime() -> Kind {
    Kind::Lime(v1::Lime::default())
}

fn kernel_shap() -> Kind {
    Kind::KernelShap(v1::KernelShap::default())
}

fn partition_shap() -> Kind {
    Kind::PartitionShap(v1::PartitionShap { evaluations: Some(8000), ..v1::PartitionShap::default() })
}

fn sobol() -> Kind {
    Kind::Sobol(v1::Sobol { design: Some(64), ..v1::Sobol::default() })
}

fn rise() -> Kind {
    Kind::Rise(v1::Rise { masks: Some(8000), grid: Some(16), ..v1::Rise::default() })
}

fn occlusion(mode: v1::OcclusionMode) -> Kind {
    Kind::Occlusion(v1::Occlusion { mode: mode.into(), ..v1::Occlusion::default() })
}

fn hsic() -> Kind {
    Kind::Hsic(v1::Hsic { grid: Some(CELLS as u32), masks: Some(2048) })
}

fn hipe() -> Kind {
    Kind::Hipe(v1::Hipe { cells: Some(4), ..v1::Hipe::default() })
}

fn every() -> Vec<Kind> {
    let occlusion = occlusion(v1::OcclusionMode::Both);
    vec![lime(), kernel_shap(), partition_shap(), sobol(), rise(), occlusion, hsic(), hipe()]
}

async fn ask(service: &Service, name: &str, kind: Kind) -> v1::ExplainResponse {
    let grid = v1::segmentation::Kind::Grid(v1::GridSegmentation::default());
    let request = v1::ExplainRequest {
        image: png(SIDE as u32, SIDE as u32, |_, _| [255, 255, 255]),
        model: model(name),
        target: Some(target("fake")),
        method: Some(v1::Method { kind: Some(kind), ..v1::Method::default() }),
        fill: Some(black_fill()),
        segmentation: Some(v1::Segmentation { kind: Some(grid) }),
        seed: 5,
        ..v1::ExplainRequest::default()
    };
    explain(service, request).await.unwrap()
}

/// The mean of a map in each of the 8 x 8 cells.
fn cells(answer: &v1::ExplainResponse) -> Vec<f64> {
    let map = values(answer.map.as_ref().unwrap());
    let mut means = vec![0.0; CELLS * CELLS];
    for (i, value) in map.iter().enumerate() {
        means[i / SIDE / 4 * CELLS + i % SIDE / 4] += f64::from(*value) / 16.0;
    }
    means
}

/// The effect of each cell of `planted-linear`: 48 values of 1 times the cell's weight.
fn effects() -> Vec<f64> {
    let plane = planted_weights();
    (0..CELLS * CELLS).map(|c| 48.0 * f64::from(plane[c / CELLS * 4 * SIDE + c % CELLS * 4])).collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let product = |x: &[f64], mx: f64, y: &[f64], my: f64| {
        x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>()
    };
    product(a, ma, b, mb) / (product(a, ma, a, ma) * product(b, mb, b, mb)).sqrt()
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "{what}, cell {i}: {found} and not {expected}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_additive_detector_is_explained_by_its_weights() {
    let service = Root::new(&["planted-linear"]).service(&[]);
    let effects = effects();
    // A block's share is spread over its 16 pixels by partition SHAP, whose values add up to the score.
    let spread: Vec<f64> = effects.iter().map(|e| e / 16.0).collect();
    for mode in [v1::OcclusionMode::Hide, v1::OcclusionMode::Show, v1::OcclusionMode::Both] {
        let found = cells(&ask(&service, "planted-linear", occlusion(mode)).await);
        assert_near(&found, &effects, EXACT, "occlusion");
    }
    let found = cells(&ask(&service, "planted-linear", kernel_shap()).await);
    assert_near(&found, &effects, EXACT, "kernel SHAP");
    // The cells of either quadrant on the right add up to 0 exactly, so that its halves are never looked into; what they are
    // credited with together is exact all the same.
    let answer = ask(&service, "planted-linear", partition_shap()).await;
    let found = cells(&answer);
    let left = |values: &[f64]| -> Vec<f64> {
        values.chunks_exact(CELLS).flat_map(|row| row[..4].to_vec()).collect()
    };
    assert_near(&left(&found), &left(&spread), EXACT / 16.0, "partition SHAP");
    let total = answer.figures.unwrap().total.unwrap();
    assert!((16.0 * found.iter().sum::<f64>() - total).abs() < EXACT, "partition SHAP: {total}");
    let answer = ask(&service, "planted-linear", lime()).await;
    let largest = effects.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    assert_near(&cells(&answer), &effects, SHRUNK * largest, "LIME");
    assert!(answer.figures.unwrap().r2.unwrap() > 0.99);
    let squares: Vec<f64> = effects.iter().map(|e| e * e).collect();
    let found = correlation(&cells(&ask(&service, "planted-linear", sobol()).await), &squares);
    // Cells are brought to the frame linearly, so that the mean of a cell holds a quarter of its neighbours.
    assert!(found > 0.88, "SOBOL: {found}");
    let found = correlation(&cells(&ask(&service, "planted-linear", hsic()).await), &squares);
    // Each of 64 cells has a small share of the variance, so that some noise of 2048 masks is left.
    assert!(found > 0.75, "HSIC: {found}");
    let found = correlation(&cells(&ask(&service, "planted-linear", rise()).await), &effects);
    assert!(found > 0.9, "RISE: {found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cells_that_count_only_together_share_the_credit() {
    let service = Root::new(&["planted-pair"]).service(&[]);
    let (first, second) = (CELLS + 2, 5 * CELLS + 6);
    for kind in every() {
        let name = format!("{kind:?}");
        let answer = ask(&service, "planted-pair", kind).await;
        let found = cells(&answer);
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_by(|a, b| found[*b].total_cmp(&found[*a]));
        let mut best = [order[0], order[1]];
        best.sort_unstable();
        assert_eq!(best, [first, second], "{name}: {found:?}");
        let ratio = found[first] / found[second];
        assert!((0.6..1.7).contains(&ratio), "{name}: {ratio}");
        // The score of 16 is an effect of both: Owen and Shapley values give each a half, hiding gives each all of it.
        match kind {
            Kind::PartitionShap(_) => {
                assert!((found[first] - 0.5).abs() < EXACT && (found[second] - 0.5).abs() < EXACT, "{name}");
            }
            Kind::Occlusion(_) => assert!((found[first] - 8.0).abs() < EXACT, "{name}: hidden 16, shown 0"),
            Kind::KernelShap(_) => {
                assert!((answer.figures.unwrap().total.unwrap() - 16.0).abs() < EXACT);
                assert!((found.iter().sum::<f64>() - 16.0).abs() < EXACT, "{name}");
            }
            Kind::Lime(_)
            | Kind::Sobol(_)
            | Kind::Rise(_)
            | Kind::Reveal(_)
            | Kind::Hsic(_)
            | Kind::Hipe(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_pixel_that_matters_is_found() {
    let service = Root::new(&["planted-pixel"]).service(&[]);
    // Pixel (13, 22) lies in cell (3, 5).
    for kind in every() {
        let name = format!("{kind:?}");
        let found = cells(&ask(&service, "planted-pixel", kind).await);
        let best = (0..found.len()).max_by(|a, b| found[*a].total_cmp(&found[*b])).unwrap();
        assert_eq!(best, 3 * CELLS + 5, "{name}: {found:?}");
    }
    // Partition SHAP goes down to the pixel itself and gives it the whole score, 2 * 3 channels.
    let answer = ask(&service, "planted-pixel", partition_shap()).await;
    let map = values(&answer.map.unwrap());
    assert!((map[13 * SIDE + 22] - 6.0).abs() < 1e-4, "{}", map[13 * SIDE + 22]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_that_never_changes_its_mind_has_a_flat_map_and_a_warning() {
    let service = Root::new(&["planted-constant"]).service(&[]);
    for kind in every() {
        let name = format!("{kind:?}");
        let answer = ask(&service, "planted-constant", kind).await;
        assert!(values(&answer.map.unwrap()).iter().all(|v| *v == 0.0), "{name}");
        assert!(
            answer.warnings.iter().any(|w| w.contains("the map is flat")),
            "{name}: {:?}",
            answer.warnings
        );
        assert!(answer.regions.iter().all(|r| r.evidence_share == 0.0), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_that_says_something_alone_is_revealed_and_two_that_count_only_together_are_not() {
    let service = Root::new(&["planted-linear", "planted-pixel", "planted-pair"]).service(&[]);
    // As little smoothing as there can be: each cell its own value.
    let reveal = Kind::Reveal(v1::Reveal { grid: Some(CELLS as u32), smoothing: Some(0.1) });
    let found = cells(&ask(&service, "planted-linear", reveal).await);
    let agreement = correlation(&found, &effects());
    assert!(agreement > 0.999, "{agreement}");
    let found = cells(&ask(&service, "planted-pixel", reveal).await);
    let best = (0..found.len()).max_by(|a, b| found[*a].total_cmp(&found[*b])).unwrap();
    assert_eq!(best, 3 * CELLS + 5, "{found:?}");
    let found = cells(&ask(&service, "planted-pair", reveal).await);
    assert!(found.iter().all(|value| value.abs() < EXACT), "{found:?}");
}
