//! The service: what a request means, what it may cost, who runs it and how its answer reads.
//!
//! A request goes admission -> decode -> run -> encode. [`Service`] is the same value behind the socket and in process:
//! the command line calls it without a server. Only this crate and the command line name tonic or the messages.

mod admission;
mod alarm;
mod audit;
mod config;
mod decode;
mod doctor;
mod drain;
mod encode;
mod error;
mod fills;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod models;
mod oversize;
mod prove;
mod rpc;
mod run;
mod telemetry;
mod transport;

pub use config::{CalibrationWord, Config, ConfigError, Key, Log, LogFormat, keys, schema};
pub use doctor::{Diagnosis, Finding, diagnose};
pub use error::{StartError, status_of};
pub use prove::Proof;
pub use rpc::{Answers, Service, Watching};
pub use telemetry::{Telemetry, init as init_telemetry};
pub use transport::{Running, check, secure, serve};
pub use unmask_pool::Checkup;
