//! The metrics, against Quantus, scikit-learn and numpy: a row of the golden file for each value.

use std::sync::Arc;

use serde_json::Value;
use unmask_core::{FromFn, LabelMap, Map, ModelSpec, Ranks, Reading, Scale, Target, Tensor};
use unmask_explainer::metrics::{self as m, Case, Metric, RfxgScore, Shared};

use super::{bits, golden, numbers};

/// Maps and logits are float32; sums are float64, in another order.
const CLOSE: f64 = 1e-5;

const CLASSES: usize = 3;
const TARGET: usize = 1;

/// The formula of `logits` in the script.
fn logits(picture: &[f32]) -> Vec<f32> {
    let part = |class: usize, at: usize| (0.7 * ((class + 1) * (at + 1)) as f64 + class as f64).sin();
    let linear = |class: usize| {
        let sum: f64 = picture.iter().enumerate().map(|(at, x)| f64::from(*x) * part(class, at)).sum();
        0.3 * sum
    };
    let linear: Vec<f64> = (0..CLASSES).map(linear).collect();
    (0..CLASSES).map(|class| (linear[class] + linear[(class + 1) % CLASSES].tanh()) as f32).collect()
}

/// A metric by its name in the golden file.
fn metric(name: &str, parameters: &Value) -> Box<dyn Metric> {
    let number = |name: &str| parameters[name].as_u64().unwrap() as usize;
    match name {
        "deletion" => Box::new(m::Deletion { step: number("step") }),
        "insertion" => Box::new(m::Insertion { step: number("step") }),
        "pixel_flipping" => Box::new(m::PixelFlipping { patch: number("patch"), regions: number("regions") }),
        "average_drop" => Box::new(m::AverageDrop {}),
        "comprehensiveness" => Box::new(m::Comprehensiveness {}),
        "sufficiency" => Box::new(m::Sufficiency {}),
        "pointing_game" => Box::new(m::PointingGame { tolerance: number("tolerance") }),
        "relevance_mass" => Box::new(m::RelevanceMass {}),
        "relevance_rank" => Box::new(m::RelevanceRank {}),
        "iou" => Box::new(m::Iou { share: parameters["share"].as_f64().unwrap() }),
        "auroc" => Box::new(m::Auroc {}),
        "average_precision" => Box::new(m::AveragePrecision {}),
        "sparseness" => Box::new(m::Sparseness {}),
        "entropy" => Box::new(m::Entropy {}),
        "effective_complexity" => {
            Box::new(m::EffectiveComplexity { threshold: parameters["threshold"].as_f64().unwrap() })
        }
        "max_sensitivity" => Box::new(m::MaxSensitivity { draws: number("draws") as u64, radius: 0.1 }),
        "rfxg" => {
            let score = if parameters["score"] == "pgs" { RfxgScore::Pgs } else { RfxgScore::Cgc };
            Box::new(m::Rfxg { score, as_coded: parameters["as_coded"].as_bool().unwrap() })
        }
        unknown => panic!("no metric has the name {unknown}"),
    }
}

/// What a metric says of a case of the golden file.
fn measure(golden: &Value, case: &Value, metric: &dyn Metric) -> Vec<(String, f64)> {
    let size = |name: &str| case[name].as_u64().unwrap() as usize;
    let (height, width) = (size("height"), size("width"));
    let values = |values: &Value, unit: &str| -> Vec<f32> {
        let unit = golden[unit].as_f64().unwrap();
        numbers(values).iter().map(|value| (value * unit) as f32).collect()
    };
    let picture = |name: &str| Arc::new(Tensor::new(3, height, width, values(&case[name], "pixel")).unwrap());
    let map = |of: &Value| Map { height, width, data: values(of, "value") };
    let (image, fill) = (picture("image"), picture("fill"));
    let scale = match case["scale"].as_str() {
        Some("probability") => Scale::Probability,
        _ => Scale::LogOdds,
    };
    let target = Target::new(vec![TARGET], None, CLASSES, scale);
    let labels: Vec<u32> = (0..(height * width) as u32).collect();
    let model = FromFn::new(ModelSpec::plain("formula", height, width, &["real", "swap", "move"]), logits);
    let others = std::cell::RefCell::new(case["others"].as_array().unwrap().iter());
    let measured = metric
        .measure(&Case {
            map: &map(&case["map"]),
            reading: Reading::Evidence,
            image: &image,
            logits: &logits(image.data()),
            target: &target,
            total: None,
            fill: &fill,
            segments: &Arc::new(LabelMap::new(height, width, &labels).unwrap()),
            mask: Some(&bits(&case["mask"])),
            truth: Some(TARGET),
            seed: 0,
            forward: &model,
            // The golden file's explanations of other pictures, one after the other, whatever the picture.
            again: Some(&|_| Ok(map(others.borrow_mut().next().unwrap()))),
            shared: &Shared::default(),
        })
        .unwrap();
    let figures = measured.figures.into_iter();
    figures.map(|figure| (figure.name, figure.value.unwrap())).collect()
}

#[test]
fn a_metric_is_its_peers() {
    let golden = golden("metrics");
    let mut wrong = Vec::new();
    for row in golden["rows"].as_array().unwrap() {
        let case = golden["cases"].as_array().unwrap().iter().find(|case| case["name"] == row["case"]);
        let metric = metric(row["metric"].as_str().unwrap(), &row["parameters"]);
        let figures = measure(&golden, case.unwrap(), metric.as_ref());
        let found = figures.iter().find(|(name, _)| row["figure"] == **name).map(|(_, value)| *value);
        let expected = row["value"].as_f64().unwrap();
        if found.is_none_or(|found| (found - expected).abs() > CLOSE) {
            wrong.push(format!("{row}: {figures:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imputed_pixels_are_those_of_the_peer() {
    let golden = golden("metrics");
    let imputed = &golden["imputed"];
    let case =
        golden["cases"].as_array().unwrap().iter().find(|case| case["name"] == imputed["case"]).unwrap();
    let size = |name: &str| case[name].as_u64().unwrap() as usize;
    let (height, width) = (size("height"), size("width"));
    let values = |name: &str, unit: &str| -> Vec<f32> {
        let unit = golden[unit].as_f64().unwrap();
        numbers(&case[name]).iter().map(|value| (value * unit) as f32).collect()
    };
    let image = Tensor::new(3, height, width, values("image", "pixel")).unwrap();
    let ranks = Ranks::new(&values("map", "value"));
    let count = imputed["removed"].as_u64().unwrap();
    let removed: Vec<bool> = ranks.ranks().iter().map(|rank| u64::from(*rank) < count).collect();
    let filled = m::impute::impute(&image, &removed);
    let expected = numbers(&imputed["values"]);
    assert_eq!(filled.data().len(), expected.len());
    assert!(filled.data().iter().zip(expected).all(|(a, b)| (f64::from(*a) - b).abs() < CLOSE));
}
