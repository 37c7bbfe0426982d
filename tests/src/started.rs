//! A server behind a real socket, for tests that are its clients.

use std::time::Duration;

use tokio::sync::oneshot;
use tonic::transport::Channel;
use unmask_protocol::v1::evaluation_service_client::EvaluationServiceClient;
use unmask_protocol::v1::explanation_service_client::ExplanationServiceClient;
use unmask_server::{Config, Service, Telemetry, serve};

use crate::Root;

/// A server that ends when it is told to, or with the test.
pub struct Started {
    /// The service behind the socket.
    pub service: Service,
    /// Where it listens.
    pub address: std::net::SocketAddr,
    /// Where its admin port listens, if it does.
    pub admin: Option<std::net::SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    /// Ready when it has shut down.
    pub done: tokio::task::JoinHandle<()>,
}

impl Started {
    /// Serves the shipped detector under these settings, in the open unless they say otherwise.
    ///
    /// # Panics
    /// When a setting or a model is refused.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::over(&Root::new(&[]).config(settings)).await
    }

    /// Serves what is configured.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn over(config: &Config) -> Self {
        let telemetry = Telemetry::open(config).await.expect("the admin's address is free");
        Self::observed(config, telemetry).await
    }

    /// Serves what is configured and tells of it here.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn observed(config: &Config, telemetry: Telemetry) -> Self {
        let service = Service::observed(config, &telemetry).expect("the models serve");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { stopped.await.unwrap_or(()) };
        let running = serve(config, service.clone(), shutdown).await.expect("the address is free");
        let address = running.address;
        let done = tokio::spawn(async { running.done.await.expect("it serves") });
        Self { service, address, admin: telemetry.admin(), stop: Some(stop), done }
    }

    /// A connection to it.
    ///
    /// # Panics
    /// When it takes none.
    pub async fn channel(&self) -> Channel {
        let url = format!("http://{}", self.address);
        Channel::from_shared(url).expect("a URL").connect().await.expect("it listens")
    }

    /// A connection into whose window no answer fits, as that of a client that does not read.
    ///
    /// # Panics
    /// When it takes none.
    pub async fn deaf(&self) -> Channel {
        let channel = Channel::from_shared(format!("http://{}", self.address)).expect("a URL");
        channel.initial_stream_window_size(1).connect().await.expect("it listens")
    }

    /// What comes of `work`, and the most requests that had a place at any model meanwhile.
    ///
    /// # Panics
    /// When the work does.
    pub async fn watched<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> (T, usize) {
        let (mut work, mut most) = (tokio::spawn(work), 0);
        loop {
            tokio::select! {
                done = &mut work => return (done.expect("the work does not panic"), most),
                () = tokio::time::sleep(Duration::from_millis(1)) => most = most.max(self.service.waiting().1),
            }
        }
    }

    /// A client over a connection of its own.
    pub async fn client(&self) -> ExplanationServiceClient<Channel> {
        ExplanationServiceClient::new(self.channel().await)
    }

    /// The other client, over a connection of its own.
    pub async fn evaluations(&self) -> EvaluationServiceClient<Channel> {
        EvaluationServiceClient::new(self.channel().await)
    }

    /// Tells it to go down.
    pub fn stop(&mut self) {
        // One that has gone down already needs no telling.
        let _ = self.stop.take().map(|stop| stop.send(()));
    }
}
