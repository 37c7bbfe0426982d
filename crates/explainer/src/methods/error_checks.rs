//! Standard errors against what happens over seeds, on a model whose regions work together.

use unmask_core::Reading;

use super::common_checks::{self as planted, SIDE};
use super::kernel_shap::Sampling;
use super::{Explanation, KernelShap, Lime, Method, Rise};
use crate::segment::{grid, rank};

const SEEDS: u64 = 300;

/// A score that bends, and in which cells count together.
pub(super) fn bent(x: &[f32]) -> Vec<f32> {
    let cell = |row: usize, col: usize| x[(4 * row + 1) * SIDE + 4 * col + 1];
    let pairs =
        2.0 * cell(0, 0) * cell(1, 1) - 1.5 * cell(2, 3) * cell(3, 3) + cell(1, 2) * cell(2, 2) * cell(2, 1);
    let sum = cell(0, 0) + 0.5 * cell(1, 2) - 0.7 * cell(3, 1) + 0.3 * cell(0, 3);
    vec![0.0, 3.0 * (0.8 * (sum + pairs)).sin() + 0.5 * cell(3, 0)]
}

/// The means of the regions, in the order of their labels.
fn values(explanation: &Explanation) -> Vec<f64> {
    let mut ranked = rank(&explanation.map, Reading::Evidence, &grid(SIDE, SIDE, 4, 4));
    ranked.sort_by_key(|region| region.label);
    ranked.iter().map(|region| region.mean).collect()
}

/// The share of intervals of two standard errors that hold the value of a far longer run, and the mean error.
fn covered(short: &Method, long: &Method) -> (f64, f64) {
    let exact = values(&planted::explain(long, 1_000_000, bent));
    let (mut inside, mut errors) = (0.0, 0.0);
    for seed in 0..SEEDS {
        let explanation = planted::explain(short, seed, bent);
        let known = &explanation.errors.as_ref().unwrap().regions;
        for ((value, error), exact) in values(&explanation).iter().zip(known).zip(&exact) {
            inside += f64::from((value - exact).abs() <= 1.96 * error);
            errors += error;
        }
    }
    let count = SEEDS as f64 * exact.len() as f64;
    (inside / count, errors / count)
}

#[test]
fn intervals_hold_the_value_of_a_long_run_as_often_as_they_say_and_shrink_with_the_root_of_the_passes() {
    let rise = |masks| Method::Rise(Rise { masks, grid: 4, ..Rise::default() });
    let pairs = |masks| Method::Rise(Rise { masks, grid: 4, paired: true, ..Rise::default() });
    let lime = |samples| Method::Lime(Lime { samples, ridge: 0.0, ..Lime::default() });
    let kernel = |samples| Method::KernelShap(KernelShap { samples, sampling: Sampling::Kernel });
    let leverage = |samples| Method::KernelShap(KernelShap { samples, sampling: Sampling::Leverage });
    for (name, of) in [
        ("rise", &rise as &dyn Fn(u64) -> Method),
        ("rise by pairs", &pairs),
        ("lime", &lime),
        ("kernel_shap", &kernel),
        ("kernel_shap by leverage", &leverage),
    ] {
        let (few, wide) = covered(&of(256), &of(60_000));
        let (many, narrow) = covered(&of(1024), &of(60_000));
        println!("{name}: {few:.3} {many:.3} of 0.95; errors {wide:.4} to {narrow:.4}");
        for share in [few, many] {
            assert!((0.92..=0.97).contains(&share), "{name}: {share}");
        }
        // Kernel SHAP lists more of its sets where it has more, and what is listed has no error.
        let bound = if name.starts_with("kernel_shap") { 2.5 } else { 2.1 };
        assert!((1.9..=bound).contains(&(wide / narrow)), "{name}: {wide} {narrow}");
    }
}
