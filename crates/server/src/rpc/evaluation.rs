//! Evaluate, EvaluateDataset, ListMetrics.

use tonic::{Request, Response, Status, Streaming};
use unmask_protocol::v1::evaluation_service_server::EvaluationService;
use unmask_protocol::v1::{
    EvaluateDatasetRequest, EvaluateDatasetResponse, EvaluateRequest, EvaluateResponse, ListMetricsRequest,
    ListMetricsResponse,
};

use super::{Answers, Asked, Ends, Service, arrived};
use crate::{decode, encode, run};

#[tonic::async_trait]
impl EvaluationService for Service {
    type EvaluateDatasetStream = Answers<EvaluateDatasetResponse>;

    async fn evaluate(
        &self,
        request: Request<EvaluateRequest>,
    ) -> Result<Response<EvaluateResponse>, Status> {
        let (arrival, message) = arrived(request);
        let id = message.request_id.clone();
        let (priority, ends) = (message.priority, Ends::Early);
        let asked = Asked { call: "evaluate", request_id: &id, priority, arrival, ends, live: None };
        self.answer(
            asked,
            |state, wrong, tenant, draft| {
                draft.image(&message.image);
                let job = decode::evaluate(message, &state.seen_by(tenant), wrong)?;
                draft.evaluate(&job);
                Ok(job)
            },
            |state, id, job, caller| {
                let evaluated = run::evaluate(job, &state.limits, &state.fills, caller)?;
                let passes = evaluated.bill.meter.run;
                Ok((encode::evaluated(id, job, evaluated), passes))
            },
        )
        .await
    }

    async fn evaluate_dataset(
        &self,
        request: Request<Streaming<EvaluateDatasetRequest>>,
    ) -> Result<Response<Self::EvaluateDatasetStream>, Status> {
        let (arrival, requests) = arrived(request);
        Ok(Response::new(self.dataset_of(arrival, requests)))
    }

    async fn list_metrics(
        &self,
        _: Request<ListMetricsRequest>,
    ) -> Result<Response<ListMetricsResponse>, Status> {
        Ok(Response::new(encode::metrics()))
    }
}
