//! An explained face as a message.

use unmask_protocol::v1;

use super::faces::of;
use super::{bill, map, transform, truncation, version};
use crate::decode::FaceBoxJob;
use crate::run::ExplainedFace;

/// An explained face.
pub(crate) fn explained_face(
    request_id: String,
    job: &FaceBoxJob,
    answer: ExplainedFace,
) -> v1::ExplainFaceResponse {
    let evidence = &answer.evidence;
    v1::ExplainFaceResponse {
        request_id,
        face: Some(of(&answer.face)),
        map: Some(map(&evidence.map)),
        transform: Some(transform(&answer.frame)),
        evidence_share: evidence.inside.evidence_share,
        area_share: evidence.inside.area_share,
        inside_mean: evidence.inside.mean,
        inside_error: evidence.inside.error,
        masked_mean: evidence.mean,
        overlay_png: answer.overlay,
        cost: Some(bill::cost(&answer.bill)),
        resolved: Some(resolved_face(job)),
        face_model: Some(version(job.finder.spec())),
        timings: Some(bill::timings(&answer.bill)),
        warnings: answer.warnings,
        truncated_by: truncation(evidence.ended).into(),
    }
}

/// Every parameter as it is used.
pub(crate) fn resolved_face(job: &FaceBoxJob) -> v1::ResolvedFace {
    v1::ResolvedFace {
        face: job.meant.map(|[left, top, right, bottom]| v1::FaceBox { left, top, right, bottom }),
        // Both are at most what the request's 32 bits hold.
        masks: job.drise.masks as u32,
        grid: job.drise.grid as u32,
        keep_probability: job.drise.keep_probability,
        seed: job.seed,
    }
}
