//! The socket under hostile clients and too many of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
