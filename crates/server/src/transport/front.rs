//! What stands before the door: gRPC goes in as it came, and where the page is served, browsers get its files and their calls are
//! translated.
//!
//! Calls of browsers are gRPC-Web in its binary form, whose requests have the frames of gRPC: everything that bounds a call does so for
//! theirs, and they are answered by the same services. Pages of other origins may not call, and learn nothing.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::layer::Layer as _;
use tower::{ServiceExt as _, service_fn};

use super::door::Door;
use super::page::{Page, not_allowed, plain};
use super::rest::Rest;
use crate::error::RequestError;

/// One connection's way to the door.
#[derive(Clone)]
pub(super) struct Front(pub(super) Door);

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A call as ever.
    Grpc,
    /// A call of a browser.
    Web,
    /// A call in a form that nobody here needs.
    Other,
    /// gRPC over what cannot carry it.
    Old,
    /// A file of the page, or nothing of ours.
    File,
}

const WEB: &str = "application/grpc-web";
const GRPC: &str = "application/grpc";

fn kind<B>(request: &Request<B>) -> Kind {
    let content = request.headers().get(CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap_or_default());
    match content {
        WEB | "application/grpc-web+proto" => Kind::Web,
        other if other.starts_with(WEB) => Kind::Other,
        grpc if grpc.starts_with(GRPC) && request.version() == Version::HTTP_2 => Kind::Grpc,
        grpc if grpc.starts_with(GRPC) => Kind::Old,
        _ => Kind::File,
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let house = &self.0.house;
        let Some(page) = &house.page else { return self.grpc(request) };
        // Streams of HTTP/2 are reset one by one.
        let most = if request.version() == Version::HTTP_2 { 0 } else { 2 * house.most };
        let request = request.map(|body| Rest::new(body, most, house.message_time));
        match kind(&request) {
            Kind::Grpc => self.grpc(request),
            Kind::Web if request.method() == Method::POST => self.web(request, page),
            Kind::Web => now(not_allowed("POST")),
            Kind::Other => now(refused(Status::unimplemented(
                "calls of browsers are binary here: send application/grpc-web+proto, without base64",
            ))),
            Kind::Old => {
                let said = "gRPC is spoken over HTTP/2 here, and gRPC-Web over HTTP/1.1 as well\n";
                now(plain(StatusCode::HTTP_VERSION_NOT_SUPPORTED, said))
            }
            Kind::File => now(page.answer(request.method(), request.uri().path(), request.headers())),
        }
    }
}

impl Front {
    fn grpc<B>(&self, request: Request<B>) -> Answering
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let answering = self.0.answer(request, Ok(()));
        Box::pin(async move { Ok(answering.await.map(Body::new)) })
    }

    /// The translation stands around the door, so that what is counted and bounded is gRPC.
    fn web(&self, mut request: Request<Rest<Incoming>>, page: &Page) -> Answering {
        if !Door::is_ours(request.uri().path()) {
            return now(refused(Status::unimplemented("browsers may call the services of unmask.v1 alone")));
        }
        let allowed = same_origin(&request, page.loopback);
        // It would choose the form of the answer, which is that of the request.
        request.headers_mut().remove(ACCEPT);
        let door = self.0.clone();
        let inside = service_fn(move |request| {
            let answering = door.answer(request, allowed.clone());
            async move { Ok(answering.await) }
        });
        Box::pin(GrpcWebLayer::new().layer(inside).oneshot(request))
    }
}

fn now(response: Response<Body>) -> Answering {
    Box::pin(std::future::ready(Ok(response)))
}

/// A status as an answer of gRPC-Web, which has it in its headers where nothing else is said.
fn refused(status: Status) -> Response<Body> {
    let mut response = status.into_http::<Body>();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc-web+proto"));
    response
}

