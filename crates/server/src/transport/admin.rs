//! The admin port: whether the process lives, whether it is ready, and its metrics, in plaintext HTTP/1.1.
//!
//! It is for the orchestrator and for Prometheus, and shall be reachable for nobody else. It answers GET and HEAD, one request a
//! connection; connections, their time and their headers are bounded, so that whoever does reach it cannot hurt the rest.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::PAUSE;
use crate::error::StartError;
use crate::telemetry::Telemetry;

/// Connections at the same time; one more is closed at once.
const MOST: usize = 64;
/// For a request's headers.
const HEADERS: Duration = Duration::from_secs(5);
/// For everything on a connection.
const WHOLE: Duration = Duration::from_secs(30);
/// Bytes of headers.
const BUFFER: usize = 16 << 10;

/// The port; it closes with this value.
pub(crate) struct Admin {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Admin {
    /// Listens, and answers from here on for as long as there is something to tell.
    pub(crate) async fn open(address: &str, telemetry: &Telemetry) -> Result<Self, StartError> {
        let refused = |e: std::io::Error| StartError::Listen {
            key: "admin.listen",
            address: address.to_owned(),
            reason: e.to_string(),
        };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let telemetry: Source = Arc::new(telemetry.weak());
        Ok(Self { address, task: tokio::spawn(accept(listener, telemetry)) })
    }
}

type Source = Arc<dyn Fn() -> Option<Telemetry> + Send + Sync>;

async fn accept(listener: TcpListener, telemetry: Source) {
    let free = Arc::new(Semaphore::new(MOST));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Ok(place) = Arc::clone(&free).try_acquire_owned() {
                    let telemetry = Arc::clone(&telemetry);
                    tokio::spawn(async move {
                        // A connection that is cut off here has had its time.
                        let _ = timeout(WHOLE, serve(stream, telemetry)).await;
                        drop(place);
                    });
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, telemetry: Source) {
    let answering = service_fn(move |request| {
        let telemetry = Arc::clone(&telemetry);
        async move { Ok::<_, Infallible>(answer(&request, &*telemetry).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(BUFFER)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answering);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "an admin connection broke");
    }
}

/// hyper leaves the body out where the method is HEAD.
async fn answer<B>(
    request: &Request<B>,
    telemetry: &(dyn Fn() -> Option<Telemetry> + Send + Sync),
) -> Response<String> {
    const PLAIN: &str = "text/plain; charset=utf-8";
    let path = request.uri().path();
    if !matches!(path, "/livez" | "/readyz" | "/metrics") {
        return plain(StatusCode::NOT_FOUND, PLAIN, "there are /livez, /readyz and /metrics\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "GET and HEAD are answered\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let Some(telemetry) = telemetry() else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "over\n");
    };
    match path {
        "/livez" => plain(StatusCode::OK, PLAIN, "ok\n"),
        "/readyz" => match telemetry.readiness() {
            Ok(()) => plain(StatusCode::OK, PLAIN, "ready\n"),
            Err(reason) => plain(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("{reason}\n")),
        },
        _ => match tokio::task::spawn_blocking(move || telemetry.scrape()).await {
            Ok(text) => plain(StatusCode::OK, prometheus::TEXT_FORMAT, text),
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, "a bug of ours\n"),
        },
    }
}

fn plain(status: StatusCode, kind: &'static str, text: impl Into<String>) -> Response<String> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
