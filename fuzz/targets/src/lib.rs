//! What each fuzz target does with its bytes. `fuzz/` gives these functions to libFuzzer, the tests give them every kept case.
//!
//! Whatever the bytes are, a target returns: it panics where the code under it does, or where a picture breaks a promise.

use std::sync::LazyLock;

use peak_alloc::PeakAlloc;
use prost::{Message, Name};
use unmask_explainer::image::{Limits, PictureError, decode, inspect};
use unmask_protocol::{parts, v1};
use unmask_server::fuzzing::Desk;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

static DESK: LazyLock<Desk> = LazyLock::new(Desk::default);

/// Most bytes of memory that one byte of a message unfolds into: an empty message is two bytes on the wire, and what grows is
/// copied into something twice as large.
const UNFOLDED: u64 = 1 << 10;

/// A target and its name, which is that of its folder of seeds as well.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("request", request),
    ("dataset_row", dataset_row),
    ("label_map", label_map),
    ("map", map),
    ("image", image),
    ("manifest", manifest),
    ("npy", npy),
    ("onnx", onnx),
];

/// A request, whose kind is its first byte.
pub fn request(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 7 {
        0 => read(bytes, |request| DESK.explain(request)),
        1 => read(bytes, |request| DESK.evaluate(request)),
        2 => read(bytes, |request| DESK.predict(request)),
        3 => read(bytes, |request| DESK.dataset(request, v1::EvaluateDatasetRequest::default())),
        4 => read(bytes, |request| DESK.many(request, kind & 0x80 == 0)),
        5 => read(bytes, |request| DESK.faces(request)),
        _ => read(bytes, |request| DESK.face(request)),
    }
}

/// A row of a dataset that is known already, under a plan that is right.
pub fn dataset_row(bytes: &[u8]) {
    read(bytes, |row: v1::DatasetRow| {
        let (id, kind) = (row.id.clone(), Some(v1::dataset_item::Kind::Row(row)));
        let item = v1::DatasetItem { id, kind };
        DESK.dataset(
            asked(plan(Vec::new())),
            v1::EvaluateDatasetRequest { kind: Some(v1::evaluate_dataset_request::Kind::Item(item)) },
        );
    });
}

/// The caller's regions of a picture.
pub fn label_map(bytes: &[u8]) {
    read(bytes, |labels| {
        let segmentation = v1::Segmentation { kind: Some(v1::segmentation::Kind::Labels(labels)) };
        let (image, segmentation) = (PICTURE.to_vec(), Some(segmentation));
        DESK.explain(v1::ExplainRequest { image, segmentation, ..Default::default() });
    });
}

/// The caller's map of a picture.
pub fn map(bytes: &[u8]) {
    read(bytes, |map| {
        let kind = Some(v1::candidate::Kind::Map(map));
        let candidate = v1::Candidate { name: "mine".into(), kind, ..Default::default() };
        let (image, plan) = (PICTURE.to_vec(), Some(plan(vec![candidate])));
        DESK.evaluate(v1::EvaluateRequest { image, plan, ..Default::default() });
    });
}

/// A picture file. What its header says holds: its size, and what decoding takes.
///
/// # Panics
/// When it does not.
pub fn image(bytes: &[u8]) {
    let limits = Limits { max_pixels: 1 << 16, min_side: 1 };
    let header = inspect(bytes, &limits);
    let (picture, taken) = measured(|| decode(bytes, &limits));
    match (header, picture) {
        (Ok(header), picture) => {
            let announced = header.decoding_bytes();
            assert!(taken <= announced, "took {taken} bytes, announced were {announced}");
            match picture {
                Ok(picture) => {
                    assert_eq!((header.width, header.height), (picture.width(), picture.height()));
                }
                Err(error) => assert!(matches!(error, PictureError::Broken { .. }), "{error}"),
            }
        }
        (Err(refused), picture) => assert_eq!(picture, Err(refused)),
    }
}

/// The manifest of a bundle.
pub fn manifest(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        unmask_registry::fuzzing::manifest(text);
    }
}

/// The golden input of a bundle.
pub fn npy(bytes: &[u8]) {
    unmask_registry::fuzzing::npy(bytes);
}

/// The model file of a bundle.
pub fn onnx(bytes: &[u8]) {
    unmask_registry::fuzzing::onnx(bytes);
}

/// Reads a message as the services do, which makes nothing of one that has too many parts.
///
/// # Panics
/// When making something of it takes more than [`UNFOLDED`] says.
fn read<M: Message + Name + Default>(bytes: &[u8], then: impl FnOnce(M)) {
    if parts::check(&M::full_name(), bytes).is_err() {
        return;
    }
    let (message, taken) = measured(|| M::decode(bytes));
    let most = (bytes.len() as u64 + 1) * UNFOLDED;
    assert!(taken <= most, "took {taken} bytes, {} bytes of a message may take {most}", bytes.len());
    if let Ok(message) = message {
        then(message);
    }
}

/// What is made, and the most memory that was taken meanwhile beside what there was.
fn measured<T>(make: impl FnOnce() -> T) -> (T, u64) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let made = make();
    (made, MEMORY.peak_usage().saturating_sub(before) as u64)
}

/// The head and the end of a PNG of 24 x 18 pixels: decoding a request looks no further.
pub const PICTURE: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\x0DIHDR\0\0\0\x18\0\0\0\x12\x08\x02\0\0\0****\0\0\0\0IDAT****\0\0\0\0IEND****";

/// A plan that is right where it has a candidate; without one it gets RISE.
pub fn plan(mut candidates: Vec<v1::Candidate>) -> v1::EvaluationPlan {
    if candidates.is_empty() {
        let rise = v1::method::Kind::Rise(v1::Rise::default());
        let kind = Some(v1::candidate::Kind::Method(v1::Method { kind: Some(rise), ..Default::default() }));
        candidates.push(v1::Candidate { kind, ..Default::default() });
    }
    let deletion = v1::metric::Kind::Deletion(v1::Deletion::default());
    let metrics = vec![v1::Metric { kind: Some(deletion) }];
    v1::EvaluationPlan { candidates, metrics, ..Default::default() }
}

/// A plan as a dataset brings it.
pub fn asked(plan: v1::EvaluationPlan) -> v1::EvaluateDatasetRequest {
    let plan = v1::DatasetPlan { plan: Some(plan), ..Default::default() };
    v1::EvaluateDatasetRequest { kind: Some(v1::evaluate_dataset_request::Kind::Plan(plan)) }
}
