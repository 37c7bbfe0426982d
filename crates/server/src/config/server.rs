//! The socket, and what may be worked on at the same time.

use serde::Deserialize;

use super::Bounds;

/// The socket, and what may be worked on at the same time.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port of the gRPC socket.
    pub listen: String,
    /// Whether it may serve without TLS, or to whoever comes.
    pub insecure: bool,
    /// Largest message that is read, in bytes; a larger one is RESOURCE_EXHAUSTED.
    pub max_message_bytes: usize,
    /// Requests that are worked on at the same time; one more is RESOURCE_EXHAUSTED.
    pub max_jobs: u32,
    /// Passes that requests which are worked on may have announced together; no limit where it is not given. Default of a
    /// server: a million.
    pub max_passes: Option<u64>,
    /// Memory for messages, from their announcement until they are answered, in bytes.
    pub max_bytes: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:50051".into(),
            insecure: false,
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

    pub(super) fn check(&self, bounds: &mut Bounds) {
        bounds.within("server.max_message_bytes", self.max_message_bytes as u64, 1 << 10, 1 << 30);
        bounds.within("server.max_jobs", self.max_jobs.into(), 1, 400);
        bounds.within("server.max_passes", self.max_passes.unwrap_or(Self::PASSES), 1, u32::MAX.into());
        bounds.within("server.max_bytes", self.max_bytes, 1 << 20, 1 << 40);
        if self.max_bytes < 2 * self.max_message_bytes as u64 {
            let (max_bytes, most) = (self.max_bytes, self.max_message_bytes);
            bounds.fault(format!(
                "server.max_bytes is {max_bytes}, it holds at least two messages of server.max_message_bytes ({most})"
            ));
        }
    }

    pub(crate) fn passes(&self) -> u32 {
        self.max_passes.and_then(|passes| u32::try_from(passes).ok()).unwrap_or(u32::MAX)
    }
}
