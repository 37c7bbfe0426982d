//! A client that speaks HTTP/1.1 and gRPC-Web as browsers do, byte by byte.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use prost_reflect::prost::Message;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;

/// A connection that is kept open.
pub struct Browser {
    stream: BufStream<TcpStream>,
    host: String,
}

/// An answer of HTTP.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body, or as much of it as has come.
    pub body: Vec<u8>,
}

impl Browser {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        Self { stream: BufStream::new(stream), host: address.to_string() }
    }

    /// Sends a request without a body and reads the answer.
    ///
    /// # Errors
    /// When the connection ends before.
    pub async fn ask(&mut self, line: &str, headers: &[(&str, &str)]) -> std::io::Result<Answer> {
        let host = self.host.clone();
        let mut all = vec![("host", &*host)];
        all.extend(headers);
        self.send(line, &all, b"").await?;
        let mut answer = self.head().await?;
        if !line.starts_with("HEAD") {
            answer.body = self.body(&answer).await?;
        }
        Ok(answer)
    }

    /// Calls a method of ours as the page does, with further headers that replace these, and reads the answer.
    ///
    /// # Errors
    /// When the connection ends before.
    pub async fn call(
        &mut self,
        path: &str,
        message: &impl Message,
        headers: &[(&str, &str)],
    ) -> std::io::Result<Answer> {
        self.begin(path, &framed(&message.encode_to_vec()), headers).await?;
        let mut answer = self.head().await?;
        answer.body = self.body(&answer).await?;
        Ok(answer)
    }

    /// Sends a call and reads nothing.
    ///
    /// # Errors
    /// When the connection ends before.
    pub async fn begin(&mut self, path: &str, body: &[u8], headers: &[(&str, &str)]) -> std::io::Result<()> {
        let length = body.len().to_string();
        let host = self.host.clone();
        let own = [
            ("host", &*host),
            ("content-type", "application/grpc-web+proto"),
            ("x-grpc-web", "1"),
            ("content-length", &*length),
        ];
        let given = |name: &str| headers.iter().any(|(other, _)| *other == name);
        let mut all: Vec<_> = own.into_iter().filter(|(name, _)| !given(name)).collect();
        all.extend(headers);
        self.send(&format!("POST {path}"), &all, body).await
    }

    /// Sends more than was asked for.
    ///
    /// # Errors
    /// When the connection ends before.
    pub async fn more(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    async fn send(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<()> {
        let mut head = format!("{line} HTTP/1.1\r\n");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").map_err(std::io::Error::other)?;
        }
        head += "\r\n";
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.write_all(body).await?;
        self.stream.flush().await
    }

    /// Status and headers of the next answer.
    ///
    /// # Errors
    /// When the connection ends before.
    pub async fn head(&mut self) -> std::io::Result<Answer> {
        let first = self.line().await?;
        let code = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = code.ok_or_else(|| std::io::Error::other(format!("got {first:?}")))?;
        let mut headers = BTreeMap::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        Ok(Answer { status, headers, body: Vec::new() })
    }

    async fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    async fn body(&mut self, head: &Answer) -> std::io::Result<Vec<u8>> {
        if let Some(length) = head.headers.get("content-length") {
            let mut body = vec![0; length.parse().map_err(std::io::Error::other)?];
            self.stream.read_exact(&mut body).await?;
            return Ok(body);
        }
        let mut body = Vec::new();
        if head.headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            while let Some(chunk) = self.chunk().await? {
                body.extend(chunk);
            }
        }
        Ok(body)
    }

    /// The next piece of a body whose length was not announced; nothing at its end.
    ///
    /// # Errors
    /// When the connection ends before.
    pub async fn chunk(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let length = usize::from_str_radix(&self.line().await?, 16).map_err(std::io::Error::other)?;
        // Each ends with an empty line.
        let mut chunk = vec![0; length + 2];
        self.stream.read_exact(&mut chunk).await?;
        chunk.truncate(length);
        Ok((length > 0).then_some(chunk))
    }

    /// Until the server has closed the connection; what it still sends is left.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn closed(&mut self) -> std::io::Result<()> {
        self.stream.read_to_end(&mut Vec::new()).await.map(drop)
    }
}

impl Answer {
    /// A header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value)
    }

    /// The messages of an answer of gRPC-Web.
    ///
    /// # Panics
    /// When the body is none.
    pub fn messages<M: Message + Default>(&self) -> Vec<M> {
        let frames = self.frames();
        let messages = frames.iter().filter(|(flag, _)| *flag == 0);
        messages.map(|(_, bytes)| M::decode(*bytes).expect("it is of that kind")).collect()
    }

    /// Code and message of an answer of gRPC-Web, from its last frame or, where it has none, from its headers.
    ///
    /// # Panics
    /// When there is neither.
    pub fn status(&self) -> (tonic::Code, String) {
        let frames = self.frames();
        let trailers = frames.iter().find(|(flag, _)| flag & 0x80 != 0);
        let mut fields = self.headers.clone();
        if let Some((_, bytes)) = trailers {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            fields.extend(lines.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())));
        }
        let code = fields.get("grpc-status").and_then(|code| code.parse::<i32>().ok());
        let said = fields.remove("grpc-message").unwrap_or_default().replace("%20", " ");
        (code.expect("a status of gRPC").into(), said)
    }

    /// Flag and content of each frame.
    fn frames(&self) -> Vec<(u8, &[u8])> {
        let (mut rest, mut frames) = (&self.body[..], Vec::new());
        while let Some((head, after)) = rest.split_first_chunk::<5>() {
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let (content, next) = after.split_at(length);
            frames.push((head[0], content));
            rest = next;
        }
        frames
    }
}

/// A message as it travels.
pub fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat()
}
