//! Browsers at the socket: what they get where `server.ui` is on, that they are bounded like everybody, and that nothing of it is there
//! by default.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;
use unmask_protocol::v1;
use unmask_tests::browser::{Browser, framed};
use unmask_tests::started::Started;
use unmask_tests::until;

use super::raw::{EXPLAIN, PREDICT};
use super::{masks, one};

const STREAM: &str = "/unmask.v1.ExplanationService/ExplainStream";
const UI: (&str, &str) = ("server.ui", "true");
/// Until something has to have happened; the bound only keeps a broken test from hanging.
const LONG: Duration = unmask_tests::PATIENCE;

async fn with(settings: &[(&str, &str)]) -> Started {
    Started::with(&[&[UI], settings].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_a_browser_gets_nothing() {
    let server = Started::with(&[]).await;
    for line in ["GET /", "GET /app.js", "POST /unmask.v1.ExplanationService/Predict"] {
        let answer = Browser::connect(server.address).await.ask(line, &[]).await;
        assert!(answer.is_err(), "{line}: {answer:?}");
    }
    let web = Browser::connect(server.address).await.call(PREDICT, &one(), &[]).await;
    assert!(web.is_err(), "{web:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_files_that_may_load_nothing_from_elsewhere() {
    let server = with(&[]).await;
    // One connection for all of it, kept alive.
    let mut browser = Browser::connect(server.address).await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/app.css", "text/css; charset=utf-8"),
        ("/licences.txt", "text/plain; charset=utf-8"),
    ] {
        let file = browser.ask(&format!("GET {path}"), &[]).await.unwrap();
        assert_eq!((file.status, file.header("content-type")), (200, kind), "{path}");
        assert!(file.body.len() > 1000, "{path}");
        let policy = file.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; "), "{policy}");
        assert!(
            policy.contains("connect-src 'self'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        assert_eq!(file.header("referrer-policy"), "no-referrer");
        assert_eq!(file.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(file.header("access-control-allow-origin"), "");
        let tag = file.header("etag").to_owned();
        let again = browser.ask(&format!("GET {path}"), &[("if-none-match", &tag)]).await.unwrap();
        assert_eq!((again.status, again.header("etag")), (304, &*tag), "{path}");
        let other = browser.ask(&format!("GET {path}"), &[("if-none-match", "\"other\"")]).await.unwrap();
        assert_eq!((other.status, other.body.len()), (200, file.body.len()), "{path}");
        let head = browser.ask(&format!("HEAD {path}"), &[]).await.unwrap();
        assert_eq!(
            (head.status, head.header("content-length")),
            (200, &*file.body.len().to_string()),
            "{path}"
        );
    }
    for (line, status) in [
        ("GET /index.html", 404),
        ("GET /../Cargo.toml", 404),
        ("POST /nothing", 404),
        ("POST /", 405),
        ("DELETE /app.js", 405),
        ("OPTIONS /", 405),
    ] {
        assert_eq!(browser.ask(line, &[]).await.unwrap().status, status, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_the_bytes_that_a_program_gets() {
    let server = with(&[]).await;
    let named = v1::PredictRequest { request_id: "one".into(), ..one() };
    let program = server.client().await.predict(named.clone()).await.unwrap().into_inner();
    let mut browser = Browser::connect(server.address).await;
    let origin = format!("http://{}", server.address);
    let answer = browser.call(PREDICT, &named, &[("origin", &origin)]).await.unwrap();
    assert_eq!(answer.header("content-type"), "application/grpc-web+proto");
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(answer.status(), (Code::Ok, String::new()));
    let timeless = |answer: v1::PredictResponse| v1::PredictResponse { timings: None, ..answer };
    let messages = answer.messages().into_iter().map(timeless).collect::<Vec<_>>();
    assert_eq!(messages, [timeless(program)]);

    let asked = v1::ExplainRequest { request_id: "two".into(), ..masks(256) };
    let program = server.client().await.explain(asked.clone()).await.unwrap().into_inner();
    let stream = v1::ExplainStreamRequest { request: Some(asked), map_every_ms: Some(10) };
    let answer = browser.call(STREAM, &stream, &[]).await.unwrap();
    assert_eq!(answer.status().0, Code::Ok);
    let mut messages = answer.messages::<v1::ExplainStreamResponse>();
    let Some(v1::explain_stream_response::Kind::Answer(last)) = messages.pop().unwrap().kind else {
        panic!("the answer comes last")
    };
    assert!(!messages.is_empty(), "it tells how far it is");
    assert_eq!((last.map, last.regions), (program.map, program.regions));

    // Whatever is wrong has its code and its details.
    let wrong = v1::PredictRequest { image: b"no picture".to_vec(), ..one() };
    let refused = browser.call(PREDICT, &wrong, &[]).await.unwrap();
    let (code, said) = refused.status();
    assert!(code == Code::InvalidArgument && said.starts_with("image: "), "{code:?} {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_servers_may_not_call() {
    let server = with(&[]).await;
    let mut browser = Browser::connect(server.address).await;
    let port = server.address.port();
    let here = server.address.to_string();
    for (host, origin, may) in [
        (here.clone(), format!("http://{here}"), true),
        (format!("localhost:{port}"), format!("http://localhost:{port}"), true),
        (here.clone(), "https://evil.example".into(), false),
        (here.clone(), "null".into(), false),
        (here.clone(), format!("http://127.0.0.1:{}", port ^ 1), false),
        // A name that was made to point here.
        (format!("evil.example:{port}"), format!("http://evil.example:{port}"), false),
    ] {
        let answer = browser.call(PREDICT, &one(), &[("host", &host), ("origin", &origin)]).await.unwrap();
        let expected = if may { Code::Ok } else { Code::PermissionDenied };
        assert_eq!(answer.status().0, expected, "{origin} to {host}");
        assert_eq!(answer.messages::<v1::PredictResponse>().len(), usize::from(may));
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    // What a browser asks before a call that it is not sure of.
    let asked =
        browser.ask(&format!("OPTIONS {PREDICT}"), &[("origin", "https://evil.example")]).await.unwrap();
    assert_eq!((asked.status, asked.header("access-control-allow-origin")), (404, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_other_forms_and_to_other_services_are_refused() {
    let server = with(&[]).await;
    let mut browser = Browser::connect(server.address).await;
    for content in
        ["application/grpc-web-text", "application/grpc-web-text+proto", "application/grpc-web+json"]
    {
        let answer = browser.call(PREDICT, &one(), &[("content-type", content)]).await.unwrap();
        let (code, said) = answer.status();
        assert_eq!(code, Code::Unimplemented, "{content}");
        assert!(said.contains("application/grpc-web+proto"), "{said}");
    }
    // The form of an answer is that of its request.
    let text = [("accept", "application/grpc-web-text")];
    let answer = browser.call(PREDICT, &one(), &text).await.unwrap();
    assert_eq!(answer.header("content-type"), "application/grpc-web+proto");
    for path in ["/grpc.health.v1.Health/Watch", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"]
    {
        let mut browser = Browser::connect(server.address).await;
        assert_eq!(browser.call(path, &one(), &[]).await.unwrap().status().0, Code::Unimplemented, "{path}");
    }
    let mut browser = Browser::connect(server.address).await;
    let old = browser.call(PREDICT, &one(), &[("content-type", "application/grpc")]).await.unwrap();
    assert_eq!(old.status, 505);
    let programs = server.client().await.predict(one()).await;
    assert!(programs.is_ok(), "{programs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_refused_hears_why_though_not_everything_was_read() {
    let server = with(&[("server.max_bytes", "8388608"), ("server.max_message_bytes", "2097152")]).await;
    let mut browser = Browser::connect(server.address).await;
    // More than the system keeps on the way, and more than is read.
    let large = v1::PredictRequest { image: vec![0; 3 << 20], ..one() };
    let refused = browser.call(PREDICT, &large, &[]).await.unwrap();
    assert_eq!(refused.status().0, Code::ResourceExhausted);
    let foreign = browser.call(PREDICT, &large, &[("origin", "null")]).await.unwrap();
    assert_eq!(foreign.status().0, Code::PermissionDenied);
    assert_eq!(
        browser.call(PREDICT, &one(), &[]).await.unwrap().status().0,
        Code::Ok,
        "on the same connection"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browsers_message_is_bounded_like_any_other() {
    let small = [("server.max_bytes", "4194304"), ("server.max_message_bytes", "2097152")];
    let server = with(&small).await;
    // Two announcements take up everything, though not a byte of either has come.
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut browser = Browser::connect(server.address).await;
        let announced = [&[0][..], &(2_u32 << 20).to_be_bytes()].concat();
        browser.begin(PREDICT, &announced, &[("content-length", "2097157")]).await.unwrap();
        open.push(browser);
    }
    let full = async { while server.client().await.predict(one()).await.is_ok() {} };
    tokio::time::timeout(LONG, full).await.unwrap();
    let refused = Browser::connect(server.address).await.call(PREDICT, &one(), &[]).await.unwrap();
    assert_eq!(refused.status().0, Code::ResourceExhausted);
    // What is given up is free again.
    drop(open);
    let free = async { while server.client().await.predict(one()).await.is_err() {} };
    tokio::time::timeout(LONG, free).await.unwrap();

    let mut browser = Browser::connect(server.address).await;
    let announced = [&[0][..], &u32::MAX.to_be_bytes()].concat();
    browser.begin(PREDICT, &announced, &[]).await.unwrap();
    assert_eq!(browser.head().await.unwrap().status().0, Code::ResourceExhausted);
    for (body, said) in [
        (vec![], "the request holds no message"),
        (framed(b"")[..3].to_vec(), "the request ends within a message"),
        ([framed(b""), framed(b"")].concat(), "a request of this call is one message"),
        // Trailers, which only answers have.
        (vec![0x80, 0, 0, 0, 0], "a message begins with 0 or"),
    ] {
        let mut browser = Browser::connect(server.address).await;
        browser.begin(PREDICT, &body, &[]).await.unwrap();
        let (code, got) = browser.head().await.unwrap().status();
        assert!(code == Code::InvalidArgument && got.starts_with(said), "{code:?} {got}, not {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_gives_back_a_place() {
    let server = with(&[("server.max_jobs", "1")]).await;
    let stream = v1::ExplainStreamRequest { request: Some(masks(100_000)), map_every_ms: None };
    let body = framed(&prost::Message::encode_to_vec(&stream));
    // Once it is told how far it is, and once before anything.
    for told in [true, false] {
        let mut browser = Browser::connect(server.address).await;
        browser.begin(STREAM, &body, &[]).await.unwrap();
        until(|| server.service.waiting().1 == 1).await;
        if told {
            assert_eq!(browser.head().await.unwrap().status, 200);
            assert!(browser.chunk().await.unwrap().is_some());
        }
        drop(browser);
        until(|| server.service.waiting().1 == 0).await;
    }
    // Of a call that is answered whole, and with a byte of a next request on its way.
    for more in [&b""[..], b"G"] {
        let mut browser = Browser::connect(server.address).await;
        let body = framed(&prost::Message::encode_to_vec(&masks(100_000)));
        browser.begin(EXPLAIN, &body, &[]).await.unwrap();
        browser.more(more).await.unwrap();
        until(|| server.service.waiting().1 == 1).await;
        let before = server.service.passes();
        drop(browser);
        until(|| server.service.waiting().1 == 0).await;
        // It has not run to its end.
        assert!(server.service.passes() - before < 50_000, "it was not seen that the client has left");
    }
    assert!(server.client().await.predict(one()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browsers_deadline_holds() {
    let server = with(&[]).await;
    let mut browser = Browser::connect(server.address).await;
    let answer = browser.call(EXPLAIN, &masks(100_000), &[("grpc-timeout", "1m")]).await.unwrap();
    assert_eq!(answer.status().0, Code::DeadlineExceeded);
    let wrong = browser.call(EXPLAIN, &masks(128), &[("grpc-timeout", "soon")]).await.unwrap();
    assert_eq!(wrong.status().0, Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browsers_connection_is_bounded_like_any_other() {
    let server = with(&[("http2.idle_seconds", "1"), ("http2.handshake_seconds", "1")]).await;
    // Headers that are too large are refused, and those that never end are not waited for.
    let large = "a".repeat(20_000);
    let refused = Browser::connect(server.address).await.ask("GET /", &[("x-large", &large)]).await;
    assert_eq!(refused.unwrap().status, 431);
    for said in ["", "GET", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let mut mute = TcpStream::connect(server.address).await.unwrap();
        mute.write_all(said.as_bytes()).await.unwrap();
        let ended = tokio::time::timeout(LONG, mute.read_to_end(&mut Vec::new())).await.unwrap();
        assert!(
            ended.is_ok() || ended.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset),
            "{said}"
        );
    }
    // One that has had its files is let go.
    let mut idle = Browser::connect(server.address).await;
    assert_eq!(idle.ask("GET /", &[]).await.unwrap().status, 200);
    tokio::time::timeout(LONG, idle.closed()).await.unwrap().unwrap();
    // A place is one whoever has it.
    let server = with(&[("http2.max_connections", "2")]).await;
    let held = [
        TcpStream::connect(server.address).await.unwrap(),
        TcpStream::connect(server.address).await.unwrap(),
    ];
    let third = Browser::connect(server.address).await.ask("GET /", &[]).await;
    assert!(third.is_err(), "{third:?}");
    drop(held);
    let free = async { while Browser::connect(server.address).await.ask("GET /", &[]).await.is_err() {} };
    tokio::time::timeout(LONG, free).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_kept_alive_ends_with_the_server_and_a_call_on_it_is_answered_before() {
    let mut server = with(&[("drain.grace_seconds", "300")]).await;
    let mut kept = Browser::connect(server.address).await;
    assert_eq!(kept.ask("GET /", &[]).await.unwrap().status, 200);
    let mut busy = Browser::connect(server.address).await;
    let body = framed(&prost::Message::encode_to_vec(&masks(2000)));
    busy.begin(EXPLAIN, &body, &[]).await.unwrap();
    until(|| server.service.passes() > 0).await;
    server.stop();
    tokio::time::timeout(LONG, kept.closed()).await.unwrap().unwrap();
    assert_eq!(tokio::time::timeout(LONG, busy.head()).await.unwrap().unwrap().status, 200);
    tokio::time::timeout(LONG, busy.closed()).await.unwrap().unwrap();
    tokio::time::timeout(LONG, server.done).await.unwrap().unwrap();
}
