//! Evaluate, EvaluateDataset, ListMetrics.

use tonic::{Request, Response, Status, Streaming};
use unmask_protocol::v1::evaluation_service_server::EvaluationService;
use unmask_protocol::v1::{
    EvaluateDatasetRequest, EvaluateRequest, EvaluateResponse, ListMetricsRequest, ListMetricsResponse,
};

use super::Service;
use super::dataset::Answers;
use crate::{decode, encode, run};

#[tonic::async_trait]
impl EvaluationService for Service {
    type EvaluateDatasetStream = Answers;

    async fn evaluate(
        &self,
        request: Request<EvaluateRequest>,
    ) -> Result<Response<EvaluateResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let (id, priority) = (message.request_id.clone(), message.priority);
        self.work("evaluate", &id, priority, &metadata, |state, id, wrong, caller| {
            let job = decode::evaluate(message, &state.models, &state.limits, wrong)?;
            let answer = run::evaluate(&job, &state.limits, &state.fills, caller)?;
            Ok(encode::evaluated(id, &job, answer))
        })
        .await
    }

    async fn evaluate_dataset(
        &self,
        request: Request<Streaming<EvaluateDatasetRequest>>,
    ) -> Result<Response<Answers>, Status> {
        Ok(Response::new(self.dataset(request.into_inner())))
    }

    async fn list_metrics(
        &self,
        _: Request<ListMetricsRequest>,
    ) -> Result<Response<ListMetricsResponse>, Status> {
        Ok(Response::new(encode::metrics()))
    }
}
