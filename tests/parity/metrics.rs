//! The metrics, against Quantus, scikit-learn and numpy: a row of the golden file for each value.

use std::sync::Arc;

use serde_json::Value;
use unmask_core::{FromFn, LabelMap, Map, ModelSpec, Ranks, Reading, Scale, Target, Tensor};
use unmask_explainer::metrics::{self as m, Case, Metric, RfxgScore, Shared, Size};

use super::{bits, golden, numbers};

/// What needs no passes: float64 on both sides, of maps that float32 holds.
const EXACT: f64 = 1e-9;
/// What needs passes: pictures and logits are float32.
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
        "road" => Box::new(m::Road { impute: parameters["impute"].as_bool().unwrap() }),
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
            let score = match parameters["score"].as_str().unwrap() {
                "ccs" => RfxgScore::Ccs,
                "cgc" => RfxgScore::Cgc,
                "cgs" => RfxgScore::Cgs,
                _ => RfxgScore::Pgs,
            };
            Box::new(m::Rfxg { score, as_coded: parameters["as_coded"].as_bool().unwrap() })
        }
        unknown => panic!("no metric has the name {unknown}"),
    }
}

/// A case of the golden file.
struct Golden<'a> {
    height: usize,
    width: usize,
    case: &'a Value,
    /// Pictures are whole numbers of this.
    pixel: f64,
    /// Maps are whole numbers of this.
    value: f64,
}

impl<'a> Golden<'a> {
    fn named(golden: &'a Value, name: &Value) -> Self {
        let case = golden["cases"].as_array().unwrap().iter().find(|case| case["name"] == *name).unwrap();
        let size = |name: &str| case[name].as_u64().unwrap() as usize;
        let unit = |value: &Value| value.as_f64().unwrap();
        let (pixel, value) = (unit(&golden["pixel"]), unit(&case["value"]));
        Self { height: size("height"), width: size("width"), case, pixel, value }
    }

    fn picture(&self, name: &str) -> Arc<Tensor> {
        let values = units(&self.case[name], self.pixel);
        Arc::new(Tensor::new(3, self.height, self.width, values).unwrap())
    }

    fn map(&self, of: &Value) -> Map {
        Map { height: self.height, width: self.width, data: units(of, self.value) }
    }

    fn target(&self, parameters: &Value) -> Target {
        let classes = |name: &str| -> Option<Vec<usize>> {
            parameters.get(name).map(|classes| numbers(classes).iter().map(|c| *c as usize).collect())
        };
        let scale = match self.case["scale"].as_str() {
            Some("probability") => Scale::Probability,
            _ => Scale::LogOdds,
        };
        Target::new(classes("pro").unwrap_or(vec![TARGET]), classes("contra"), CLASSES, scale)
    }

    /// What a metric says of it.
    fn measure(&self, metric: &dyn Metric, parameters: &Value) -> Vec<(String, f64)> {
        let (image, fill) = (self.picture("image"), self.picture("fill"));
        let labels: Vec<u32> = (0..(self.height * self.width) as u32).collect();
        let spec = ModelSpec::plain("formula", self.height, self.width, &["real", "swap", "move"]);
        let others = std::cell::RefCell::new(self.case["others"].as_array().unwrap().iter());
        let importance = parameters["reading"] == "importance";
        let measured = metric
            .measure(&Case {
                map: &self.map(&self.case["map"]),
                reading: if importance { Reading::Importance } else { Reading::Evidence },
                image: &image,
                logits: &logits(image.data()),
                target: &self.target(parameters),
                total: None,
                fill: &fill,
                segments: &Arc::new(LabelMap::new(self.height, self.width, &labels).unwrap()),
                mask: Some(&bits(&self.case["mask"])),
                truth: Some(TARGET),
                seed: 0,
                forward: &FromFn::new(spec, logits),
                // The golden file's explanations of other pictures, one after the other, whatever the picture.
                again: Some(&|_| Ok(self.map(others.borrow_mut().next().unwrap()))),
                shared: &Shared::default(),
            })
            .unwrap();
        let figures = measured.figures.into_iter();
        figures.map(|figure| (figure.name, figure.value.unwrap())).collect()
    }

    /// How close a metric's figures must come to the peer's.
    fn tolerance(&self, metric: &dyn Metric) -> f64 {
        let size = Size { height: self.height, width: self.width, again: Some(0) };
        if metric.announced(&size) == 0 { EXACT } else { CLOSE }
    }
}

fn units(values: &Value, unit: f64) -> Vec<f32> {
    numbers(values).iter().map(|value| (value * unit) as f32).collect()
}

#[test]
fn a_metric_is_its_peers() {
    let golden = golden("metrics");
    let mut wrong = Vec::new();
    for row in golden["rows"].as_array().unwrap() {
        let case = Golden::named(&golden, &row["case"]);
        let parameters = &row["parameters"];
        let metric = metric(row["metric"].as_str().unwrap(), parameters);
        let figures = case.measure(metric.as_ref(), parameters);
        let found = figures.iter().find(|(name, _)| row["figure"] == **name).map(|(_, value)| *value);
        let expected = row["value"].as_f64().unwrap();
        if found.is_none_or(|found| (found - expected).abs() > case.tolerance(metric.as_ref())) {
            wrong.push(format!("{row}: {figures:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imputed_pixels_are_those_of_the_peer() {
    let golden = golden("metrics");
    let imputed = &golden["imputed"];
    let case = Golden::named(&golden, &imputed["case"]);
    let ranks = Ranks::new(&case.map(&case.case["map"]).data);
    let count = imputed["removed"].as_u64().unwrap();
    let removed: Vec<bool> = ranks.ranks().iter().map(|rank| u64::from(*rank) < count).collect();
    let filled = m::impute::impute(&case.picture("image"), &removed);
    let expected = numbers(&imputed["values"]);
    assert_eq!(filled.data().len(), expected.len());
    assert!(filled.data().iter().zip(expected).all(|(a, b)| (f64::from(*a) - b).abs() < CLOSE));
}
