//! What is said follows from the numbers, and from nothing else.

use unmask_core::Reading;

use super::*;
use crate::face::Part;
use crate::image::Rect;

fn area(part: Part, at: usize, evidence_share: f64) -> Area {
    Area { name: Name::Part(part), at: Where::Parts(at), evidence_share, area_share: 0.062 }
}

fn trial(is_fake: bool, fake: f64, value: f64) -> Trial {
    Trial { is_fake, fake, value }
}

fn facts(found: &[Area]) -> Facts<'_> {
    Facts {
        language: Language::English,
        label: "mouth",
        is_fake: true,
        fake: 0.971,
        target: "mouth",
        value: 2.84,
        is_of_decision: true,
        reading: Reading::Evidence,
        is_named: true,
        is_flat: false,
        found,
        is_unlisted: false,
        trials: None,
        change: None,
        error: None,
        steady: None,
        cut_short: None,
        used: 172,

        fill: (0.02, false),
    }
}

fn said(facts: &Facts<'_>, subject: Subject) -> Vec<String> {
    sentences(facts).into_iter().filter(|sentence| sentence.subject == subject).map(|s| s.text).collect()
}

#[test]
fn where_the_evidence_lies_is_said_with_its_share_of_evidence_and_of_area() {
    let one = [area(Part::Mouth, 0, 0.712)];
    assert_eq!(
        said(&facts(&one), Subject::Evidence),
        ["Most of what speaks for \"mouth\" lies in the mouth (71 % of it in 6.2 % of the area)."]
    );
    let three = [area(Part::Mouth, 0, 0.2), area(Part::Chin, 1, 0.15), area(Part::LeftJawLine, 2, 0.101)];
    assert_eq!(
        said(&facts(&three), Subject::Evidence),
        [
            "What speaks for \"mouth\" is spread; more of it than elsewhere lies in the mouth (20 % of it in 6.2 % of the \
          area), the chin (15 % of it in 6.2 % of the area) and the left jaw line (10 % of it in 6.2 % of the area)."
        ]
    );
}

#[test]
fn where_nothing_stands_out_that_is_said() {
    let spread = facts(&[]);
    let flat = Facts { is_flat: true, ..facts(&[]) };
    let unsigned = Facts { reading: Reading::Importance, ..facts(&[]) };
    assert!(said(&spread, Subject::Evidence)[0].starts_with("No part stands out"));
    assert!(said(&flat, Subject::Evidence)[0].starts_with("Nothing that was hidden or shown speaks for"));
    assert!(said(&unsigned, Subject::Evidence)[0].contains("what matters for"));
    assert!(said(&spread, Subject::Effect).is_empty() && said(&spread, Subject::Control).is_empty());
    let elsewhere = Facts { is_unlisted: true, ..facts(&[]) };
    assert!(said(&elsewhere, Subject::Evidence)[0].contains("not among the regions that are listed"));
}

#[test]
fn an_explanation_is_better_than_the_middle_only_where_that_can_be_read() {
    let found = [area(Part::Mouth, 0, 0.7)];
    for (value, middle, reading, better) in [
        (1.0, 1.5, Reading::Evidence, Some(true)),
        // Both are shown as +1.00.
        (1.0, 1.004, Reading::Evidence, Some(false)),
        // Both raise the score.
        (3.0, 3.5, Reading::Evidence, Some(false)),
        (1.0, 1.5, Reading::Importance, None),
    ] {
        let trials = Some([trial(true, 0.9, value), trial(true, 0.9, 2.0), trial(true, 0.9, middle)]);
        let facts = Facts { trials, reading, is_of_decision: false, ..facts(&found) };
        let told = said(&facts, Subject::Control);
        assert_eq!(told.first().map(|text| text.contains("is better than")), better, "{told:?}");
    }
}

