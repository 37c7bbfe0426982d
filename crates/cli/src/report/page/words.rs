//! Words for what answers say by number.

use unmask_protocol::v1;

/// A part of the face; left and right are those of the picture.
pub(super) fn part(part: v1::FacePart) -> &'static str {
    match part {
        v1::FacePart::Unspecified => "a part that this version does not know",
        v1::FacePart::LeftEye => "left eye",
        v1::FacePart::RightEye => "right eye",
        v1::FacePart::Nose => "nose",
        v1::FacePart::Mouth => "mouth",
        v1::FacePart::LeftCheek => "left cheek",
        v1::FacePart::RightCheek => "right cheek",
        v1::FacePart::LeftJawLine => "left jaw line",
        v1::FacePart::RightJawLine => "right jaw line",
        v1::FacePart::Chin => "chin",
        v1::FacePart::Forehead => "forehead",
        v1::FacePart::HairLine => "hair line",
        v1::FacePart::Background => "background",
    }
}

/// What was replaced in a check.
pub(super) fn check(kind: v1::CheckKind) -> &'static str {
    match kind {
        v1::CheckKind::Unspecified => "something that this version does not know",
        v1::CheckKind::FoundHidden => "what stands out",
        v1::CheckKind::RestHidden => "everything else",
        v1::CheckKind::MiddleHidden => "as much in the middle, whatever is there (control)",
    }
}

/// What a map's values are called.
pub(super) fn reading(reading: v1::Reading) -> &'static str {
    match reading {
        v1::Reading::Importance => "importance",
        v1::Reading::Evidence | v1::Reading::Unspecified => "evidence",
    }
}

/// Which way a figure is better; nothing where it only describes.
pub(super) fn better(better: v1::Better) -> Option<(&'static str, &'static str)> {
    match better {
        v1::Better::Higher => Some(("\u{2191}", "higher is better")),
        v1::Better::Lower => Some(("\u{2193}", "lower is better")),
        v1::Better::Neither | v1::Better::Unspecified => None,
    }
}

/// What the model decides, in a word.
pub(super) fn decision(prediction: &v1::Prediction) -> String {
    let what = if prediction.fake { "manipulated" } else { "not manipulated" };
    format!("{what} ({})", prediction.label)
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
