//! The socket: who may connect, what is served on a connection, and how everything comes to an end.
//!
//! The accept loop is ours and not tonic's: connections are bounded, grow old with grace, and end when the time of a shutdown
//! is up; files of certificates and keys are read again while it runs; who asks is known before a body is read.

mod admin;
mod arrival;
mod body;
mod connection;
mod door;
mod front;
mod health;
mod page;
mod rest;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tonic::service::Routes;
use unmask_protocol::v1::evaluation_service_server::EvaluationServiceServer;
use unmask_protocol::v1::explanation_service_server::ExplanationServiceServer;
use unmask_protocol::v1::model_service_server::ModelServiceServer;

pub(crate) use self::admin::Admin;
pub(crate) use self::arrival::Arrival;
use self::door::House;
use self::page::Page;
use self::tls::Tls;
use crate::admission;
use crate::audit::Audit;
use crate::config::Config;
use crate::error::StartError;
use crate::identity::Guard;
use crate::rpc::Service;

/// A server that listens. Its future ends when it has shut down.
pub struct Running<F> {
    /// Where it listens; the port is the real one where 0 was configured.
    pub address: SocketAddr,
    /// Drives the server.
    pub done: F,
}

/// How often it is looked whether files of keys and certificates have changed.
const REFRESH: Duration = Duration::from_secs(5);
/// After an error of the system, such as no free file descriptor.
const PAUSE: Duration = Duration::from_millis(50);
/// What is over still has so long to tell its clients.
const FAREWELL: Duration = Duration::from_secs(2);

/// Looks at what guards the socket without serving, for whoever has a long way to it.
///
/// # Errors
/// [`StartError::Insecure`], [`StartError::Tls`], [`StartError::Keys`], as [`serve`], and [`StartError::Audit`].
pub fn check(config: &Config) -> Result<(), StartError> {
    secure(config)?;
    Tls::new(&config.tls, config.server.ui)?;
    Guard::new(config)?;
    Audit::open(&config.audit)?;
    Ok(())
}

/// Binds the socket and serves until `shutdown` is ready. Then health says so, after the notice nothing new is taken, and what
/// is open has the grace to end; what is left is UNAVAILABLE. What the service tells of itself goes the same way: readiness falls
/// first, and the admin port is the last to close.
///
/// # Errors
/// [`StartError::Insecure`], [`StartError::Tls`] and [`StartError::Keys`] for what must not or cannot be served, and
/// [`StartError::Listen`] when the address cannot be had.
pub async fn serve(
    config: &Config,
    service: Service,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Running<impl Future<Output = Result<(), StartError>> + Send + 'static>, StartError> {
    secure(config)?;
    let tls = Tls::new(&config.tls, config.server.ui)?.map(Arc::new);
    let guard = Guard::new(config)?;
    let address = &config.server.listen;
    let refused = |e: std::io::Error| StartError::Listen {
        key: "server.listen",
        address: address.clone(),
        reason: e.to_string(),
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;

    let (health, health_service) = tonic_health::server::health_reporter();
    health::tell(&health, true).await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(unmask_protocol::DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let most = config.server.max_message_bytes;
    let small = door::SMALL as usize;
    let routes = Routes::new(health_service.max_decoding_message_size(small))
        .add_service(reflection().build_v1()?.max_decoding_message_size(small))
        .add_service(reflection().build_v1alpha()?.max_decoding_message_size(small))
        .add_service(ExplanationServiceServer::new(service.clone()).max_decoding_message_size(most))
        .add_service(EvaluationServiceServer::new(service.clone()).max_decoding_message_size(most))
        .add_service(ModelServiceServer::new(service.clone()).max_decoding_message_size(most))
        .prepare();
    let watching = service.watch(config).map_err(StartError::Watch)?;
    let (drain, telemetry) = (service.drain().clone(), service.telemetry().clone());
    let house = Arc::new(House {
        routes,
        guard,
        bytes: service.bytes().clone(),
        small: admission::Bytes::new(door::SMALL * u64::from(config.http2.max_connections)),
        drain: drain.clone(),
        telemetry: telemetry.clone(),
        most: most as u64,
        message_time: config.http2.message_time(),
        page: config.server.ui.then(|| Page::new(address)),
    });
    let settings = Arc::new(config.http2.clone());
    let (notice, grace) = (config.drain.notice(), config.drain.grace());
    telemetry.serving();
    let done = async move {
        let mut connections = JoinSet::new();
        {
            let most = settings.max_connections as usize;
            let one =
                |stream| connection::serve(stream, tls.clone(), Arc::clone(&house), Arc::clone(&settings));
            let mut accepting = pin!(accept(&listener, &mut connections, most, one));
            let mut refreshing = pin!(refresh(&house, tls.as_ref()));
            tokio::select! {
                () = shutdown => {}
                () = &mut accepting => {}
                () = &mut refreshing => {}
                () = health::watch(&health, &service) => {}
            }
            tracing::info!("shutting down");
            telemetry.draining();
            // Nobody says otherwise from here on.
            health::tell(&health, false).await;
            tokio::select! {
                () = sleep(notice) => {}
                () = accepting => {}
                () = refreshing => {}
            }
        }
        // From here on nobody can connect.
        drop(listener);
        drain.begin(grace);
        let all = async { while connections.join_next().await.is_some() {} };
        if timeout(grace, all).await.is_err() {
            tracing::warn!(connections = connections.len(), "the grace is over, what is left gets no answer");
            drain.end();
            let all = async { while connections.join_next().await.is_some() {} };
            let _ = timeout(FAREWELL, all).await;
        }
        // A model that is being loaded is waited for, but not for long.
        let _ = timeout(FAREWELL, tokio::task::spawn_blocking(move || drop(watching))).await;
        telemetry.end().await;
        tracing::info!("shut down");
        Ok(())
    };
    Ok(Running { address, done })
}

/// Takes connections for ever, so many at the same time.
async fn accept<F>(
    listener: &TcpListener,
    connections: &mut JoinSet<()>,
    most: usize,
    serve: impl Fn(TcpStream) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < most => {
                    connections.spawn(serve(stream));
                }
                Ok(_) => tracing::warn!(most, "a connection too many is closed"),
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection");
                    sleep(PAUSE).await;
                }
            },
        }
    }
}

/// Reads what has changed of keys and certificates, for ever.
async fn refresh(house: &Arc<House>, tls: Option<&Arc<Tls>>) {
    loop {
        sleep(REFRESH).await;
        let (house, tls) = (Arc::clone(house), tls.cloned());
        let read = move || {
            house.guard.refresh();
            tls.iter().for_each(|tls| tls.refresh());
        };
        // A panic costs this look and not the next.
        let _ = tokio::task::spawn_blocking(read).await;
    }
}

/// Whether what is configured may be served without being told to be insecure. Nothing is opened for it.
///
/// # Errors
/// [`StartError::Insecure`].
pub fn secure(config: &Config) -> Result<(), StartError> {
    let mut missing = Vec::new();
    if config.tls.certificate.is_none() {
        missing.push("without TLS everybody on the way can read pictures (set tls.certificate and tls.key)");
    }
    if config.auth.jwks.is_none() && config.tls.client_ca.is_none() {
        missing.push("whoever reaches the port may ask (set auth.jwks or tls.client_ca)");
    }
    if missing.is_empty() || config.server.insecure {
        return Ok(());
    }
    Err(StartError::Insecure(missing.join("; ")))
}
