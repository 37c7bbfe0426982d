//! What a caller should know before trusting an answer, said only where the numbers say it.

use unmask_core::{Ended, Map, ModelSpec, PictureKind, softmax};

use super::Bill;
use super::explain::highest;
use crate::decode::Subject;

/// A crop whose shape differs from the model's frame by more than this factor is visibly stretched.
const STRETCH: f64 = 1.1;

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

/// About a fill that is itself evidence for what is explained.
pub(super) fn fill(spec: &ModelSpec, class: usize, fill_logits: &[f32]) -> Option<String> {
    let (real, called) = (spec.output.real, highest(fill_logits));
    let same_side = (called == real) == (class == real);
    let better = if class == real {
        "a fill that the model calls manipulated explains better".to_owned()
    } else {
        let real = &spec.output.labels[real];
        format!("a fill that the model calls {real} (such as the untouched original) explains better")
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

/// About a map that is cut short or empty.
pub(super) fn map(map: &Map, bill: &Bill) -> Vec<String> {
    let mut warnings = Vec::new();
    let cause = match bill.ended {
        Ended::Deadline => Some("deadline"),
        Ended::Budget => Some("budget"),
        Ended::All | Ended::Stopped => None,
    };
    if let Some(cause) = cause {
        warnings.push(format!(
            "the {cause} ended the explanation after {} of {} passes; the map is less certain than a whole one",
            bill.meter.run, bill.announced
        ));
    }
    if map.peak() == 0.0 {
        warnings.push("the map is flat: no region changed the score".into());
    }
    warnings
}
