//! The files of the page, which are part of the binary. Nothing is read from disk, and nothing that a browser gets of them names
//! another server.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName,
    IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use sha2::{Digest as _, Sha256};
use tonic::body::Body;

const PLAIN: &str = "text/plain; charset=utf-8";

/// Path, kind and bytes of each file; `cargo xtask page` makes them.
const FILES: [(&str, &str, &[u8]); 4] = [
    ("/", "text/html; charset=utf-8", include_bytes!("../../ui/dist/index.html")),
    ("/app.js", "text/javascript; charset=utf-8", include_bytes!("../../ui/dist/app.js")),
    ("/app.css", "text/css; charset=utf-8", include_bytes!("../../ui/dist/app.css")),
    ("/licences.txt", PLAIN, include_bytes!("../../ui/dist/licences.txt")),
];

/// What a browser may do with an answer: run and show what comes from here, pictures that the page itself has made, and nothing else.
const HEADERS: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The page.
pub(super) struct Page {
    files: [File; FILES.len()],
    /// Whether nobody but this machine can connect.
    pub(super) loopback: bool,
}

struct File {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    tag: HeaderValue,
}

impl Page {
    /// Of a server that listens there.
    pub(super) fn new(address: SocketAddr) -> Self {
        let files = FILES.map(|(path, kind, bytes)| File { path, kind, bytes, tag: tag(bytes) });
        Self { files, loopback: address.ip().is_loopback() }
    }

    /// A file, or that there is none.
    pub(super) fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
        let Some(file) = self.files.iter().find(|file| file.path == path) else {
            return plain(StatusCode::NOT_FOUND, "there is nothing here; the page is at /\n");
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            return not_allowed("GET, HEAD");
        }
        let known = headers.get_all(IF_NONE_MATCH).iter().any(|tags| {
            let tags = tags.to_str().unwrap_or_default().split(',').map(str::trim);
            let mut plain = tags.map(|tag| tag.strip_prefix("W/").unwrap_or(tag));
            plain.any(|tag| tag == "*" || tag.as_bytes() == file.tag.as_bytes())
        });
        let mut response = match (known, method == Method::HEAD) {
            (true, _) => with(StatusCode::NOT_MODIFIED, file.kind, Body::empty()),
            (false, true) => with(StatusCode::OK, file.kind, Body::empty()),
            (false, false) => with(StatusCode::OK, file.kind, whole(Bytes::from_static(file.bytes))),
        };
        let headers = response.headers_mut();
        if !known {
            headers.insert(CONTENT_LENGTH, file.bytes.len().into());
        }
        headers.insert(ETAG, file.tag.clone());
        // It is asked every time whether what is kept is still right: another version of the server has other files.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

/// What is said to any method but these.
pub(super) fn not_allowed(methods: &'static str) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "this is not answered in this way, see Allow\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

/// A few words with a status.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    with(status, PLAIN, whole(Bytes::from_static(text.as_bytes())))
}

fn whole(bytes: Bytes) -> Body {
    Body::new(Full::new(bytes))
}

fn with(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The tag of these bytes and no others.
fn tag(bytes: &[u8]) -> HeaderValue {
    let digest: String = Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{digest}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}
