//! Kernel SHAP against shap's `KernelExplainer` and against Shapley's definition.

use std::sync::Arc;

use unmask_core::{Ended, FromFn, ModelSpec, Target, Tensor};
use unmask_explainer::methods::kernel_shap::solve;
use unmask_explainer::methods::linear::Row;
use unmask_explainer::methods::{Context, KernelShap, Method};
use unmask_explainer::segment::grid;

use crate::{bits, golden, numbers};

/// Float64 on both sides.
const EXACT: f64 = 1e-9;
/// The map is float32.
const CLOSE: f64 = 1e-6;

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < tolerance, "{found} {expected}");
    }
}

/// A set's place in a table of scores: bit i is segment i.
fn number(shown: impl DoubleEndedIterator<Item = bool>) -> usize {
    shown.rev().fold(0, |number, shown| 2 * number + usize::from(shown))
}

#[test]
fn values_are_shapleys_and_shaps_where_all_sets_fit() {
    let golden = golden("kernel_shap");
    for case in golden["exact"].as_array().unwrap() {
        let segments = case["segments"].as_u64().unwrap() as usize;
        let table = numbers(&case["table"]);
        let shap = KernelShap { samples: 1 << segments, ..KernelShap::default() };
        let found = shap.values(segments, 7, |shown| table[number(shown.iter().copied())]);
        assert_close(&found, &numbers(&case["brute_force"]), EXACT);
        assert_close(&found, &numbers(&case["shap"]), EXACT);
    }
}

#[test]
fn the_method_paints_those_values_and_needs_no_more_passes_than_there_are_sets() {
    let golden = golden("kernel_shap");
    for case in golden["exact"].as_array().unwrap() {
        let segments = case["segments"].as_u64().unwrap() as usize;
        let table = numbers(&case["table"]);
        let score = |x: &[f32]| table[number(x[..segments].iter().map(|pixel| *pixel == 1.0))];
        let spec = ModelSpec::plain("table", 1, segments, &["real", "fake"]);
        let model = FromFn::new(spec, |x| vec![0.0, score(x) as f32]);
        let explanation = Method::KernelShap(KernelShap { samples: 1000, ..KernelShap::default() })
            .explain(&Context {
                image: &Arc::new(Tensor::constant(&[1.0; 3], 1, segments)),
                fill: &Arc::new(Tensor::constant(&[0.0; 3], 1, segments)),
                target: &Target::class(1, 2),
                segments: &Arc::new(grid(1, segments, 1, segments)),
                seed: 0,
                image_score: table[table.len() - 1],
                fill_score: table[0],
                forward: &model,
                watch: &(),
            })
            .unwrap();
        let map: Vec<f64> = explanation.map.data.iter().map(|v| f64::from(*v)).collect();
        assert_close(&map, &numbers(&case["shap"]), CLOSE);
        assert_eq!(explanation.ended, Ended::Stopped);
        assert_eq!(explanation.figures.intercept, Some(table[0]));
        assert_eq!(explanation.figures.total, Some(table[table.len() - 1] - table[0]));
    }
}

#[test]
fn the_solver_is_shaps_on_its_own_random_sets() {
    let golden = golden("kernel_shap");
    for case in golden["drawn"].as_array().unwrap() {
        let sets = case["sets"].as_array().unwrap().iter().map(bits);
        let rows: Vec<Row> = sets
            .zip(numbers(&case["weights"]))
            .zip(numbers(&case["scores"]))
            .map(|((bits, weight), score)| Row { bits: bits.into(), weight, score })
            .collect();
        assert_close(&solve(&rows, case["total"].as_f64().unwrap()), &numbers(&case["shap"]), EXACT);
    }
}
