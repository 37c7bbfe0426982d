//! A model version and its state.

use unmask_core::PictureKind;
use unmask_pool::{Batching, Layout, Served};
use unmask_protocol::v1;

use crate::models::State;

pub(crate) fn model(name: &str, version: &str, state: &State, is_default: bool) -> v1::Model {
    let served = match state {
        Ok(served) => served,
        Err(reason) => {
            let (name, version) = (name.to_owned(), version.to_owned());
            return v1::Model {
                version: Some(v1::ModelVersion { name, version, sha256: String::new() }),
                state: v1::ModelState::Refused.into(),
                reason: reason.clone(),
                ..v1::Model::default()
            };
        }
    };
    let spec = served.spec();
    let label = |class: &usize| spec.output.labels[*class].clone();
    let (expected, face_factor) = match spec.input.picture {
        PictureKind::Whole => (v1::ExpectedPicture::Whole, 0.0),
        PictureKind::Face { factor } => (v1::ExpectedPicture::Face, factor),
    };
    v1::Model {
        version: Some(super::version(spec)),
        state: v1::ModelState::Serving.into(),
        reason: String::new(),
        summary: spec.summary.clone(),
        licence: spec.licence.clone(),
        labels: spec.output.labels.clone(),
        real_label: label(&spec.output.real),
        groups: spec
            .groups
            .iter()
            .map(|g| v1::ClassGroup { name: g.name.clone(), labels: g.classes.iter().map(label).collect() })
            .collect(),
        width: spec.input.width as u32,
        height: spec.input.height as u32,
        expected_picture: expected.into(),
        face_factor,
        is_default,
        serving: Some(serving(served)),
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
