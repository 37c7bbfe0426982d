//! The socket, and what may be worked on at the same time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Faults;

/// The socket, and what may be worked on at the same time.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port of the gRPC socket.
    #[schemars(extend("format" = "ADDRESS:PORT"))]
    pub listen: String,
    /// Whether it may serve without TLS, or to whoever comes.
    pub insecure: bool,
    /// Whether browsers get a page at the same address, and may call through gRPC-Web over HTTP/1.1 and HTTP/2.
    pub ui: bool,
    /// Largest message that is read, in bytes; a larger one is RESOURCE_EXHAUSTED.
    #[schemars(range(min = 1_u64 << 10, max = 1_u64 << 30))]
    pub max_message_bytes: usize,
    /// Requests that are worked on at the same time; one more is RESOURCE_EXHAUSTED.
    #[schemars(range(min = 1, max = 400))]
    pub max_jobs: u32,
    /// Passes that requests which are worked on may have announced together; no limit where it is not given. Default of a
    /// server: a million.
    #[schemars(range(min = 1, max = u32::MAX))]
    pub max_passes: Option<u64>,
    /// Memory for messages, from their announcement until they are answered, in bytes.
    #[schemars(range(min = 1_u64 << 20, max = 1_u64 << 40))]
    pub max_bytes: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:50051".into(),
            insecure: false,
            ui: false,
            max_message_bytes: 32 << 20,
            max_jobs: 64,
            max_passes: None,
            max_bytes: 512 << 20,
        }
    }
}

impl Server {
    /// What a server takes at the same time where nothing is configured.
    pub(super) const PASSES: u64 = 1_000_000;

    pub(super) fn check(&self, faults: &mut Faults) {
        let port =
            self.listen.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
        if port.is_none_or(|(host, _)| host.is_empty()) {
            let got = &self.listen;
            faults.add(format!("server.listen is \"{got}\", allowed is ADDRESS:PORT such as 0.0.0.0:50051"));
        }
        if self.max_bytes < 2 * self.max_message_bytes as u64 {
            let (max_bytes, most) = (self.max_bytes, self.max_message_bytes);
            faults.add(format!(
                "server.max_bytes is {max_bytes}, it must hold at least two messages of server.max_message_bytes ({most})"
            ));
        }
    }

    pub(crate) fn passes(&self) -> u32 {
        self.max_passes.and_then(|passes| u32::try_from(passes).ok()).unwrap_or(u32::MAX)
    }
}
