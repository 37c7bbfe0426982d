//! DetectFaces, ExplainFace, Predict, Explain, ExplainStream, ExplainMany, ListMethods.

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};
use unmask_core::Violation;
use unmask_protocol::v1::explanation_service_server::ExplanationService;
use unmask_protocol::v1::{
    DetectFacesRequest, DetectFacesResponse, ExplainFaceRequest, ExplainFaceResponse, ExplainManyRequest,
    ExplainManyResponse, ExplainRequest, ExplainResponse, ExplainStreamRequest, ExplainStreamResponse,
    ListMethodsRequest, ListMethodsResponse, PredictRequest, PredictResponse,
};

use super::{Answers, Asked, Ends, Service, arrived};
use crate::run::Live;
use crate::transport::Arrival;
use crate::{decode, encode, run};

#[tonic::async_trait]
impl ExplanationService for Service {
    async fn detect_faces(
        &self,
        request: Request<DetectFacesRequest>,
    ) -> Result<Response<DetectFacesResponse>, Status> {
        let (arrival, message) = arrived(request);
        let id = message.request_id.clone();
        let (priority, ends) = (message.priority, Ends::Early);
        let asked = Asked { call: "detect_faces", request_id: &id, priority, arrival, ends, live: None };
        self.answer(
            asked,
            |state, wrong, tenant, draft| {
                draft.image(&message.image);
                let job = decode::faces(message, &state.seen_by(tenant), wrong)?;
                draft.faces(&job);
                Ok(job)
            },
            |state, id, job, caller| {
                let found = run::faces(job, &state.limits, caller)?;
                let passes = found.bill.meter.run;
                Ok((encode::faces(id, job, found), passes))
            },
        )
        .await
    }

    async fn explain_face(
        &self,
        request: Request<ExplainFaceRequest>,
    ) -> Result<Response<ExplainFaceResponse>, Status> {
        let (arrival, message) = arrived(request);
        let id = message.request_id.clone();
        let (priority, ends) = (message.priority, Ends::InTime);
        let asked = Asked { call: "explain_face", request_id: &id, priority, arrival, ends, live: None };
        self.answer(
            asked,
            |state, wrong, tenant, draft| {
                draft.image(&message.image);
                let job = decode::face_box(message, &state.seen_by(tenant), wrong)?;
                draft.face(&job);
                Ok(job)
            },
            |state, id, job, caller| {
                let explained = run::explain_face(job, &state.limits, caller)?;
                let passes = explained.bill.meter.run;
                Ok((encode::explained_face(id, job, explained), passes))
            },
        )
        .await
    }

    async fn predict(&self, request: Request<PredictRequest>) -> Result<Response<PredictResponse>, Status> {
        let (arrival, message) = arrived(request);
        let id = message.request_id.clone();
        let (priority, ends) = (message.priority, Ends::Early);
        let asked = Asked { call: "predict", request_id: &id, priority, arrival, ends, live: None };
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
        self.explained("explain", arrival, message, None).await
    }

    type ExplainStreamStream = Answers<ExplainStreamResponse>;

    async fn explain_stream(
        &self,
        request: Request<ExplainStreamRequest>,
    ) -> Result<Response<Self::ExplainStreamStream>, Status> {
        let (arrival, message) = arrived(request);
        Ok(Response::new(self.streamed(arrival, message)))
    }

    type ExplainManyStream = Answers<ExplainManyResponse>;

    async fn explain_many(
        &self,
        request: Request<Streaming<ExplainManyRequest>>,
    ) -> Result<Response<Self::ExplainManyStream>, Status> {
        let (arrival, requests) = arrived(request);
        Ok(Response::new(self.many_of(arrival, requests)))
    }

    async fn list_methods(
        &self,
        _: Request<ListMethodsRequest>,
    ) -> Result<Response<ListMethodsResponse>, Status> {
        Ok(Response::new(encode::methods()))
    }
}

impl Service {
    /// Explains. Of a stream, whose message has the request below `request`, with what is wrong around it, what happens meanwhile is
    /// left with its `Live`.
    pub(super) async fn explained(
        &self,
        call: &'static str,
        arrival: Arrival,
        message: ExplainRequest,
        stream: Option<(Vec<Violation>, Arc<Live>)>,
    ) -> Result<Response<ExplainResponse>, Status> {
        let id = message.request_id.clone();
        let (around, live) = stream.map_or((None, None), |(around, live)| (Some(around), Some(live)));
        let (priority, ends) = (message.priority, Ends::InTime);
        let asked = Asked { call, request_id: &id, priority, arrival, ends, live };
        self.answer(
            asked,
            move |state, wrong, tenant, draft| {
                draft.image(&message.image);
                let job = decode::explain(message, &state.seen_by(tenant), wrong);
                let job = match around {
                    None => job?,
                    Some(around) => decode::below("request", job, around)?,
                };
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
}
