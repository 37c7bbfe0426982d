//! LIME's regression against lime 0.2.0.1, given the same bits and scores.

use unmask_explainer::methods::lime::fit;

use crate::golden;

/// The peer solves the same equations in float64 by another factorisation.
const EXACT: f64 = 1e-9;

#[test]
fn weights_intercept_and_r2_are_those_of_lime() {
    let golden = golden("lime");
    for case in golden["cases"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let numbers = |name: &str| crate::numbers(&case[name]);
        let bits: Vec<Vec<bool>> = case["bits"].as_array().unwrap().iter().map(crate::bits).collect();
        assert!(bits.iter().any(|row| row.iter().all(|shown| !shown)), "one row shows nothing");
        let found = fit(&bits, &numbers("scores"), number("kernel_width"), number("ridge"));
        for (found, expected) in found.weights.iter().zip(numbers("weights")) {
            assert!((found - expected).abs() < EXACT, "{found} {expected}");
        }
        assert_eq!(found.weights.len(), numbers("weights").len());
        assert!((found.intercept - number("intercept")).abs() < EXACT, "{}", found.intercept);
        assert!((found.r2 - number("r2")).abs() < EXACT, "{} {}", found.r2, number("r2"));
    }
}
