//! HTTP/2 and its connections, and how a server goes down.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// HTTP/2 and its connections.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http2 {
    /// Connections at the same time; one more is closed at once.
    #[schemars(range(min = 1, max = 1_u64 << 20))]
    pub max_connections: u32,
    /// Streams of a connection at the same time.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_streams: u32,
    /// Largest frame that is read, in bytes.
    #[schemars(range(min = 1_u64 << 14, max = (1_u64 << 24) - 1))]
    pub max_frame_bytes: u32,
    /// Largest list of headers that is read, in bytes.
    #[schemars(range(min = 1_u64 << 10, max = 1_u64 << 20))]
    pub max_header_bytes: u32,
    /// Bytes of a stream that may be under way unread.
    #[schemars(range(min = 65_535, max = (1_u64 << 31) - 1))]
    pub stream_window_bytes: u32,
    /// Bytes of a connection that may be under way unread.
    #[schemars(range(min = 65_535, max = (1_u64 << 31) - 1))]
    pub connection_window_bytes: u32,
    /// Streams that a client has reset and that are not yet cleaned up; more end the connection (CVE-2023-44487).
    #[schemars(range(min = 1, max = 10_000))]
    pub max_pending_resets: usize,
    /// Streams that the server has reset because of a client's faults; more end the connection.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_local_resets: usize,
    /// Seconds of silence after which a client is asked whether it is there; 0 never asks.
    #[schemars(range(min = 0, max = 86_400))]
    pub keepalive_seconds: u64,
    /// Seconds that it has to answer.
    #[schemars(range(min = 1, max = 86_400))]
    pub keepalive_timeout_seconds: u64,
    /// Seconds that a TLS handshake may take.
    #[schemars(range(min = 1, max = 600))]
    pub handshake_seconds: u64,
    /// Seconds that a message may take from its announcement to its last byte.
    #[schemars(range(min = 1, max = 86_400))]
    pub message_seconds: u64,
    /// Seconds without a stream after which a connection is closed, and without an item and work after which a stream is; 0 never
    /// closes.
    #[schemars(range(min = 0, max = 86_400))]
    pub idle_seconds: u64,
    /// Seconds after which a connection takes no further streams, so that clients spread anew; 0 never ends.
    #[schemars(range(min = 0, max = 2_592_000))]
    pub age_seconds: u64,
    /// Seconds that its streams then have to end.
    #[schemars(range(min = 1, max = 2_592_000))]
    pub age_grace_seconds: u64,
}

/// How a server goes down.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Drain {
    /// Seconds between telling that it goes down and taking no further connections, for balancers to see it.
    #[schemars(range(min = 0, max = 3600))]
    pub notice_seconds: u64,
    /// Seconds that requests then have to end; those that are left are UNAVAILABLE.
    #[schemars(range(min = 0, max = 86_400))]
    pub grace_seconds: u64,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            max_connections: 1000,
            max_streams: 128,
            max_frame_bytes: 1 << 16,
            max_header_bytes: 16 << 10,
            stream_window_bytes: 1 << 20,
            connection_window_bytes: 1 << 20,
            max_pending_resets: 20,
            max_local_resets: 100,
            keepalive_seconds: 60,
            keepalive_timeout_seconds: 20,
            handshake_seconds: 10,
            message_seconds: 30,
            idle_seconds: 300,
            age_seconds: 0,
            age_grace_seconds: 300,
        }
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self { notice_seconds: 0, grace_seconds: 30 }
    }
}

impl Http2 {
    pub(crate) fn idle(&self) -> Option<Duration> {
        (self.idle_seconds > 0).then(|| Duration::from_secs(self.idle_seconds))
    }

    pub(crate) fn message_time(&self) -> Duration {
        Duration::from_secs(self.message_seconds)
    }
}

impl Drain {
    pub(crate) fn notice(&self) -> Duration {
        Duration::from_secs(self.notice_seconds)
    }

    pub(crate) fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }
}
