//! HTTP/2 and its connections, and how a server goes down.

use std::time::Duration;

use serde::Deserialize;

use super::Bounds;

/// HTTP/2 and its connections.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http2 {
    /// Connections at the same time; one more is closed at once.
    pub max_connections: u32,
    /// Streams of a connection at the same time.
    pub max_streams: u32,
    /// Largest frame that is read, in bytes.
    pub max_frame_bytes: u32,
    /// Largest list of headers that is read, in bytes.
    pub max_header_bytes: u32,
    /// Bytes of a stream that may be under way unread.
    pub stream_window_bytes: u32,
    /// Bytes of a connection that may be under way unread.
    pub connection_window_bytes: u32,
    /// Streams that a client has reset and that are not yet cleaned up; more end the connection (CVE-2023-44487).
    pub max_pending_resets: usize,
    /// Streams that the server has reset because of a client's faults; more end the connection.
    pub max_local_resets: usize,
    /// Seconds of silence after which a client is asked whether it is there; 0 never asks.
    pub keepalive_seconds: u64,
    /// Seconds that it has to answer.
    pub keepalive_timeout_seconds: u64,
    /// Seconds that a TLS handshake may take.
    pub handshake_seconds: u64,
    /// Seconds that a message may take from its announcement to its last byte.
    pub message_seconds: u64,
    /// Seconds without a stream after which a connection is closed, and without an item and work after which a stream is; 0 never
    /// closes.
    pub idle_seconds: u64,
    /// Seconds after which a connection takes no further streams, so that clients spread anew; 0 never ends.
    pub age_seconds: u64,
    /// Seconds that its streams then have to end.
    pub age_grace_seconds: u64,
}

/// How a server goes down.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Drain {
    /// Seconds between telling that it goes down and taking no further connections, for balancers to see it.
    pub notice_seconds: u64,
    /// Seconds that requests then have to end; those that are left are UNAVAILABLE.
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
    pub(super) fn check(&self, bounds: &mut Bounds) {
        let day = 86_400;
        bounds.within("http2.max_connections", self.max_connections.into(), 1, 1 << 20);
        bounds.within("http2.max_streams", self.max_streams.into(), 1, 10_000);
        bounds.within("http2.max_frame_bytes", self.max_frame_bytes.into(), 1 << 14, (1 << 24) - 1);
        bounds.within("http2.max_header_bytes", self.max_header_bytes.into(), 1 << 10, 1 << 20);
        bounds.within("http2.stream_window_bytes", self.stream_window_bytes.into(), 65_535, (1 << 31) - 1);
        let connection = self.connection_window_bytes;
        bounds.within("http2.connection_window_bytes", connection.into(), 65_535, (1 << 31) - 1);
        bounds.within("http2.max_pending_resets", self.max_pending_resets as u64, 1, 10_000);
        bounds.within("http2.max_local_resets", self.max_local_resets as u64, 1, 100_000);
        bounds.within("http2.keepalive_seconds", self.keepalive_seconds, 0, day);
        bounds.within("http2.keepalive_timeout_seconds", self.keepalive_timeout_seconds, 1, day);
        bounds.within("http2.handshake_seconds", self.handshake_seconds, 1, 600);
        bounds.within("http2.message_seconds", self.message_seconds, 1, day);
        bounds.within("http2.idle_seconds", self.idle_seconds, 0, day);
        bounds.within("http2.age_seconds", self.age_seconds, 0, 30 * day);
        bounds.within("http2.age_grace_seconds", self.age_grace_seconds, 1, 30 * day);
    }

    pub(crate) fn idle(&self) -> Option<Duration> {
        (self.idle_seconds > 0).then(|| Duration::from_secs(self.idle_seconds))
    }

    pub(crate) fn message_time(&self) -> Duration {
        Duration::from_secs(self.message_seconds)
    }
}

impl Drain {
    pub(super) fn check(&self, bounds: &mut Bounds) {
        bounds.within("drain.notice_seconds", self.notice_seconds, 0, 3600);
        bounds.within("drain.grace_seconds", self.grace_seconds, 0, 86_400);
    }
    pub(crate) fn notice(&self) -> Duration {
        Duration::from_secs(self.notice_seconds)
    }

    pub(crate) fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_seconds)
    }
}
