//! The tables of a model that finds faces.

use std::ops::RangeInclusive;

use unmask_core::{Activation, FACE_VALUES, InputSpec, OutputSpec, PictureKind, Task};

use super::checks::Checks;
use super::meant::GOLDEN_ROWS;
use super::typed;

/// Faces that a row has room for.
const MOST: RangeInclusive<i64> = 1..=256;

/// What a row tells of, and its output. What only classes have is refused.
pub(super) fn output(checks: &mut Checks, typed: typed::Output) -> (Task, OutputSpec) {
    let most = checks.whole("output.faces", typed.faces, &MOST);
    let strange = [
        ("output.activation", typed.activation.is_some()),
        ("output.labels", typed.labels.is_some()),
        ("output.real", typed.real.is_some()),
        ("output.single", typed.single.is_some()),
    ];
    for (field, _) in strange.iter().filter(|(_, is_there)| *is_there) {
        checks.refuse(field, "got one, a model with task \"faces\" has no classes: remove it");
    }
    let range = |low: f64, high: f64| move |value: f64| (low..=high).contains(&value);
    let scale =
        checks.real("output.face_scale", typed.face_scale.or(Some(1.0)), range(0.25, 4.0), "0.25 to 4");
    let drop =
        checks.real("output.face_drop", typed.face_drop.or(Some(0.0)), range(-0.5, 0.5), "-0.5 to 0.5");
    let (labels, real, single) = Default::default();
    let name = checks.line("output.name", typed.name);
    (
        Task::Faces { most, scale, drop },
        OutputSpec { name, activation: Activation::None, labels, real, single },
    )
}

/// What other tables must say of it.
pub(super) fn rest(checks: &mut Checks, input: &InputSpec, has_no_groups: bool) {
    if let PictureKind::Face { .. } = input.picture {
        checks
            .refuse("input.picture", "got \"face\", a model with task \"faces\" sees the \"whole\" picture");
    }
    if !has_no_groups {
        checks.refuse("groups", "got some, a model with task \"faces\" has no classes: remove them");
    }
}

/// The number of golden pictures and the rows of their faces, the surest first; rooms that are left are zeros.
pub(super) fn golden(
    checks: &mut Checks,
    typed: Option<Vec<Vec<Vec<f64>>>>,
    most: usize,
) -> (usize, Vec<f32>) {
    const FIELD: &str = "golden.faces";
    let pictures = typed.unwrap_or_default();
    if !GOLDEN_ROWS.contains(&pictures.len()) {
        let (got, low, high) = (pictures.len(), GOLDEN_ROWS.start(), GOLDEN_ROWS.end());
        checks.refuse(FIELD, format!("got faces of {got} pictures, allowed is {low} to {high}"));
        return (0, Vec::new());
    }
    if pictures.iter().all(Vec::is_empty) {
        checks.refuse(FIELD, "got no face in any picture, which proves nothing: choose a picture with one");
    }
    let mut rows = Vec::new();
    for (i, faces) in pictures.iter().enumerate() {
        if most > 0 && faces.len() > most {
            checks.refuse(FIELD, format!("got {} faces in picture {i}, output.faces is {most}", faces.len()));
        }
        for face in faces {
            if face.len() != FACE_VALUES {
                let got = face.len();
                checks.refuse(
                    FIELD,
                    format!("got {got} values for a face of picture {i}, allowed is {FACE_VALUES}"),
                );
            }
            if let Some(value) = face.iter().find(|value| !(**value as f32).is_finite()) {
                checks.refuse(FIELD, format!("got {value:?} in picture {i}, allowed is a finite float32"));
            }
        }
        rows.extend(faces.iter().flatten().map(|value| *value as f32));
        rows.resize((i + 1) * most * FACE_VALUES, 0.0);
    }
    (pictures.len(), rows)
}
