//! ListModels, GetModel.

use tonic::{Request, Response, Status};
use unmask_core::Violation;
use unmask_protocol::v1::model_service_server::ModelService;
use unmask_protocol::v1::{GetModelRequest, GetModelResponse, ListModelsRequest, ListModelsResponse};

use super::{Service, arrived};
use crate::encode;
use crate::error::RequestError;
use crate::models::Listed;

#[tonic::async_trait]
impl ModelService for Service {
    async fn list_models(
        &self,
        request: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        let (arrival, _) = arrived(request);
        let tenant = &arrival.identity.tenant;
        let models = &self.state.models;
        let shown = |listed: Listed<'_>| models.is_seen(listed.name, tenant).then(|| encode::model(listed));
        let models = models.all(shown).into_iter().flatten().collect();
        Ok(Response::new(ListModelsResponse { models }))
    }

    async fn get_model(
        &self,
        request: Request<GetModelRequest>,
    ) -> Result<Response<GetModelResponse>, Status> {
        let (arrival, message) = arrived(request);
        let (tenant, selector) = (&arrival.identity.tenant, message.model.unwrap_or_default());
        // A version that was named is shown even when it was refused; otherwise it is the one that a request would get.
        let shown = |name: &str, version: &str| {
            let is = |l: &Listed<'_>| {
                l.name == name && l.version == version && self.state.models.is_seen(name, tenant)
            };
            let found = self.state.models.all(|listed| is(&listed).then(|| encode::model(listed)));
            found.into_iter().flatten().next()
        };
        let found = match shown(&selector.name, &selector.version) {
            Some(found) => found,
            None => {
                let named = self.state.models.named(Some(&selector), tenant);
                let (name, version) = named.map_err(|e| {
                    self.state.telemetry.refused(&e);
                    e.status("")
                })?;
                // It may have been removed this very moment.
                shown(&name, &version).ok_or_else(|| {
                    let message = "its files change while they are read; try again later";
                    RequestError::NoModel(Violation::new("model.name", message)).status("")
                })?
            }
        };
        Ok(Response::new(GetModelResponse { model: Some(found) }))
    }
}
