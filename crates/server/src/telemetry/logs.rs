//! What is logged, and how. Lines carry request ids, trace ids and model names, never pictures or their digests.

use crate::config::{Log, LogFormat};

/// Crates that tell of every failed export; what leaves here is watched by `server` itself, which tells of it now and then.
const TALKATIVE: &str = "opentelemetry";

/// Sends log lines to standard error. A second call in one process changes nothing.
///
/// # Errors
/// The filter's own words where it cannot be read.
pub fn init(log: &Log) -> Result<(), String> {
    let mut filter = log.filter()?;
    if !log.filter.contains(TALKATIVE) {
        for own in ["opentelemetry", "opentelemetry_sdk", "opentelemetry-otlp", "opentelemetry-prometheus"] {
            let off = format!("{own}=off").parse().map_err(|error| format!("log.filter: {error}"))?;
            filter = filter.add_directive(off);
        }
    }
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that a subscriber is already in place, which then stays.
    let _ = match log.format {
        LogFormat::Pretty => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}
