//! Predict, Explain, ListMethods.

use tonic::{Request, Response, Status};
use unmask_protocol::v1::explanation_service_server::ExplanationService;
use unmask_protocol::v1::{
    ExplainRequest, ExplainResponse, ListMethodsRequest, ListMethodsResponse, PredictRequest, PredictResponse,
};

use super::Service;
use crate::{decode, encode, run};

#[tonic::async_trait]
impl ExplanationService for Service {
    async fn predict(&self, request: Request<PredictRequest>) -> Result<Response<PredictResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let (id, priority) = (message.request_id.clone(), message.priority);
        self.work("predict", &id, priority, &metadata, |state, id, wrong, caller| {
            let subject = decode::predict(message, &state.models, &state.limits, wrong)?;
            Ok(encode::predicted(id, run::predict(&subject, &state.limits, caller)?))
        })
        .await
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let (id, priority) = (message.request_id.clone(), message.priority);
        self.work("explain", &id, priority, &metadata, |state, id, wrong, caller| {
            let job = decode::explain(message, &state.models, &state.limits, wrong)?;
            let answer = run::explain(&job, &state.limits, &state.fills, caller)?;
            Ok(encode::explained(id, &job, answer))
        })
        .await
    }

    async fn list_methods(
        &self,
        _: Request<ListMethodsRequest>,
    ) -> Result<Response<ListMethodsResponse>, Status> {
        Ok(Response::new(encode::methods()))
    }
}
