//! What is known of an explanation, for whoever tells it in sentences.

use unmask_core::{Ended, highest};
use unmask_explainer::counterfactual::Outcome;
use unmask_explainer::face::Part;
use unmask_explainer::segment::Ranked;
use unmask_explainer::tell::{Area, Change, Facts, Name, Sentence, Told, Trial, Where, sentences};

use super::after::{Changed, Check, is_flat};
use super::{Explained, fake_probability};
use crate::decode::ExplainJob;

/// The explanation in sentences; `standing` are the labels of what carries the evidence and is answered, with whether others do too.
pub(super) fn tell(
    job: &ExplainJob,
    explained: &Explained,
    (standing, is_unlisted): (&[usize], bool),
) -> Vec<Sentence> {
    let spec = &explained.spec;
    let is_fake = |logits: &[f32]| highest(logits) != spec.output.real;
    let trial = |check: &Check| Trial {
        is_fake: is_fake(&check.logits),
        fake: fake_probability(spec, &check.logits),
        value: check.value,
    };
    let trials = match explained.checks.as_slice() {
        [found, rest, middle] => Some([found, rest, middle].map(trial)),
        _ => None,
    };
    let found: Vec<Area> = standing.iter().filter_map(|label| area(explained, *label)).collect();
    let facts = Facts {
        language: job.language,
        label: &spec.output.labels[highest(&explained.logits)],
        is_fake: is_fake(&explained.logits),
        fake: fake_probability(spec, &explained.logits),
        target: &explained.decision.label,
        value: explained.image_score,
        is_of_decision: {
            let target = &explained.decision.target;
            target.pro().contains(&spec.output.real) || target.contra().contains(&spec.output.real)
        },
        reading: explained.reading,
        is_named: explained.parts.is_some(),
        is_flat: is_flat(&explained.map, explained.reading),
        found: &found,
        is_unlisted,
        trials,
        change: explained.changed.as_ref().map(|changed| change(explained, changed)),
        error: explained.error,
        steady: explained
            .steady
            .as_ref()
            .map(|steady| (steady.correlation, (!steady.is_flat).then_some(steady.same_first))),
        cut_short: match explained.ended {
            Ended::Deadline => Some(Told::Deadline),
            Ended::Budget => Some(Told::Budget),
            Ended::All | Ended::Stopped => None,
        },
        used: explained.bill.meter.used,
        fill: (fake_probability(spec, &explained.fill_logits), is_fake(&explained.fill_logits)),
    };
    sentences(&facts)
}

/// A part of the face, or one of the regions that are answered.
fn area(explained: &Explained, label: usize) -> Option<Area> {
    let place = |ranked: &[Ranked]| ranked.iter().position(|one| one.label == label);
    let (name, at, ranked) = match &explained.parts {
        Some((labels, parts)) => {
            let at = place(parts)?;
            (Name::Part(Part::numbered(labels.name(label))?), Where::Parts(at), parts.get(at)?)
        }
        None => {
            let at = place(&explained.regions)?;
            let (left, top, right, bottom) = explained.regions[at].bounds;
            let rect =
                explained.frame.rect_to_displayed(left as u32, top as u32, right as u32, bottom as u32);
            (Name::Region(rect, Where::Regions(at)), Where::Regions(at), &explained.regions[at])
        }
    };
    let Ranked { evidence_share, area_share, .. } = *ranked;
    Some(Area { name, at, evidence_share, area_share })
}

fn change(explained: &Explained, changed: &Changed) -> Change {
    match &changed.outcome {
        Outcome::Found(set, smallest) => {
            let boxes = changed.boxes(&explained.frame);
            let name = |(at, label): (usize, &usize)| {
                let part = Part::numbered(changed.areas.name(*label)).filter(|_| changed.of_face);
                part.map_or_else(|| Name::Region(boxes[at], Where::Changed(at)), Name::Part)
            };
            let names = set.iter().enumerate().map(name).collect();
            let (area_share, candidates) = (changed.area_share, changed.candidates);
            Change::Found { names, area_share, smallest: *smallest, candidates }
        }
        Outcome::None => Change::None { candidates: changed.candidates, all: true },
        Outcome::Passes => Change::None { candidates: changed.candidates, all: false },
        Outcome::Deadline => Change::Late,
    }
}
