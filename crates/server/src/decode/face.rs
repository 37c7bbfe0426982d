//! Which face of a picture is meant.

use std::sync::Arc;

use unmask_core::{ModelSpec, PictureKind, Violation};
use unmask_explainer::image::Header;
use unmask_pool::Served;
use unmask_protocol::v1::{self, face_choice::Kind};

use super::Sight;
use crate::error::RequestError;
use crate::run::LOOKS;

/// Left eye in the picture, right eye, tip of the nose, left and right corner of the mouth, in pixels of the picture as displayed.
pub(crate) type Landmarks = [(f64, f64); 5];

/// The face that is meant.
pub(crate) enum Whose {
    /// None in particular.
    Nobodys,
    /// The one with these landmarks.
    Known(Landmarks),
    /// One that is looked for.
    Sought {
        /// What finds it.
        finder: Arc<Served>,
        /// Whether the caller asked for it, and has no answer without it.
        needed: bool,
    },
}

impl Whose {
    /// Passes of a face model.
    pub(crate) fn announced(&self) -> u64 {
        match self {
            Self::Nobodys | Self::Known(_) => 0,
            Self::Sought { .. } => LOOKS,
        }
    }
}

/// The face that is meant; where none is named and `wanted` would know one, it is looked for if it can be.
pub(super) fn face(
    given: Option<v1::FaceChoice>,
    wanted: bool,
    (header, spec): (Option<&Header>, Option<&ModelSpec>),
    sight: &Sight<'_>,
    wrong: &mut Vec<Violation>,
) -> Result<Whose, RequestError> {
    let Some(choice) = given else {
        let expected = spec.is_some_and(|spec| matches!(spec.input.picture, PictureKind::Face { .. }));
        // A server without a face model explains as ever; what cannot be told then is told.
        let finder = (wanted && expected).then(|| sight.models.find_faces(None, sight.tenant).ok()).flatten();
        return Ok(finder.map_or(Whose::Nobodys, |finder| Whose::Sought { finder, needed: false }));
    };
    match choice.kind {
        Some(Kind::Landmarks(given)) => {
            Ok(landmarks(&given, header, wrong).map_or(Whose::Nobodys, Whose::Known))
        }
        Some(Kind::Search(search)) => {
            let finder = sight.models.find_faces(search.face_model.as_ref(), sight.tenant);
            Ok(Whose::Sought { finder: finder.map_err(|error| error.below("face.search"))?, needed: true })
        }
        None => {
            let message = "is not set; send landmarks as DetectFaces tells them, or search";
            wrong.push(Violation::new("face.kind", message));
            Ok(Whose::Nobodys)
        }
    }
}

fn landmarks(
    given: &v1::Landmarks,
    header: Option<&Header>,
    wrong: &mut Vec<Violation>,
) -> Option<Landmarks> {
    let points = [
        ("left_eye", given.left_eye),
        ("right_eye", given.right_eye),
        ("nose", given.nose),
        ("mouth_left", given.mouth_left),
        ("mouth_right", given.mouth_right),
    ];
    // What is no picture has been told already.
    let (width, height) = header.map(|header| (header.width, header.height))?;
    let before = wrong.len();
    let read = points.map(|(name, point)| {
        let mut refuse = |message: String| wrong.push(Violation::new(format!("face.landmarks.{name}"), message));
        match point {
            None => {
                refuse("is not set; all five landmarks are needed".into());
                (0.0, 0.0)
            }
            Some(v1::Point { x, y }) => {
                let within = |v: f64, length: u32| (0.0..=f64::from(length)).contains(&v);
                if !within(x, width) || !within(y, height) {
                    refuse(format!("got ({x}, {y}), which is not inside the picture of {width} x {height} pixels as displayed"));
                }
                (x, y)
            }
        }
    });
    (wrong.len() == before).then_some(read)
}
