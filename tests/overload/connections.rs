//! Hostile HTTP/2, and connections that are too many, idle or old. Each is bounded in count; other clients are served.

use std::time::Duration;

use h2::Reason;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use unmask_tests::started::Started;

use super::one;
use super::raw::{Bare, PREDICT, Raw, prefix, status};

/// Until something has to have happened; the bound only keeps a broken test from hanging.
const LONG: Duration = unmask_tests::PATIENCE;

async fn is_served(server: &Started) {
    assert!(server.client().await.predict(one()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_resets_ends_its_connection_and_no_other() {
    let server = Started::with(&[]).await;
    let mut other = server.client().await;
    let mut raw = Bare::connect(server.address).await;
    // :method POST, :scheme http, :path and :authority as literals (RFC 7541, section 6.2.2).
    let path = b"/unmask.v1.ExplanationService/Explain";
    let mut headers = vec![0x83, 0x86, 0x04, path.len() as u8];
    headers.extend(path);
    headers.extend([0x01, 1, b'x']);
    let flood = async {
        for stream in (1..400_000).step_by(2) {
            raw.frame(1, 4, stream, &headers).await?;
            raw.frame(3, 0, stream, &u32::from(Reason::CANCEL).to_be_bytes()).await?;
        }
        std::io::Result::Ok(())
    };
    let flooded = tokio::time::timeout(LONG, flood).await.unwrap();
    assert!(flooded.is_err(), "two hundred thousand streams were opened and reset");
    assert!(other.predict(one()).await.is_ok());
    is_served(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_faults_ends_its_connection_and_no_other() {
    let server = Started::with(&[]).await;
    let mut other = server.client().await;
    let mut raw = Bare::connect(server.address).await;
    let flood = async {
        for stream in (1..400_000).step_by(2) {
            // :method POST and nothing else, which the server has to reset.
            raw.frame(1, 5, stream, &[0x83]).await?;
        }
        std::io::Result::Ok(())
    };
    let flooded = tokio::time::timeout(LONG, flood).await.unwrap();
    assert!(flooded.is_err(), "two hundred thousand faults were told one by one");
    assert!(other.predict(one()).await.is_ok());
    is_served(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_without_an_end_end_their_connection() {
    let server = Started::with(&[]).await;
    let mut raw = Bare::connect(server.address).await;
    // A header that is never whole: one frame without the flag END_HEADERS, then continuations.
    let part = [&[0x00, 1, b'a', 0x7F][..], &[b'b'; 4000]].concat();
    let flood = async {
        raw.frame(1, 0, 1, &part).await?;
        for _ in 0..20_000 {
            raw.frame(9, 0, 1, &part).await?;
        }
        std::io::Result::Ok(())
    };
    assert!(tokio::time::timeout(LONG, flood).await.unwrap().is_err(), "80 MB of headers were read");
    is_served(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_are_too_large_are_refused() {
    let server = Started::with(&[]).await;
    for (bytes, fits) in [(12_000, true), (20_000, false)] {
        let mut request = tonic::Request::new(one());
        request.metadata_mut().insert("x-large", "a".repeat(bytes).parse().unwrap());
        assert_eq!(server.client().await.predict(request).await.is_ok(), fits, "{bytes}");
    }
    is_served(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_streams_are_bounded_and_keep_nobody_out() {
    let server = Started::with(&[("http2.max_streams", "16")]).await;
    let mut open = Vec::new();
    for _ in 0..20 {
        let mut raw = Raw::connect(server.address).await;
        for _ in 0..16 {
            let opened = tokio::time::timeout(LONG, raw.open(PREDICT)).await.unwrap();
            open.push(opened.unwrap());
        }
        let told = async {
            while raw.0.current_max_send_streams() != 16 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, told).await.unwrap();
    }
    assert_eq!(open.len(), 320);
    is_served(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_too_many_is_closed_and_its_place_comes_back() {
    let server = Started::with(&[("http2.max_connections", "2")]).await;
    let (mut first, second) = (server.client().await, Raw::connect(server.address).await);
    assert!(first.predict(one()).await.is_ok());
    let mut third = TcpStream::connect(server.address).await.unwrap();
    let read = tokio::time::timeout(LONG, third.read(&mut [0; 64])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    drop(second);
    let free = async {
        while TcpStream::connect(server.address).await.unwrap().read(&mut [0; 64]).await.unwrap_or(0) == 0 {}
    };
    tokio::time::timeout(LONG, free).await.unwrap();
    assert!(first.predict(one()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_nothing_is_let_go() {
    let server = Started::with(&[("http2.idle_seconds", "1"), ("http2.handshake_seconds", "1")]).await;
    // Neither the preface nor a stream.
    let mut mute = TcpStream::connect(server.address).await.unwrap();
    let mut idle = Bare::connect(server.address).await.0;
    for stream in [&mut mute, &mut idle] {
        let mut all = Vec::new();
        let ended = tokio::time::timeout(LONG, stream.read_to_end(&mut all)).await.unwrap();
        assert!(ended.is_ok() || ended.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset));
    }
    is_served(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_watches_is_let_go_like_who_does_nothing() {
    let server = Started::with(&[("http2.idle_seconds", "1"), ("http2.handshake_seconds", "1")]).await;
    let mut health = HealthClient::new(server.channel().await);
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert!(watch.message().await.unwrap().is_some());
    assert!(tokio::time::timeout(LONG, watch.message()).await.unwrap().is_err());
    is_served(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_answer_is_let_go() {
    let settings = [("http2.keepalive_seconds", "1"), ("http2.keepalive_timeout_seconds", "1")];
    let server = Started::with(&settings).await;
    let mut live = server.client().await;
    let mut dead = Bare::connect(server.address).await.0;
    let mut all = Vec::new();
    // Its connection is not idle for five minutes yet, but nobody is there.
    let ended = tokio::time::timeout(LONG, dead.read_to_end(&mut all)).await.unwrap();
    assert!(ended.is_ok() || ended.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset));
    assert!(live.predict(one()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_of_a_message_is_under_way_than_fits_into_the_windows() {
    let (stream, connection) = (100_000, 150_000);
    let (of_stream, of_connection) = (stream.to_string(), connection.to_string());
    let settings = [
        ("http2.stream_window_bytes", &*of_stream),
        ("http2.connection_window_bytes", &*of_connection),
        ("server.max_message_bytes", "1048576"),
        ("server.max_bytes", "2097152"),
    ];
    let server = Started::with(&settings).await;
    let mut raw = Raw::connect(server.address).await;
    // With an answer the server's settings are there as well.
    let (response, mut body) = raw.open(PREDICT).await.unwrap();
    body.send_data(Vec::new().into(), true).unwrap();
    status(response).await;
    // Two streams want to send a megabyte each.
    let mut open = Vec::new();
    for _ in 0..2 {
        let (response, mut body) = raw.open(PREDICT).await.unwrap();
        body.reserve_capacity(1 << 20);
        open.push((response, body));
    }
    let granted =
        |open: &[(_, h2::SendStream<_>)]| open.iter().map(|(_, body)| body.capacity()).collect::<Vec<_>>();
    let full = async {
        while granted(&open).iter().sum::<usize>() < connection {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, full).await.unwrap();
    is_served(&server).await;
    assert_eq!(granted(&open), [stream, connection - stream]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_connection_whose_streams_do_not_end_is_cut_off() {
    let settings =
        [("http2.age_seconds", "1"), ("http2.age_grace_seconds", "1"), ("http2.message_seconds", "600")];
    let server = Started::with(&settings).await;
    let mut raw = Raw::connect(server.address).await;
    let (response, _body) = raw.open(PREDICT).await.unwrap();
    assert!(tokio::time::timeout(LONG, response).await.unwrap().is_err());
    is_served(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_connection_takes_no_further_streams_and_ends_those_it_has() {
    let server = Started::with(&[("http2.age_seconds", "1"), ("http2.message_seconds", "60")]).await;
    let mut raw = Raw::connect(server.address).await;
    let (response, mut body) = raw.open(PREDICT).await.unwrap();
    // The client hears that it is to go elsewhere.
    let told = async {
        while raw.open(PREDICT).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await
        }
    };
    tokio::time::timeout(LONG, told).await.unwrap();
    let message = prost::Message::encode_to_vec(&one());
    body.send_data(prefix(0, message.len() as u32), false).unwrap();
    body.send_data(message.into(), true).unwrap();
    assert_eq!(super::raw::status(response).await.0, tonic::Code::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http2_is_let_go() {
    use tokio::io::AsyncWriteExt as _;
    let server = Started::with(&[]).await;
    for nonsense in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        &[0; 64],
        &[0xFF; 4096],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xFF\xFF\xFF\xFF\xFF",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(nonsense).await.unwrap();
        let mut all = Vec::new();
        let ended = tokio::time::timeout(LONG, stream.read_to_end(&mut all)).await.unwrap();
        assert!(ended.is_ok() || ended.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset));
    }
    is_served(&server).await;
}
