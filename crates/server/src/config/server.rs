//! The socket and its limits.

use serde::Deserialize;

use super::Bounds;

/// The socket and its limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port of the gRPC socket, plaintext.
    pub listen: String,
    /// Largest message that is read, in bytes; a larger one is RESOURCE_EXHAUSTED.
    pub max_message_bytes: usize,
    /// Requests that are worked on at the same time; one more is RESOURCE_EXHAUSTED.
    pub max_jobs: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self { listen: "127.0.0.1:50051".into(), max_message_bytes: 32 << 20, max_jobs: 64 }
    }
}

impl Server {
    pub(super) fn check(&self, bounds: &mut Bounds) {
        bounds.within("server.max_message_bytes", self.max_message_bytes as u64, 1 << 10, 1 << 30);
        bounds.within("server.max_jobs", self.max_jobs as u64, 1, 400);
    }
}
