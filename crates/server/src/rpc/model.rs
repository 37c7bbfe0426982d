//! ListModels, GetModel.

use tonic::{Request, Response, Status};
use unmask_protocol::v1::model_service_server::ModelService;
use unmask_protocol::v1::{GetModelRequest, GetModelResponse, ListModelsRequest, ListModelsResponse};

use super::{Service, arrived};
use crate::encode;

#[tonic::async_trait]
impl ModelService for Service {
    async fn list_models(
        &self,
        request: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        let (arrival, _) = arrived(request);
        let tenant = &arrival.identity.tenant;
        let models = self.state.models.all().filter(|(name, ..)| tenant.may_use(name));
        let models = models.map(|(n, v, state, default)| encode::model(n, v, state, default));
        Ok(Response::new(ListModelsResponse { models: models.collect() }))
    }

    async fn get_model(
        &self,
        request: Request<GetModelRequest>,
    ) -> Result<Response<GetModelResponse>, Status> {
        let (arrival, message) = arrived(request);
        let (tenant, selector) = (&arrival.identity.tenant, message.model.unwrap_or_default());
        let named = |(name, version, ..): &(&str, &str, _, bool)| {
            *name == selector.name && *version == selector.version && tenant.may_use(name)
        };
        // A version that was named is shown even when it was refused; otherwise it is the one that a request would get.
        let found = match self.state.models.all().find(named) {
            Some((name, version, state, default)) => encode::model(name, version, state, default),
            None => {
                let served = self.state.models.find(Some(&selector), tenant).map_err(|e| e.status(""))?;
                let (spec, state) = (served.spec().clone(), Ok(served));
                let default = self
                    .state
                    .models
                    .all()
                    .any(|(n, v, _, default)| default && n == spec.name && v == spec.version);
                encode::model(&spec.name, &spec.version, &state, default)
            }
        };
        Ok(Response::new(GetModelResponse { model: Some(found) }))
    }
}
