//! Predict, Explain, ListMethods.

use tonic::{Request, Response, Status};
use unmask_protocol::v1::explanation_service_server::ExplanationService;
use unmask_protocol::v1::{
    ExplainRequest, ExplainResponse, ListMethodsRequest, ListMethodsResponse, PredictRequest, PredictResponse,
};

use super::{Asked, Service, arrived};
use crate::{decode, encode, run};

#[tonic::async_trait]
impl ExplanationService for Service {
    async fn predict(&self, request: Request<PredictRequest>) -> Result<Response<PredictResponse>, Status> {
        let (arrival, message) = arrived(request);
        let id = message.request_id.clone();
        let asked = Asked { call: "predict", request_id: &id, priority: message.priority, arrival };
        self.answer(
            asked,
            |state, wrong, tenant, draft| {
                draft.image(&message.image);
                let subject = decode::predict(message, &state.seen_by(tenant), wrong)?;
                draft.predict(&subject);
                Ok(subject)
            },
            |state, id, subject, caller| {
                let predicted = run::predict(subject, &state.limits, caller)?;
                let passes = predicted.bill.meter.run;
                Ok((encode::predicted(id, predicted), passes))
            },
        )
        .await
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        let (arrival, message) = arrived(request);
        let id = message.request_id.clone();
        let asked = Asked { call: "explain", request_id: &id, priority: message.priority, arrival };
        self.answer(
            asked,
            |state, wrong, tenant, draft| {
                draft.image(&message.image);
                let job = decode::explain(message, &state.seen_by(tenant), wrong)?;
                draft.explain(&job);
                Ok(job)
            },
            |state, id, job, caller| {
                let explained = run::explain(job, &state.limits, &state.fills, caller)?;
                let passes = explained.bill.meter.run;
                Ok((encode::explained(id, job, explained), passes))
            },
        )
        .await
    }

    async fn list_methods(
        &self,
        _: Request<ListMethodsRequest>,
    ) -> Result<Response<ListMethodsResponse>, Status> {
        Ok(Response::new(encode::methods()))
    }
}
