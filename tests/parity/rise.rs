//! The fold of RISE, against the formulas in numpy over masks that OpenCV has stretched.

use unmask_core::{Cells, Filter};
use unmask_explainer::methods::rise::Fold;

use super::{golden, numbers};

/// Maps: float32 masks, sums in another order.
const CLOSE: f64 = 1e-6;

#[test]
fn the_same_masks_and_scores_give_the_same_map_in_both_folds() {
    let golden = golden("rise");
    let (height, width, grid) = (30, 24, 5);
    let cell = (height / grid, usize::div_ceil(width, grid));
    let (bits, offsets) = (numbers(&golden["bits"]), numbers(&golden["offsets"]));
    let scores = numbers(&golden["scores"]);
    for (centred, name) in [(true, "centred"), (false, "paper")] {
        let mut fold = Fold::new(height, width);
        for (i, score) in scores.iter().enumerate() {
            let values = bits[i * grid * grid..(i + 1) * grid * grid].iter().map(|b| *b as f32).collect();
            let offset = (offsets[2 * i] as usize, offsets[2 * i + 1] as usize);
            let plane = ((grid + 1) * cell.0, (grid + 1) * cell.1);
            fold.add(
                *score,
                &Cells { rows: grid, cols: grid, values, plane, offset, filter: Filter::Bilinear },
            );
        }
        let map = fold.finish(centred);
        let expected = numbers(&golden[name]);
        let peak = expected.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        for (got, expected) in map.data.iter().zip(&expected) {
            assert!((f64::from(*got) - expected).abs() < CLOSE * peak.max(1.0), "{name}: {got} {expected}");
        }
    }
}
