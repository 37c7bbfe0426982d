//! The record itself, and what an answer says for it.

use std::convert::Infallible;

use serde::Serialize;
use serde_json::Value as Json;
use unmask_protocol::v1;

/// The version of the record's fields. It grows where one changes its meaning or goes.
pub(super) const SCHEMA: u32 = 1;

/// Whoever asked, where nobody says who.
pub(super) const ANONYMOUS: &str = "anonymous";

/// A decision on record. Fields that are not known are null: a request that was refused at the door has no model.
#[derive(Serialize)]
pub(super) struct Record<'a> {
    pub(super) schema: u32,
    /// When the request ended: RFC 3339, UTC, milliseconds.
    pub(super) time: &'a str,
    pub(super) tenant: Option<&'a str>,
    pub(super) subject: &'a str,
    pub(super) call: &'a str,
    /// Empty where the request's own was wrong.
    pub(super) request_id: &'a str,
    /// The name of an item of a dataset.
    pub(super) item: Option<&'a str>,
    pub(super) model: Option<&'a Model>,
    /// SHA-256 of the picture's file, where the configuration wants it.
    pub(super) image_sha256: Option<&'a str>,
    /// The parameters as they were used: the message Resolved, of a face the message ResolvedFace, of an evaluation the message
    /// EvaluationPlan. Defaults of the contract, such as a seed of 0, are left out.
    pub(super) resolved: &'a Json,
    /// The model that found the face, where one was looked for.
    pub(super) face_model: Option<Model>,
    pub(super) prediction: Option<Json>,
    /// What was explained.
    pub(super) target: Option<Json>,
    /// SHA-256 of the map's values.
    pub(super) map_sha256: Option<String>,
    /// OK, or the gRPC code that was answered, by its name.
    pub(super) code: &'a str,
    pub(super) message: &'a str,
    pub(super) passes: Option<Passes>,
    pub(super) warnings: &'a [String],
    pub(super) duration_ms: f64,
}

#[derive(Serialize)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) sha256: String,
}

#[derive(Serialize)]
pub(super) struct Passes {
    pub(super) announced: u64,
    pub(super) run: u64,
}

/// What an answer says for the record.
#[derive(Default)]
pub(crate) struct Said<'a> {
    /// What was settled on the way, in place of what was known before.
    pub(super) resolved: Option<&'a v1::Resolved>,
    pub(super) face_model: Option<&'a v1::ModelVersion>,
    pub(super) prediction: Option<&'a v1::Prediction>,
    pub(super) target: Option<&'a v1::ExplainedTarget>,
    pub(super) map: Option<&'a v1::Map>,
    pub(super) cost: Option<&'a v1::Cost>,
    pub(super) warnings: &'a [String],
}

/// An answer that is put on record.
pub(crate) trait Decision {
    /// What of it is.
    fn said(&self) -> Said<'_>;
}

impl Decision for v1::DetectFacesResponse {
    fn said(&self) -> Said<'_> {
        Said { cost: self.cost.as_ref(), ..Said::default() }
    }
}

impl Decision for v1::ExplainFaceResponse {
    fn said(&self) -> Said<'_> {
        Said { map: self.map.as_ref(), cost: self.cost.as_ref(), warnings: &self.warnings, ..Said::default() }
    }
}

impl Decision for v1::PredictResponse {
    fn said(&self) -> Said<'_> {
        Said {
            prediction: self.prediction.as_ref(),
            cost: self.cost.as_ref(),
            warnings: &self.warnings,
            ..Said::default()
        }
    }
}

impl Decision for v1::ExplainResponse {
    fn said(&self) -> Said<'_> {
        Said {
            resolved: self.resolved.as_ref(),
            face_model: self.face_model.as_ref(),
            prediction: self.prediction.as_ref(),
            target: self.target.as_ref(),
            map: self.map.as_ref(),
            cost: self.cost.as_ref(),
            warnings: &self.warnings,
        }
    }
}

impl Decision for v1::explain_many_response::Kind {
    fn said(&self) -> Said<'_> {
        match self {
            Self::Answer(answer) => answer.said(),
            Self::Skipped(skipped) => Said {
                prediction: skipped.prediction.as_ref(),
                cost: skipped.cost.as_ref(),
                ..Said::default()
            },
            Self::Failure(_) => Said::default(),
        }
    }
}

impl Decision for v1::EvaluateResponse {
    fn said(&self) -> Said<'_> {
        Said {
            prediction: self.prediction.as_ref(),
            target: self.target.as_ref(),
            cost: self.cost.as_ref(),
            warnings: &self.warnings,
            ..Said::default()
        }
    }
}

impl Decision for Infallible {
    fn said(&self) -> Said<'_> {
        match *self {}
    }
}
