//! Ways in for the fuzz targets: messages to decode, over a model in closed form. What they become does not matter.

use unmask_core::ModelSpec;
use unmask_explainer::image;
use unmask_pool::{Planted, Served};
use unmask_protocol::v1;

use crate::decode::{self, Sight};
use crate::identity::Identity;
use crate::models::Models;

/// What decoding asks for beside a message.
pub struct Desk {
    models: Models,
    limits: image::Limits,
    identity: Identity,
}

impl Default for Desk {
    /// One model of 16 x 16 pixels, and pictures of up to 64 x 64.
    ///
    /// # Panics
    /// When no thread can be started.
    fn default() -> Self {
        let spec = ModelSpec::plain("planted", 16, 16, &["real", "fake"]);
        let opener = Planted::opener(|_| Ok(vec![0.0, 0.0]));
        let served = Served::planted(spec, vec![opener], 1, 1).expect("a planted session opens");
        let models = Models::planted(served).expect("it needs nothing");
        let limits = image::Limits { max_pixels: 4_096, min_side: 1 };
        Self { models, limits, identity: Identity::default() }
    }
}

impl Desk {
    fn sight(&self) -> Sight<'_> {
        Sight { models: &self.models, tenant: &self.identity.tenant, limits: &self.limits }
    }

    /// A request to score.
    pub fn predict(&self, request: v1::PredictRequest) {
        let _ = decode::predict(request, &self.sight(), Vec::new());
    }

    /// A request to explain.
    pub fn explain(&self, request: v1::ExplainRequest) {
        let _ = decode::explain(request, &self.sight(), Vec::new());
    }

    /// A request for faces, of which no model here tells.
    pub fn faces(&self, request: v1::DetectFacesRequest) {
        let _ = decode::faces(request, &self.sight(), Vec::new());
    }

    /// A request to explain a face, which no model here finds.
    pub fn face(&self, request: v1::ExplainFaceRequest) {
        let _ = decode::face_box(request, &self.sight(), Vec::new());
    }

    /// One of many requests to explain, under a name that is its own or was there before.
    pub fn many(&self, request: v1::ExplainManyRequest, is_new: bool) {
        let _ = decode::many(request, is_new).job(&self.sight());
    }

    /// A request to evaluate.
    pub fn evaluate(&self, request: v1::EvaluateRequest) {
        let _ = decode::evaluate(request, &self.sight(), Vec::new());
    }

    /// A dataset's plan and an item of it. A row that is known goes through the summary's checks.
    pub fn dataset(&self, plan: v1::EvaluateDatasetRequest, item: v1::EvaluateDatasetRequest) {
        if let Ok(job) = decode::dataset(plan, &self.sight()) {
            let _ = decode::item(item, &job);
        }
    }
}
