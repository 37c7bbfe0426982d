//! A request to explain why a face was seen.

use std::sync::Arc;

use unmask_core::{Preset, Violation};
use unmask_explainer::face::{Drise, drise};
use unmask_pool::Served;
use unmask_protocol::v1;

use super::{Sight, finish, subject};
use crate::error::RequestError;

/// A face to explain.
pub(crate) struct FaceBoxJob {
    pub(crate) image: Vec<u8>,
    /// What finds it.
    pub(crate) finder: Arc<Served>,
    /// Left, top, right and bottom of its box; the largest face where there is none.
    pub(crate) meant: Option<[f64; 4]>,
    pub(crate) drise: Drise,
    pub(crate) seed: u64,
    /// Whether the map is wanted over the picture.
    pub(crate) overlay: bool,
    /// Pixels of the picture.
    pub(crate) pixels: u64,
}

/// A request to explain a face; `violations` are those that are known already.
pub(crate) fn face_box(
    request: v1::ExplainFaceRequest,
    sight: &Sight<'_>,
    mut violations: Vec<Violation>,
) -> Result<FaceBoxJob, RequestError> {
    let finder = sight.models.find_faces(request.face_model.as_ref(), sight.tenant);
    let wrong = &mut violations;
    let pictured = subject::subject(request.image, None, sight.limits, wrong);
    let displayed = pictured.as_ref().map(|pictured| (pictured.header.width, pictured.header.height));
    let meant = request.face.and_then(|face| corners(face, displayed, wrong));
    let (preset, path) = (Preset::Clean, "");
    let drise = Drise {
        masks: drise::MASKS.integer(request.masks.map(u64::from), preset, path, wrong),
        grid: drise::GRID.integer(request.grid.map(u64::from), preset, path, wrong) as usize,
        keep_probability: drise::KEEP_PROBABILITY.real(request.keep_probability, preset, path, wrong),
    };
    let (seed, overlay) = (request.seed, request.overlay);
    finish(finder, violations, |finder| {
        let (image, (width, height)) = (pictured?.image, displayed?);
        let pixels = u64::from(width) * u64::from(height);
        Some(FaceBoxJob { image, finder, meant, drise, seed, overlay, pixels })
    })
}

/// The corners of a box that lies in the picture, as far as its size is known.
fn corners(
    face: v1::FaceBox,
    displayed: Option<(u32, u32)>,
    violations: &mut Vec<Violation>,
) -> Option<[f64; 4]> {
    let v1::FaceBox { left, top, right, bottom } = face;
    let known = violations.len();
    let mut edge = |name: &str, got: f64, (least, most): (f64, f64), what: &str| {
        if !(least..=most).contains(&got) {
            // A number of 300 digits is no easier to read than its first ones.
            let got = if got.abs() < 1e6 { format!("{got:.1}") } else { format!("{got:.1e}") };
            violations.push(Violation::new(format!("face.{name}"), format!("got {got}, allowed is {what}")));
        }
    };
    let (width, height) = displayed.map_or((f64::MAX, f64::MAX), |(w, h)| (w.into(), h.into()));
    let size =
        |length: f64| if displayed.is_some() { format!("{length}") } else { "the picture's size".into() };
    edge("left", left, (0.0, width), &format!("0 to {}, as DetectFaces tells it", size(width)));
    edge("top", top, (0.0, height), &format!("0 to {}, as DetectFaces tells it", size(height)));
    edge("right", right, (left.next_up(), width), &format!("more than left, at most {}", size(width)));
    edge("bottom", bottom, (top.next_up(), height), &format!("more than top, at most {}", size(height)));
    (violations.len() == known).then_some([left, top, right, bottom])
}
