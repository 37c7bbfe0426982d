//! HSIC of given masks and scores, against its definition in numpy.

use unmask_explainer::methods::hsic::dependence;

use super::{bits, golden, numbers};

/// Sums in another order.
const CLOSE: f64 = 1e-12;

#[test]
fn dependence_is_the_trace_of_the_definition() {
    let golden = golden("hsic");
    let shown: Vec<bool> = golden["shown"].as_array().unwrap().iter().flat_map(bits).collect();
    let cells = golden["cells"].as_u64().unwrap() as usize;
    for case in golden["cases"].as_array().unwrap() {
        let found = dependence(&shown, &numbers(&case["scores"]));
        assert_eq!(found.len(), cells);
        for (got, expected) in found.iter().zip(numbers(&case["values"])) {
            assert!((got - expected).abs() < CLOSE, "{got} {expected}");
        }
    }
}