/// Whether a call comes from a page of this server, or from no page at all. A page of somebody else's is told apart by the origin that
/// its browser sends; one whose name was made to point to this machine, by the name, where only this machine can be meant.
fn same_origin<B>(request: &Request<B>, loopback: bool) -> Result<(), RequestError> {
    let forbidden = |said: &str| Err(RequestError::Forbidden(said.to_owned()));
    let headers = request.headers();
    if headers.get(ORIGIN).is_none() {
        return Ok(());
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let Some(host) = request.uri().authority().cloned().or(host) else {
        return forbidden("the call says whose page it comes from (Origin), and not to whom it goes (Host)");
    };
    let own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host.as_str()))
    };
    if !headers.get_all(ORIGIN).iter().all(own) {
        return forbidden(
            "the call comes from a page of another server (its Origin is not this Host); open the page of this one",
        );
    }
    if loopback && !is_local(host.host()) {
        return forbidden(
            "this server listens on this machine alone: open its page as localhost or by its address, not by another name",
        );
    }
    Ok(())
}

/// Whether a name can mean nothing but a machine itself, or is an address.
fn is_local(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&name);
    name == "localhost" || name.ends_with(".localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, content: &str) -> Request<()> {
        Request::post("/x").version(version).header(CONTENT_TYPE, content).body(()).unwrap()
    }

    #[test]
    fn a_request_is_told_by_its_content_and_version() {
        for (version, content, expected) in [
            (Version::HTTP_2, "application/grpc", Kind::Grpc),
            (Version::HTTP_2, "application/grpc+proto", Kind::Grpc),
            (Version::HTTP_11, "application/grpc", Kind::Old),
            (Version::HTTP_11, "application/grpc-web", Kind::Web),
            (Version::HTTP_2, "application/grpc-web+proto", Kind::Web),
            (Version::HTTP_11, "application/grpc-web-text", Kind::Other),
            (Version::HTTP_11, "application/grpc-web-text+proto", Kind::Other),
            (Version::HTTP_11, "application/grpc-web+json", Kind::Other),
            (Version::HTTP_11, "text/plain", Kind::File),
            (Version::HTTP_2, "", Kind::File),
        ] {
            assert_eq!(kind(&request(version, content)), expected, "{version:?} {content}");
        }
    }

    fn verdict(host: &str, origins: &[&str], loopback: bool) -> bool {
        let mut request = Request::post("/x").header(HOST, host);
        for origin in origins {
            request = request.header(ORIGIN, *origin);
        }
        same_origin(&request.body(()).unwrap(), loopback).is_ok()
    }

    #[test]
    fn only_pages_of_the_same_host_may_call_and_programs_always() {
        let at = "127.0.0.1:50051";
        assert!(verdict(at, &[], true));
        assert!(verdict(at, &["http://127.0.0.1:50051"], true));
        assert!(verdict("Unmask.Example", &["https://unmask.example"], false));
        for foreign in [
            "http://127.0.0.1:8080",
            "http://127.0.0.1",
            "https://evil.example",
            "null",
            "",
            "127.0.0.1:50051",
            "http://127.0.0.1:50051.evil.example",
            "http://evil.example/127.0.0.1:50051",
        ] {
            assert!(!verdict(at, &[foreign], true), "{foreign}");
            assert!(!verdict(at, &["http://127.0.0.1:50051", foreign], true), "{foreign}");
        }
        assert!(!verdict("no host", &["http://no host"], false), "a host that is none");
    }

    #[test]
    fn a_name_that_was_made_to_point_here_is_refused_where_only_this_machine_is_meant() {
        let same = |host: &str, loopback| verdict(host, &[&format!("http://{host}")], loopback);
        for own in ["localhost:50051", "LOCALHOST:1", "a.localhost:1", "127.0.0.1:50051", "[::1]:50051"] {
            assert!(same(own, true), "{own}");
        }
        for name in
            ["evil.example:50051", "localhost.evil.example:1", "127.0.0.1.evil.example", "notlocalhost"]
        {
            assert!(!same(name, true), "{name}");
            assert!(same(name, false), "a server that is there for others has names: {name}");
        }
    }

    #[test]
    fn the_authority_of_http2_is_its_host() {
        let request = Request::post("http://unmask.example/x").header(ORIGIN, "https://unmask.example");
        assert!(same_origin(&request.body(()).unwrap(), false).is_ok());
        let request = Request::post("http://unmask.example/x").header(ORIGIN, "https://other.example");
        assert!(same_origin(&request.body(()).unwrap(), false).is_err());
    }
}
