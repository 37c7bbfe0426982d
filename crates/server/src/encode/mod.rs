//! Answers to messages. The only place besides `decode` that knows them.

mod bill;
mod catalogue;
mod dataset;
mod evaluated;
mod explained;
mod faces;
mod finding;
mod many;
mod model;
mod resolved;

use unmask_core::{Map, ModelSpec, highest, softmax};
use unmask_explainer::image::{Affine, Frame, Rect};
use unmask_protocol::v1;

pub(crate) use self::catalogue::methods;
pub(crate) use self::dataset::{code_name, failure, progress, row, summary};
pub(crate) use self::evaluated::{evaluated, metrics, plan};
pub(crate) use self::explained::{explained, news};
pub(crate) use self::faces::faces;
pub(crate) use self::many::{sifted, unexplained};
pub(crate) use self::model::model;
pub(crate) use self::resolved::resolved;
use crate::run::{Predicted, fake_probability};

/// A scored picture.
pub(crate) fn predicted(request_id: String, answer: Predicted) -> v1::PredictResponse {
    v1::PredictResponse {
        request_id,
        prediction: Some(prediction(&answer.spec, &answer.logits)),
        model: Some(version(&answer.spec)),
        transform: Some(transform(&answer.frame)),
        cost: Some(bill::cost(&answer.bill)),
        timings: Some(bill::timings(&answer.bill)),
        warnings: answer.warnings,
    }
}

fn prediction(spec: &ModelSpec, logits: &[f32]) -> v1::Prediction {
    let probabilities = softmax(logits);
    let best = highest(logits);
    let real = spec.output.real;
    let scores = spec.output.labels.iter().zip(logits.iter().zip(&probabilities));
    v1::Prediction {
        scores: scores
            .map(|(label, (logit, probability))| v1::ClassScore {
                label: label.clone(),
                logit: *logit,
                probability: f64::from(*probability),
            })
            .collect(),
        label: spec.output.labels[best].clone(),
        fake: best != real,
        fake_probability: fake_probability(spec, logits),
    }
}

fn version(spec: &ModelSpec) -> v1::ModelVersion {
    v1::ModelVersion { name: spec.name.clone(), version: spec.version.clone(), sha256: spec.digest.clone() }
}

fn map(map: &Map) -> v1::Map {
    v1::Map {
        height: map.height as u32,
        width: map.width as u32,
        values: map.data.iter().flat_map(|v| v.to_le_bytes()).collect(),
        sha256: String::new(),
    }
}

fn transform(frame: &Frame) -> v1::Transform {
    v1::Transform {
        to_displayed: Some(affine(frame.to_displayed())),
        to_stored: Some(affine(frame.to_stored())),
        displayed_width: frame.displayed.0,
        displayed_height: frame.displayed.1,
        orientation: u32::from(frame.orientation),
    }
}

fn affine(Affine { xx, xy, x0, yx, yy, y0 }: Affine) -> v1::Affine {
    v1::Affine { xx, xy, x0, yx, yy, y0 }
}

pub(crate) fn rect(Rect { x, y, width, height }: Rect) -> v1::Box {
    v1::Box { x, y, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confident_prediction_keeps_a_small_probability() {
        let spec = ModelSpec::plain("m", 4, 4, &["real", "blend", "swap"]);
        let answer = prediction(&spec, &[60.0, 0.0, 0.0]);
        assert!((!answer.fake) && answer.label == "real");
        assert!(
            (answer.fake_probability / (2.0 * (-60f64).exp()) - 1.0).abs() < 1e-9,
            "{}",
            answer.fake_probability
        );
    }

    #[test]
    fn a_map_is_little_endian_and_row_major() {
        let message = map(&Map { height: 1, width: 2, data: vec![1.0, -2.0] });
        assert_eq!((message.height, message.width), (1, 2));
        assert_eq!(message.values, [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
    }
}
