//! What the health service says, and when it changes.

use std::time::Duration;

use tonic::server::NamedService as _;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use unmask_protocol::v1::evaluation_service_server::EvaluationServiceServer;
use unmask_protocol::v1::explanation_service_server::ExplanationServiceServer;
use unmask_protocol::v1::model_service_server::ModelServiceServer;

use crate::rpc::Service;

/// How often it is looked whether models have workers.
const LOOK: Duration = Duration::from_millis(500);

/// Tells of every change of readiness, for ever.
pub(super) async fn watch(health: &HealthReporter, service: &Service) {
    let mut ready = true;
    loop {
        tokio::time::sleep(LOOK).await;
        if service.is_ready() != ready {
            ready = !ready;
            if ready {
                tracing::info!("ready again");
            } else {
                tracing::error!("not ready: no model has a worker");
            }
            tell(health, ready).await;
        }
    }
}

/// Tells whether requests can be answered.
pub(super) async fn tell(health: &HealthReporter, ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    let names = [
        "",
        ExplanationServiceServer::<Service>::NAME,
        EvaluationServiceServer::<Service>::NAME,
        ModelServiceServer::<Service>::NAME,
    ];
    for name in names {
        health.set_service_status(name, status).await;
    }
}
