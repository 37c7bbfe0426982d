//! The socket: services, health, reflection, limits, shutdown.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tonic::server::NamedService as _;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::util::MapResponseLayer;
use unmask_protocol::v1::evaluation_service_server::EvaluationServiceServer;
use unmask_protocol::v1::explanation_service_server::ExplanationServiceServer;
use unmask_protocol::v1::model_service_server::ModelServiceServer;

use crate::config::Config;
use crate::error::StartError;
use crate::oversize;
use crate::rpc::Service;

/// A server that listens. Its future ends when it has shut down.
pub struct Running<F> {
    /// Where it listens; the port is the real one where 0 was configured.
    pub address: SocketAddr,
    /// Drives the server.
    pub done: F,
}

/// Binds the socket and serves until `shutdown` is ready, then finishes what is open.
///
/// # Errors
/// [`StartError::Listen`] when the address cannot be had.
pub async fn serve(
    config: &Config,
    service: Service,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Running<impl Future<Output = Result<(), StartError>> + Send + 'static>, StartError> {
    let address = &config.server.listen;
    let refused = |e: std::io::Error| StartError::Listen { address: address.clone(), reason: e.to_string() };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;

    let (health, health_service) = tonic_health::server::health_reporter();
    tell(&health, true).await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(unmask_protocol::DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let most = config.server.max_message_bytes;
    let readiness = service.clone();
    let server = Server::builder()
        // Innermost limit first in the code, outermost in the way of a response: codes are renamed on the way out.
        .layer(MapResponseLayer::new(oversize::rename))
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(ExplanationServiceServer::new(service.clone()).max_decoding_message_size(most))
        .add_service(EvaluationServiceServer::new(service.clone()).max_decoding_message_size(most))
        .add_service(ModelServiceServer::new(service).max_decoding_message_size(most));

    let stop = async move {
        let watched = watch(&health, &readiness);
        tokio::select! {
            () = shutdown => {}
            () = watched => {}
        }
        tracing::info!("shutting down");
        tell(&health, false).await;
    };
    let done = async move {
        // Small answers must not wait for the acknowledgement of their headers.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        server.serve_with_incoming_shutdown(incoming, stop).await?;
        Ok(())
    };
    Ok(Running { address, done })
}

/// How often it is looked whether models have workers.
const LOOK: Duration = Duration::from_millis(500);

/// Tells of every change of readiness, for ever.
async fn watch(health: &HealthReporter, service: &Service) {
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
async fn tell(health: &HealthReporter, ready: bool) {
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
