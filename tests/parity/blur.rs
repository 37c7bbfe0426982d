//! The box blur, against OpenCV.

use std::sync::Arc;

use unmask_core::{LabelMap, ModelSpec, Tensor};
use unmask_explainer::fill::Made;

use super::{golden, numbers};

/// float32 sums in another order.
const CLOSE: f32 = 1e-5;

#[test]
fn a_box_blur_is_opencvs() {
    for case in golden("blur")["cases"].as_array().unwrap() {
        let size = |name: &str| case[name].as_u64().unwrap() as usize;
        let (height, width) = (size("height"), size("width"));
        let image =
            Tensor::new(1, height, width, numbers(&case["image"]).iter().map(|v| *v as f32).collect());
        let whole = Arc::new(LabelMap::new(height, width, &vec![0; height * width]).unwrap());
        let input = ModelSpec::plain("m", height, width, &["real", "fake"]).input;
        let blurred = Made::BoxBlur(size("box")).resolve(&image.unwrap(), &whole, &input, 0);
        for (got, expected) in blurred.data().iter().zip(numbers(&case["blurred"])) {
            assert!(
                (got - expected as f32).abs() < CLOSE,
                "{} of {height} x {width}: {got} {expected}",
                size("box")
            );
        }
    }
}