#[test]
fn what_happens_when_it_is_replaced_is_said_as_it_happened() {
    let found = [area(Part::Mouth, 0, 0.7)];
    for (was, hidden, middle, effect, control) in [
        (true, trial(false, 0.12, -2.0), 0.5, "the detector calls it real, and gives 12 %", "is better than"),
        // Both are shown as 80 %.
        (
            true,
            trial(true, 0.797, 1.5),
            0.802,
            "still calls it manipulated, with 80 % where it was 97 %",
            "is no better",
        ),
        (
            true,
            trial(true, 0.8, 1.5),
            0.7,
            "still calls it manipulated, with 80 % where it was 97 %",
            "is no better",
        ),
        // It makes the detector surer.
        (
            true,
            trial(true, 0.98, 1.5),
            0.99,
            "still calls it manipulated, with 98 % where it was 97 %",
            "is no better",
        ),
        (
            false,
            trial(true, 0.99, 1.5),
            0.98,
            "calls it manipulated, with 99 % where it was 97 %",
            "is better than",
        ),
        (false, trial(false, 0.3, 1.5), 0.5, "still calls it real", "is no better"),
    ] {
        let trials = Some([hidden, trial(true, 0.9, 2.0), trial(true, middle, 0.0)]);
        let facts = Facts { trials, is_fake: was, ..facts(&found) };
        let (effects, controls) = (said(&facts, Subject::Effect), said(&facts, Subject::Control));
        assert!(effects[0].contains(effect), "{effects:?}");
        assert!(
            effects[1].contains("With everything else replaced instead, it calls it manipulated, with 90 %")
        );
        assert!(controls[0].contains(control), "{controls:?}");
    }
}

#[test]
fn a_counterfactual_is_the_least_only_where_that_was_tried() {
    let names = vec![Name::Part(Part::Mouth), Name::Part(Part::Nose)];
    let found = |smallest| Change::Found { names: names.clone(), area_share: 0.1, smallest, candidates: 12 };
    for (change, is_fake, words) in [
        (
            found(true),
            true,
            "The least that has to be replaced for it to be called real is the mouth and the nose, 10 %",
        ),
        (
            found(false),
            true,
            "is enough for it to be called real; whether fewer of the 12 candidates would do was not tried to the end",
        ),
        (found(true), false, "for it to be called manipulated is"),
        (Change::None { candidates: 12, all: true }, true, "No set of the 12 candidates changes"),
        (Change::None { candidates: 12, all: false }, true, "not all were tried"),
        (Change::Late, true, "could not be tried"),
    ] {
        let facts = Facts { change: Some(change), is_fake, ..facts(&[]) };
        let told = said(&facts, Subject::Counterfactual);
        assert!(told[0].contains(words), "{told:?}");
    }
}

#[test]
fn how_sure_it_is_and_what_it_does_not_show_are_always_said() {
    let plain = facts(&[]);
    assert_eq!(
        said(&plain, Subject::Certainty),
        ["How much of this would stay with another seed was not measured."]
    );
    assert_eq!(said(&plain, Subject::Limit).len(), 1);
    let cut = Facts {
        cut_short: Some(Told::Budget),
        error: Some(0.034),
        steady: Some((0.874, Some(true))),
        ..facts(&[])
    };
    let certain = said(&cut, Subject::Certainty);
    assert!(certain[0].contains("ended the explanation early, after 172 passes"), "{certain:?}");
    assert!(certain[1].contains("3.4 %") && certain[2].contains("the same part comes first"), "{certain:?}");
    let flat = Facts { steady: Some((0.0, None)), ..facts(&[]) };
    assert!(said(&flat, Subject::Certainty)[0].contains("cannot be compared"));
    let doubtful = Facts { fill: (0.8, true), is_named: false, ..facts(&[]) };
    let limits = said(&doubtful, Subject::Limit);
    assert!(
        limits[0].contains("not named") && limits[1].contains("itself called manipulated (80 %)"),
        "{limits:?}"
    );
}

#[test]
fn every_number_that_is_read_is_one_that_is_told() {
    let rect = Rect { x: 17, y: 23, width: 31, height: 37 };
    let region = Name::Region(rect, Where::Regions(0));
    let found = [Area { name: region, at: Where::Regions(0), evidence_share: 0.456, area_share: 0.0987 }];
    let trials = Some([trial(false, 0.111, -1.25), trial(true, 0.222, 0.5), trial(true, 0.333, 1.75)]);
    let change =
        Some(Change::Found { names: vec![region], area_share: 0.0765, smallest: true, candidates: 12 });
    for (language, is_of_decision) in Language::ALL.into_iter().flat_map(|l| [(l, true), (l, false)]) {
        let facts = Facts {
            language,
            is_of_decision,
            trials,
            change: change.clone(),
            error: Some(0.0123),
            steady: Some((0.87, Some(false))),
            cut_short: Some(Told::Deadline),
            fill: (0.654, true),
            is_named: false,
            ..facts(&found)
        };
        for Sentence { text, numbers, .. } in sentences(&facts) {
            let mut left = text.clone();
            for (what, shown) in &numbers {
                assert!(left.contains(shown), "{what:?} is {shown}: {text}");
                left = left.replacen(shown, "", 1);
            }
            assert!(!left.contains(|letter: char| letter.is_ascii_digit()), "{left}");
            assert!(!text.contains(['{', '}']) && text.ends_with('.'), "{text}");
        }
    }
}
