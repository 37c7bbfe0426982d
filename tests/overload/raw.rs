//! A client that speaks HTTP/2 as it likes.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tonic::Code;

pub(crate) const EXPLAIN: &str = "/unmask.v1.ExplanationService/Explain";
pub(crate) const PREDICT: &str = "/unmask.v1.ExplanationService/Predict";

/// A connection whose frames are h2's.
pub(crate) struct Raw(pub(crate) SendRequest<Bytes>);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async move {
            // However it ends: what matters is what the server says on the way.
            let _ = connection.await;
        });
        Self(client)
    }

    /// Opens a stream and sends no more than its headers.
    pub(crate) async fn open(
        &mut self,
        path: &str,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.open_within(path, "").await
    }

    /// The same with a deadline as the header has it.
    pub(crate) async fn open_within(
        &mut self,
        path: &str,
        time: &str,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut request = Request::post(format!("http://unmask.test{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if !time.is_empty() {
            request = request.header("grpc-timeout", time);
        }
        let request = request.body(()).unwrap();
        let mut ready = self.0.clone().ready().await?;
        ready.send_request(request, false)
    }

    /// Announces a message of so many bytes and sends none of them.
    pub(crate) async fn announce(&mut self, length: u32) -> (ResponseFuture, SendStream<Bytes>) {
        let (response, mut body) = self.open(EXPLAIN).await.unwrap();
        body.send_data(prefix(0, length), false).unwrap();
        (response, body)
    }
}

/// What announces a message.
pub(crate) fn prefix(compressed: u8, length: u32) -> Bytes {
    [&[compressed][..], &length.to_be_bytes()].concat().into()
}

/// Code and message of an answer, which comes within a minute: the bound only keeps a broken test from hanging.
pub(crate) async fn status(response: ResponseFuture) -> (Code, String) {
    tokio::time::timeout(unmask_tests::PATIENCE, answer(response)).await.unwrap()
}

async fn answer(response: ResponseFuture) -> (Code, String) {
    let response: Response<RecvStream> = response.await.unwrap();
    let mut headers: HeaderMap = response.headers().clone();
    let mut body = response.into_body();
    while let Some(data) = body.data().await {
        let length = data.unwrap().len();
        body.flow_control().release_capacity(length).unwrap();
    }
    headers.extend(body.trailers().await.unwrap().unwrap_or_default());
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let code = text("grpc-status").unwrap().parse::<i32>().unwrap();
    (code.into(), text("grpc-message").unwrap_or_default())
}

/// A connection whose frames are nobody's.
pub(crate) struct Bare(pub(crate) TcpStream);

impl Bare {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut bare = Self(stream);
        bare.frame(4, 0, 0, &[]).await.unwrap();
        bare
    }

    /// Sends a frame: its type, flags, stream and payload (RFC 9113, section 4.1).
    pub(crate) async fn frame(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> std::io::Result<()> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await
    }
}
