//! Requests that differ from a good one in one thing.

use unmask_protocol::v1::{
    self,
    target::{Against, Kind},
};
use unmask_tests::request;

pub(crate) fn with_image(image: Vec<u8>) -> v1::ExplainRequest {
    v1::ExplainRequest { image, fill: None, ..request() }
}

pub(crate) fn with_rise(
    masks: Option<u32>,
    grid: Option<u32>,
    keep_probability: Option<f64>,
) -> v1::ExplainRequest {
    with_method(v1::method::Kind::Rise(v1::Rise { masks, grid, keep_probability, ..Default::default() }))
}

pub(crate) fn with_occlusion(grid: Option<u32>, window: Option<u32>, mode: i32) -> v1::ExplainRequest {
    with_method(v1::method::Kind::Occlusion(v1::Occlusion { grid, window, mode }))
}

pub(crate) fn with_method(kind: v1::method::Kind) -> v1::ExplainRequest {
    v1::ExplainRequest { method: Some(v1::Method { kind: Some(kind), preset: String::new() }), ..request() }
}

pub(crate) fn with_segments(kind: v1::segmentation::Kind) -> v1::ExplainRequest {
    v1::ExplainRequest { segmentation: Some(v1::Segmentation { kind: Some(kind) }), ..request() }
}

/// A label map of these sides whose number at (x, y) is given.
pub(crate) fn with_labels(width: u32, height: u32, number: impl Fn(u32, u32) -> u16) -> v1::ExplainRequest {
    let numbers = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let values = numbers.flat_map(|(x, y)| number(x, y).to_le_bytes()).collect();
    with_segments(v1::segmentation::Kind::Labels(v1::LabelSegmentation {
        height,
        width,
        values,
        sha256: String::new(),
    }))
}

pub(crate) fn with_target(kind: Option<Kind>, against: Option<Against>, scale: i32) -> v1::ExplainRequest {
    v1::ExplainRequest { target: Some(v1::Target { kind, against, scale }), ..request() }
}

pub(crate) fn label(name: &str) -> Option<Kind> {
    Some(Kind::Label(name.into()))
}

pub(crate) fn group(name: &str) -> Option<Kind> {
    Some(Kind::Group(name.into()))
}

pub(crate) fn against_label(name: &str) -> Option<Against> {
    Some(Against::AgainstLabel(name.into()))
}

pub(crate) fn against_group(name: &str) -> Option<Against> {
    Some(Against::AgainstGroup(name.into()))
}

pub(crate) fn with_budget(max_passes: u64, wrong: v1::ExplainRequest) -> v1::ExplainRequest {
    v1::ExplainRequest {
        budget: Some(v1::Budget { max_passes: Some(max_passes), ..Default::default() }),
        ..wrong
    }
}

pub(crate) fn with_fill(kind: v1::fill::Kind) -> v1::ExplainRequest {
    v1::ExplainRequest { fill: Some(v1::Fill { kind: Some(kind) }), ..request() }
}

pub(crate) fn with_crop(x: u32, y: u32, width: u32, height: u32) -> v1::ExplainRequest {
    v1::ExplainRequest { crop: Some(v1::Box { x, y, width, height }), ..request() }
}
