//! What an explanation comes to for a person, as messages.

use unmask_core::{LabelMap, ModelSpec};
use unmask_explainer::counterfactual::Outcome;
use unmask_explainer::face::Part;
use unmask_explainer::image::Frame;
use unmask_explainer::segment::Ranked;
use unmask_explainer::tell::{Quantity, Sentence, Side, Subject, Where};
use unmask_protocol::v1;

use super::{prediction, rect};
use crate::run::{Changed, Check, Met, Replaced, Steady};

/// A face that was looked for.
pub(super) fn face(met: &Met) -> v1::Face {
    v1::Face { crop: Some(rect(met.crop)), warnings: met.warnings.clone(), ..super::faces::of(&met.face) }
}

pub(super) fn parts(labels: &LabelMap, ranked: &[Ranked], frame: &Frame) -> Vec<v1::Part> {
    let one = |ranked: &Ranked| {
        let (left, top, right, bottom) = ranked.bounds;
        let part = Part::numbered(labels.name(ranked.label))?;
        Some(v1::Part {
            part: self::part(part).into(),
            r#box: Some(rect(frame.rect_to_displayed(left as u32, top as u32, right as u32, bottom as u32))),
            mean: ranked.mean,
            evidence_share: ranked.evidence_share,
            area_share: ranked.area_share,
            stands_out: ranked.stands_out(),
        })
    };
    ranked.iter().filter_map(one).collect()
}

fn part(part: Part) -> v1::FacePart {
    match part {
        Part::LeftEye => v1::FacePart::LeftEye,
        Part::RightEye => v1::FacePart::RightEye,
        Part::Nose => v1::FacePart::Nose,
        Part::Mouth => v1::FacePart::Mouth,
        Part::LeftCheek => v1::FacePart::LeftCheek,
        Part::RightCheek => v1::FacePart::RightCheek,
        Part::LeftJawLine => v1::FacePart::LeftJawLine,
        Part::RightJawLine => v1::FacePart::RightJawLine,
        Part::Chin => v1::FacePart::Chin,
        Part::Forehead => v1::FacePart::Forehead,
        Part::HairLine => v1::FacePart::HairLine,
        Part::Background => v1::FacePart::Background,
    }
}

pub(super) fn check(check: &Check, spec: &ModelSpec) -> v1::Check {
    let kind = match check.replaced {
        Replaced::Found => v1::CheckKind::FoundHidden,
        Replaced::Rest => v1::CheckKind::RestHidden,
        Replaced::Middle => v1::CheckKind::MiddleHidden,
    };
    v1::Check {
        kind: kind.into(),
        area_share: check.area_share,
        value: check.value,
        prediction: Some(prediction(spec, &check.logits)),
    }
}

pub(super) fn counterfactual(changed: Changed, frame: &Frame, spec: &ModelSpec) -> v1::Counterfactual {
    let (end, smallest, set) = match &changed.outcome {
        Outcome::Found(set, smallest) => (v1::CounterfactualEnd::Found, *smallest, set.as_slice()),
        Outcome::None => (v1::CounterfactualEnd::None, false, &[][..]),
        Outcome::Passes => (v1::CounterfactualEnd::Passes, false, &[][..]),
        Outcome::Deadline => (v1::CounterfactualEnd::Deadline, false, &[][..]),
    };
    let names = || set.iter().map(|label| changed.areas.name(*label));
    let (parts, labels) = if changed.of_face {
        (names().filter_map(Part::numbered).map(|part| self::part(part).into()).collect(), Vec::new())
    } else {
        (Vec::new(), names().collect())
    };
    let boxes = changed.boxes(frame).into_iter().map(rect).collect();
    let (image_png, logits) = changed.image.map(|filed| (filed.png, filed.logits)).unzip();
    v1::Counterfactual {
        end: end.into(),
        candidates: changed.candidates as u32,
        passes: changed.passes,
        parts,
        labels,
        boxes,
        area_share: changed.area_share,
        smallest,
        prediction: logits.map(|logits| prediction(spec, &logits)),
        image_png: image_png.unwrap_or_default(),
    }
}

pub(super) fn steadiness(Steady { correlation, same_first, seed, .. }: Steady) -> v1::Steadiness {
    v1::Steadiness { correlation, same_first, seed }
}

pub(super) fn sentence(sentence: Sentence) -> v1::Sentence {
    let kind = match sentence.subject {
        Subject::Decision => v1::SentenceKind::Decision,
        Subject::Evidence => v1::SentenceKind::Evidence,
        Subject::Effect => v1::SentenceKind::Effect,
        Subject::Control => v1::SentenceKind::Control,
        Subject::Counterfactual => v1::SentenceKind::Counterfactual,
        Subject::Certainty => v1::SentenceKind::Certainty,
        Subject::Limit => v1::SentenceKind::Limit,
    };
    let number = |(what, shown): (Quantity, String)| v1::Number { field: field(what), shown };
    v1::Sentence {
        kind: kind.into(),
        text: sentence.text,
        numbers: sentence.numbers.into_iter().map(number).collect(),
    }
}

/// The field of the answer that a number is.
fn field(what: Quantity) -> String {
    let place = |place: Where| match place {
        Where::Parts(at) => format!("parts[{at}]"),
        Where::Regions(at) => format!("regions[{at}]"),
        Where::Changed(at) => format!("counterfactual.boxes[{at}]"),
    };
    match what {
        Quantity::Fake => "prediction.fake_probability".into(),
        Quantity::Value => "target.value".into(),
        Quantity::Evidence(of) => format!("{}.evidence_share", place(of)),
        Quantity::Area(of) => format!("{}.area_share", place(of)),
        Quantity::Box(of, side) => {
            let side = match side {
                Side::X => "x",
                Side::Y => "y",
                Side::Width => "width",
                Side::Height => "height",
            };
            match of {
                Where::Parts(_) | Where::Regions(_) => format!("{}.box.{side}", place(of)),
                Where::Changed(_) => format!("{}.{side}", place(of)),
            }
        }
        Quantity::Trial(at) => format!("checks[{at}].prediction.fake_probability"),
        Quantity::TrialValue(at) => format!("checks[{at}].value"),
        Quantity::ChangedArea => "counterfactual.area_share".into(),
        Quantity::Candidates => "counterfactual.candidates".into(),
        Quantity::Error => "error".into(),
        Quantity::Correlation => "steadiness.correlation".into(),
        Quantity::Fill => "fill_prediction.fake_probability".into(),
        Quantity::Used => "cost.used".into(),
    }
}
