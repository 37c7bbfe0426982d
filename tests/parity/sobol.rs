//! Sobol points and total-order indices, against scipy.

use unmask_explainer::methods::sobol::{Points, jansen};

use super::{golden, numbers};

/// Indices: sums in another order.
const CLOSE: f64 = 1e-9;

#[test]
fn plain_points_are_scipys_bit_for_bit() {
    let golden = golden("sobol");
    let points = Points::new(128, None);
    let row: Vec<f64> = (0..128).map(|dimension| points.coordinate(37, dimension)).collect();
    assert_eq!(row, numbers(&golden["small_row"]));
    // All 64 points, through their digest, which a row alone would not vouch for.
    assert_eq!(digest(&points, 64, 128), golden["small_sha256"]);
    let points = Points::new(512, None);
    let row: Vec<f64> = (0..512).map(|dimension| points.coordinate(11, dimension)).collect();
    assert_eq!(row, numbers(&golden["large_row"]));
    assert_eq!(digest(&points, 16, 512), golden["large_sha256"]);
}

#[test]
fn indices_of_the_same_scores_are_scipys() {
    let golden = &golden("sobol")["jansen"];
    let cells = golden["cells"].as_u64().unwrap() as usize;
    for (pooled, name) in [(false, "total"), (true, "pooled")] {
        let found = jansen(&numbers(&golden["scores"]), cells, pooled).total;
        assert_eq!(found.len(), cells);
        for (got, expected) in found.iter().zip(numbers(&golden[name])) {
            assert!((got - expected).abs() < CLOSE, "{name}: {got} {expected}");
        }
    }
}

fn digest(points: &Points, count: u32, dimensions: usize) -> String {
    use sha2::Digest as _;
    let bytes: Vec<u8> = (0..count)
        .flat_map(|point| (0..dimensions).map(move |dimension| (point, dimension)))
        .flat_map(|(point, dimension)| points.coordinate(point, dimension).to_le_bytes())
        .collect();
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
