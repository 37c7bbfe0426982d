//! The admin port, from the first moment to the last.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use unmask_server::Telemetry;
use unmask_tests::started::Started;
use unmask_tests::{Root, until};

use super::scrape::ask;
use super::{ADMIN, masks};

#[tokio::test(flavor = "multi_thread")]
async fn readiness_comes_with_the_models_and_falls_before_anything_else() {
    let root = Root::new(&[]);
    let config = root.config(&[ADMIN, ("drain.grace_seconds", "300")]);
    let telemetry = Telemetry::open(&config).await.unwrap();
    let admin = telemetry.admin().unwrap();
    let told = async |path: &str| {
        let (status, _, body) = ask(admin, "GET", path).await;
        (status, body.trim().to_owned())
    };
    assert_eq!(told("/livez").await, (200, "ok".into()));
    assert_eq!(told("/readyz").await, (503, "loading".into()));
    assert!(told("/metrics").await.1.contains("process_resident_memory_bytes"));
    let mut server = Started::observed(&config, telemetry).await;
    assert_eq!(told("/readyz").await, (200, "ready".into()));
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.explain(masks(1500)).await });
    until(|| server.service.passes() > 0).await;
    server.stop();
    // Long before the request is answered, which it still is; and for as long as that takes.
    loop {
        match told("/readyz").await {
            (200, _) => assert!(!call.is_finished(), "it falls first"),
            (status, body) => break assert_eq!((status, body.as_str()), (503, "draining")),
        }
    }
    assert!(!call.is_finished());
    assert_eq!(told("/livez").await, (200, "ok".into()));
    call.await.unwrap().unwrap();
    server.done.await.unwrap();
    assert!(TcpStream::connect(admin).await.is_err(), "the port is the last to close, and closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_answers_what_it_is_for_and_nothing_else() {
    let root = Root::new(&[]);
    let telemetry = Telemetry::open(&root.config(&[ADMIN])).await.unwrap();
    let admin = telemetry.admin().unwrap();
    for (method, path, expected) in [
        ("GET", "/", 404),
        ("GET", "/livez/", 404),
        ("POST", "/nowhere", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/readyz", 405),
        ("HEAD", "/metrics", 200),
        ("HEAD", "/livez", 200),
        ("HEAD", "/readyz", 503),
    ] {
        let (status, head, body) = ask(admin, method, path).await;
        assert_eq!(status, expected, "{method} {path}");
        assert_eq!(head.contains("allow: get, head"), expected == 405, "{method} {path}");
        assert_eq!(body.is_empty(), method == "HEAD", "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_no_headers_or_too_many_is_let_go_and_so_is_a_crowd() {
    let root = Root::new(&[]);
    let telemetry = Telemetry::open(&root.config(&[ADMIN])).await.unwrap();
    let admin = telemetry.admin().unwrap();
    let mut large = TcpStream::connect(admin).await.unwrap();
    let header = format!("GET /livez HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(64 << 10));
    // It may be let go before it has sent everything.
    let _ = large.write_all(header.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = large.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(admin).await.unwrap());
    }
    // One too many is closed without an answer. Those before it may not all have been taken up yet.
    let closed = async {
        loop {
            let mut more = TcpStream::connect(admin).await.unwrap();
            let _ = more.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
            let mut answer = Vec::new();
            match more.read_to_end(&mut answer).await {
                Ok(0) | Err(_) => break,
                Ok(_) => assert!(answer.starts_with(b"HTTP/1.1 200")),
            }
        }
    };
    tokio::time::timeout(unmask_tests::PATIENCE, closed).await.unwrap();
    // The others are let go after their time, and there is room again.
    let mut byte = [0];
    let let_go = silent[0].read(&mut byte);
    let read = tokio::time::timeout(unmask_tests::PATIENCE, let_go).await.unwrap();
    assert!(read.map_or(true, |read| read == 0 || byte[0] == b'H'));
    drop(silent);
    let free = async { while ask_quietly(admin).await.is_none() {} };
    tokio::time::timeout(unmask_tests::PATIENCE, free).await.unwrap();
}

async fn ask_quietly(admin: std::net::SocketAddr) -> Option<()> {
    let mut stream = TcpStream::connect(admin).await.ok()?;
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    answer.starts_with(b"HTTP/1.1 200").then_some(())
}
