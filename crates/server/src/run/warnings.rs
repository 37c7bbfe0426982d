//! What a caller should know before trusting an answer, said only where the numbers say it.

use unmask_core::{Ended, Map, ModelSpec, PictureKind, Reading, highest, softmax};
use unmask_explainer::face::Face;
use unmask_explainer::face::drise::Evidence;
use unmask_explainer::fill::adversarial::{Sample, Search};

use super::{Bill, Met};
use crate::decode::{ExplainJob, Named, Subject, Whose};

/// A crop whose shape differs from the model's frame by more than this factor is visibly stretched.
const STRETCH: f64 = 1.1;

/// Standard errors that a mean lies above nothing at least, before it is taken for more than chance.
const ERRORS: f64 = 2.0;

/// About the picture and its crop.
pub(super) fn picture(spec: &ModelSpec, subject: &Subject) -> Vec<String> {
    let mut warnings = Vec::new();
    if let (PictureKind::Face { factor }, false) = (spec.input.picture, subject.crop_given) {
        warnings.push(format!(
            "no crop was given: the whole picture was taken as the square face crop that the model expects \
             ({factor} x the larger side of the face's box)"
        ));
    }
    let aspect = f64::from(subject.crop.width) / f64::from(subject.crop.height);
    let stretch = aspect / (spec.input.width as f64 / spec.input.height as f64);
    if stretch.max(1.0 / stretch) > STRETCH {
        warnings.push(format!(
            "the crop of {} x {} pixels was stretched to the model's {} x {}, which distorts the face",
            subject.crop.width, subject.crop.height, spec.input.width, spec.input.height
        ));
    }
    warnings
}

/// About a deadline that came after the map.
pub(super) const AFTER: &str =
    "the deadline ended the explanation after its map: not all that was asked besides is there";

/// About the face that was looked for.
pub(super) fn face(job: &ExplainJob, met: Option<&Met>) -> Vec<String> {
    match (&job.face, met) {
        (Whose::Sought { .. }, Some(met)) => met.warnings.clone(),
        (Whose::Sought { .. }, None) => {
            vec!["no face was found in what the model sees: its parts are not named, and the model expects one".into()]
        }
        (Whose::Nobodys | Whose::Known(_), _) => Vec::new(),
    }
}

/// About a fill that is itself evidence for what is explained.
pub(super) fn fill(spec: &ModelSpec, decision: &Named, fill_logits: &[f32]) -> Option<String> {
    let (real, called) = (spec.output.real, highest(fill_logits));
    let (pro, contra) = (decision.target.pro(), decision.target.contra());
    let (for_real, against_real) = (pro.contains(&real), contra.contains(&real));
    // Between two kinds of manipulation, only the one that is explained is evidence; otherwise any manipulation is.
    let same_side = match (for_real, against_real) {
        (false, false) => pro.contains(&called),
        _ => (called == real) == for_real,
    };
    let better = if for_real {
        "a fill that the model calls manipulated explains better".to_owned()
    } else if against_real {
        let real = &spec.output.labels[real];
        format!("a fill that the model calls {real} (such as the untouched original) explains better")
    } else {
        "a fill that the model calls something else explains better".to_owned()
    };
    same_side.then(|| {
        format!(
            "the fill alone is called {} ({:.0} %): hiding a region then adds evidence of its own, and the map shows \
             that too; {better}",
            spec.output.labels[called],
            100.0 * softmax(fill_logits)[called],
        )
    })
}

/// About a search that did not change the decision.
pub(super) fn search(spec: &ModelSpec, search: &Search, sample: &Sample) -> String {
    if matches!(search, Search::Paper(_)) && highest(&sample.before) == spec.output.real {
        return format!(
            "the fill is the picture itself: this search leaves a picture that is called {} as it is, and hiding a \
             region changes nothing",
            spec.output.labels[spec.output.real]
        );
    }
    format!(
        "the search for an adversarial fill ended after {} passes without changing the decision; the fill is called {} \
         like the picture, and the map tells little",
        sample.passes,
        spec.output.labels[highest(&sample.after)]
    )
}

/// About a map that is cut short, without direction or empty.
pub(super) fn map(map: &Map, reading: Reading, ended: Ended, bill: &Bill) -> Vec<String> {
    let mut warnings = Vec::new();
    let cause = match ended {
        Ended::Deadline => Some("deadline"),
        Ended::Budget => Some("budget"),
        Ended::All | Ended::Stopped => None,
    };
    if let Some(cause) = cause {
        warnings.push(format!(
            "the {cause} ended the explanation after {} of {} passes; the map is less certain than a whole one",
            bill.meter.used, bill.announced
        ));
    }
    let flat = match reading {
        Reading::Evidence => map.peak() == 0.0,
        Reading::Importance => {
            warnings.push(
                "the map tells how much a region matters, not whether it speaks for or against; only differences \
                 within it mean something"
                    .into(),
            );
            map.data.iter().all(|v| *v == map.floor())
        }
    };
    if flat {
        warnings.push("the map is flat: no region changed the score".into());
    }
    warnings
}

/// About a face whose masks are too coarse or too few for it.
pub(super) fn face_box(face: &Face, evidence: &Evidence, grid: usize, displayed: (u32, u32)) -> Vec<String> {
    let mut warnings = Vec::new();
    let cell = f64::from(displayed.0.max(displayed.1)) / grid as f64;
    if face.side() < cell {
        warnings.push(format!(
            "the face is smaller ({:.0} pixels) than a cell of the masks ({cell:.0} pixels), and the map cannot tell where in it the evidence \
             lies; ask for a larger grid, or send the part of the picture around the face",
            face.side()
        ));
    }
    if evidence.mean == 0.0 {
        warnings.push(
            "the face was seen under none of the masks; ask for a higher keep_probability, so that more of the picture shows".into(),
        );
    } else if let Some(error) = evidence.inside.error
        && evidence.map.peak() > 0.0
        && evidence.inside.mean < ERRORS * error
    {
        warnings.push(format!(
            "the mean inside the face's box, {:+.4}, is not told from nothing by so few masks (standard error {error:.4}); ask for more",
            evidence.inside.mean
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use unmask_core::{Scale, Target};

    use super::*;

    fn spec() -> ModelSpec {
        ModelSpec::plain("m", 2, 2, &["real", "swap", "mouth", "eyes"])
    }

    fn warned(pro: &[usize], contra: Option<&[usize]>, called: usize) -> Option<String> {
        let target = Target::new(pro.into(), contra.map(Vec::from), 4, Scale::LogOdds);
        let mut logits = [0.0; 4];
        logits[called] = 3.0;
        fill(&spec(), &Named { label: "x".into(), target }, &logits)
    }

    #[test]
    fn a_fill_on_the_side_of_what_is_explained_is_warned_of() {
        for (pro, contra, called, words) in [
            (&[2][..], None, 0, None),
            (&[2], None, 1, Some("called swap (87 %)")),
            (&[0], None, 0, Some("calls manipulated explains better")),
            (&[0], None, 1, None),
            (&[1, 2, 3], None, 3, Some("calls real (such as the untouched original) explains better")),
            (&[2], Some(&[3][..]), 2, Some("calls something else explains better")),
            (&[2], Some(&[3]), 3, None),
            (&[2], Some(&[3]), 1, None),
        ] {
            match (warned(pro, contra, called), words) {
                (None, None) => {}
                (Some(warning), Some(words)) => assert!(warning.contains(words), "{warning}"),
                (got, expected) => panic!("{pro:?} {contra:?} {called}: {got:?} instead of {expected:?}"),
            }
        }
    }
}
