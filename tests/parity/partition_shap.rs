//! Owen values and the order of questions, against shap's partition explainer.

use std::cell::RefCell;
use std::sync::Arc;

use unmask_core::{FromFn, ModelSpec, Preset, Target, Tensor};
use unmask_explainer::methods::{Context, PartitionShap};
use unmask_explainer::segment::grid;

use super::{golden, numbers};

/// Values: float32 scores, summed in another order.
const CLOSE: f64 = 1e-5;
/// Scores: float32, from sums in another order.
const SAME: f64 = 1e-5;

fn picture(height: usize, width: usize) -> Tensor {
    let data = (0..3 * height * width).map(|i| {
        let (c, y, x) = (i / (height * width), i / width % height, i % width);
        ((7 * y + 13 * x + 29 * c + 3 * x * y + 5 * x * c) % 64) as f32 / 64.0
    });
    Tensor::new(3, height, width, data.collect()).unwrap()
}

fn weighted(picture: &[f32], height: usize, width: usize, (a, b, d): (usize, usize, usize)) -> f64 {
    let weight = |i: usize| {
        let (c, y, x) = (i / (height * width), i / width % height, i % width);
        (((a * y + b * x + d * c + x * y) % 17) as f64 - 8.0) / 16.0
    };
    picture.iter().enumerate().map(|(i, v)| f64::from(*v) * weight(i)).sum()
}

#[test]
fn values_and_questions_are_those_of_shap() {
    for case in golden("partition_shap")["cases"].as_array().unwrap() {
        let size = |name: &str| case[name].as_u64().unwrap() as usize;
        let (height, width) = (size("height"), size("width"));
        let asked = RefCell::new(Vec::new());
        let model = FromFn::new(ModelSpec::plain("polynomial", height, width, &["a", "b"]), |x: &[f32]| {
            let first = weighted(x, height, width, (3, 5, 7));
            let second = weighted(x, height, width, (11, 2, 3));
            let value = (first + second * second / 8.0 + first * second / 16.0) as f32;
            asked.borrow_mut().push(f64::from(value));
            vec![0.0, value]
        });
        let (image, fill) =
            (Arc::new(picture(height, width)), Arc::new(Tensor::constant(&[0.25; 3], height, width)));
        let score = |x: &Tensor| {
            let first = weighted(x.data(), height, width, (3, 5, 7));
            let second = weighted(x.data(), height, width, (11, 2, 3));
            f64::from((first + second * second / 8.0 + first * second / 16.0) as f32)
        };
        let shap =
            PartitionShap { evaluations: size("evaluations") as u64, ..PartitionShap::preset(Preset::Paper) };
        let (values, _) = shap
            .values(&Context {
                image: &image,
                fill: &fill,
                target: &Target::class(1, 2),
                segments: &Arc::new(grid(height, width, 1, 1)),
                seed: 0,
                image_score: score(&image),
                fill_score: score(&fill),
                forward: &model,
                watch: &(),
            })
            .unwrap();
        let asked = asked.into_inner();
        // shap counts the scores of background and picture too.
        assert_eq!(asked.len() + 2, size("count"), "{height} x {width}");
        let last = numbers(&case["asked"]);
        for (got, expected) in asked[asked.len() - last.len()..].iter().zip(&last) {
            assert!((got - expected).abs() < SAME, "{height} x {width}: {got} {expected}");
        }
        for (i, expected) in numbers(&case["values"]).iter().enumerate() {
            // shap has the channels last.
            let (pixel, channel) = (i / 3, i % 3);
            let got = values[channel * height * width + pixel];
            assert!((got - expected).abs() < CLOSE, "{height} x {width}, {i}: {got} {expected}");
        }
    }
}
