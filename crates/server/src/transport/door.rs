//! The way of a request from a connection to its service, and of the answer back.
//!
//! Who asks is settled before anything of the body is read. Health is told to everybody, so that whoever watches over the
//! process needs no token.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::ServiceExt as _;

use super::arrival::{Arrival, Messages};
use super::body::{Kind, Limits, Metered};
use super::page::Page;
use crate::admission;
use crate::drain::Drain;
use crate::error::{RequestError, code};
use crate::identity::{Guard, Identity, Names};
use crate::oversize;
use crate::telemetry::{self, Telemetry};

/// What all connections share.
pub(super) struct House {
    pub(super) routes: Routes,
    pub(super) guard: Guard,
    pub(super) bytes: admission::Bytes,
    /// The same for services that are not ours.
    pub(super) small: admission::Bytes,
    pub(super) drain: Drain,
    pub(super) telemetry: Telemetry,
    /// Largest message that is read.
    pub(super) most: u64,
    pub(super) message_time: Duration,
    /// What browsers get, where they get anything.
    pub(super) page: Option<Page>,
}

/// One connection's way in.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) house: Arc<House>,
    pub(super) names: Names,
    pub(super) streams: Streams,
}

/// Streams of a connection that are open.
#[derive(Clone)]
pub(super) struct Streams(watch::Receiver<usize>, Arc<watch::Sender<usize>>);

/// One of them.
struct Open(Streams);

impl Default for Streams {
    fn default() -> Self {
        let (sender, receiver) = watch::channel(0);
        Self(receiver, Arc::new(sender))
    }
}

impl Streams {
    /// When none has been open for so long.
    pub(super) async fn quiet(mut self, long: Duration) {
        loop {
            // The sender lives as long as this value.
            let _ = self.0.wait_for(|open| *open == 0).await;
            let busy = self.0.wait_for(|open| *open > 0);
            if timeout(long, busy).await.is_err() {
                return;
            }
        }
    }

    /// When none is open.
    pub(super) async fn none(mut self) {
        // The sender lives as long as this value.
        let _ = self.0.wait_for(|open| *open == 0).await;
    }

    fn enter(&self) -> Open {
        self.1.send_modify(|open| *open += 1);
        Open(self.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.1.send_modify(|open| *open -= 1);
    }
}

const HEALTH: &str = "/grpc.health.v1.Health/";
/// Our own services end by themselves; others have streams without an end.
const OURS: &str = "/unmask.";
/// The calls of ours that take many messages.
const STREAMS: [&str; 2] = ["/EvaluateDataset", "/ExplainMany"];
/// Largest message to other services, in bytes.
pub(super) const SMALL: u64 = 4 << 10;

impl Door {
    /// Answers a request, unless something is wrong with it already.
    pub(super) fn answer<B>(
        &self,
        request: Request<B>,
        so_far: Result<(), RequestError>,
    ) -> impl Future<Output = Response<Answer>> + Send + use<B>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let came = Instant::now();
        let house = Arc::clone(&self.house);
        let path = request.uri().path();
        let ours = path.starts_with(OURS);
        // What has no end of its own keeps no connection busy: who only watches is let go like who does nothing.
        let open = ours.then(|| self.streams.enter());
        tracing::debug!(path, "a request has come");
        let endless = (!ours).then(|| house.drain.clone());
        let many = !ours || STREAMS.iter().any(|stream| path.ends_with(stream));
        let kind = if many { Kind::Many } else { Kind::One };
        // Whoever needs no token takes nothing of what others have.
        let (bytes, most) = if ours { (&house.bytes, house.most) } else { (&house.small, SMALL) };
        let bytes = bytes.clone();
        let identity = so_far.and_then(|()| match path.starts_with(HEALTH) {
            true => Ok(Identity::default()),
            false => house.guard.identify(request.headers(), &self.names),
        });
        let call = ours.then(|| house.telemetry.request(path, request.headers(), identity.is_ok()));
        let trace = call.as_ref().map(|call| call.trace().clone()).unwrap_or_default();
        let response = identity.and_then(|identity| {
            let (mut parts, body) = request.into_parts();
            let messages = Messages::default();
            let arrival = Arrival::new(identity, &parts.headers, trace.clone(), messages.clone())?;
            let limits = Limits { kind, message: most, time: house.message_time, deadline: arrival.deadline };
            // A token ends here: no log or error further in can hold it.
            parts.headers.remove(http::header::AUTHORIZATION);
            parts.extensions.insert(arrival);
            let body = Metered::new(body, bytes, messages, house.telemetry.clone(), limits);
            Ok(house.routes.clone().oneshot(Request::from_parts(parts, Body::new(body))))
        });
        async move {
            let response = match response {
                Ok(answering) => {
                    let response = answering.await.unwrap_or_else(|never| match never {});
                    oversize::rename(response)
                }
                Err(error) => {
                    house.telemetry.refused(&error);
                    let trace_id = trace.id();
                    tracing::warn!(code = ?code(&error), %error, trace_id, "refused");
                    error.status("").into_http()
                }
            };
            if let Some(code) = response.headers().get(Status::GRPC_STATUS).filter(|code| *code != "0") {
                let took_us = came.elapsed().as_micros() as u64;
                tracing::debug!(?code, took_us, "a request is refused");
            }
            let call = call.and_then(|call| call.unless_over(response.headers()));
            response.map(|body| Answer::new(body, endless, open, call))
        }
    }

    /// Whether a path is one of our services'.
    pub(super) fn is_ours(path: &str) -> bool {
        path.starts_with(OURS)
    }
}

/// The body of an answer: its stream counts as open until it is gone, and ends with the server where it has no end of its own.
pub(super) struct Answer {
    body: Body,
    going_down: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _open: Option<Open>,
    call: Option<telemetry::Request>,
}

impl Answer {
    fn new(body: Body, endless: Option<Drain>, open: Option<Open>, call: Option<telemetry::Request>) -> Self {
        let going_down = endless.map(|drain| Box::pin(async move { drain.begun().await }) as _);
        Self { body, going_down, _open: open, call }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(frame) = frame {
            let trailers = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.trailers_ref());
            if let Some(trailers) = trailers {
                self.call = self.call.take().and_then(|call| call.unless_over(trailers));
            }
            return Poll::Ready(frame);
        }
        match self.going_down.as_mut().map(|down| down.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => {
                self.going_down = None;
                self.body = Body::empty();
                let name = HeaderName::from_static("grpc-status");
                let unavailable = HeaderValue::from(i32::from(tonic::Code::Unavailable));
                let trailers = HeaderMap::from_iter([(name, unavailable)]);
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Some(Poll::Pending) | None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
