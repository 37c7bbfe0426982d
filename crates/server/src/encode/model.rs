//! A model version and its state.

use unmask_core::{PictureKind, Task};
use unmask_pool::{Batching, Layout, Served};
use unmask_protocol::v1;

use crate::models::{Listed, State};

pub(crate) fn model(listed: Listed<'_>) -> v1::Model {
    let (spec, state, serving) = match listed.state {
        State::Loaded(served) => (&**served.spec(), v1::ModelState::Serving, Some(serving(served))),
        State::NotLoaded(spec) => (spec, v1::ModelState::NotLoaded, None),
        State::Refused => {
            let (name, version) = (listed.name.to_owned(), listed.version.to_owned());
            return v1::Model {
                version: Some(v1::ModelVersion { name, version, sha256: String::new() }),
                state: v1::ModelState::Refused.into(),
                reason: listed.reason.to_owned(),
                ..v1::Model::default()
            };
        }
    };
    let label = |class: &usize| spec.output.labels[*class].clone();
    let (expected, face_factor) = match spec.input.picture {
        PictureKind::Whole => (v1::ExpectedPicture::Whole, 0.0),
        PictureKind::Face { factor } => (v1::ExpectedPicture::Face, factor),
    };
    v1::Model {
        version: Some(super::version(spec)),
        state: state.into(),
        reason: listed.reason.to_owned(),
        summary: spec.summary.clone(),
        licence: spec.licence.clone(),
        labels: spec.output.labels.clone(),
        real_label: spec.output.labels.get(spec.output.real).cloned().unwrap_or_default(),
        groups: spec
            .groups
            .iter()
            .map(|g| v1::ClassGroup { name: g.name.clone(), labels: g.classes.iter().map(label).collect() })
            .collect(),
        width: spec.input.width as u32,
        height: spec.input.height as u32,
        expected_picture: expected.into(),
        face_factor,
        is_default: listed.is_default,
        serving,
        task: match spec.task {
            Task::Classes => v1::ModelTask::Classes,
            Task::Faces { .. } => v1::ModelTask::Faces,
        }
        .into(),
    }
}

fn serving(served: &Served) -> v1::Serving {
    let layout = |layout: Layout| v1::Layout {
        workers: layout.workers as u32,
        threads: layout.threads as u32,
        batch: layout.batch as u32,
    };
    let batching = match served.batching() {
        Batching::Any(_) => v1::Batching::Any,
        Batching::Fixed(_) => v1::Batching::Fixed,
        Batching::Single => v1::Batching::Single,
    };
    let points = served.calibration().map(|calibration| calibration.points.as_slice()).unwrap_or_default();
    v1::Serving {
        layout: Some(layout(served.layout())),
        batching: batching.into(),
        deterministic: served.is_deterministic(),
        workers_up: served.workers().0 as u32,
        speeds: points
            .iter()
            .map(|point| v1::LayoutSpeed {
                layout: Some(layout(point.layout)),
                passes_per_second: point.passes_per_second,
            })
            .collect(),
    }
}
