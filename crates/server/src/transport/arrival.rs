//! What is known of a request before its message is read, and what its messages hold.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use unmask_core::Violation;

use crate::admission::Held;
use crate::decode::shown;
use crate::error::RequestError;
use crate::identity::Identity;
use crate::telemetry::Trace;

/// How long a client waits.
const TIMEOUT: &str = "grpc-timeout";

/// Travels with a request in its extensions. A call in this process has none, and is its owner's.
#[derive(Clone, Default)]
pub(crate) struct Arrival {
    pub(crate) identity: Identity,
    /// When the client waits no longer.
    pub(crate) deadline: Option<Instant>,
    /// Its place in a trace.
    pub(crate) trace: Trace,
    messages: Messages,
}

/// The bytes of messages that have been let in and that nobody has taken up yet, in their order.
#[derive(Clone, Default)]
pub(crate) struct Messages(Arc<Mutex<VecDeque<Held>>>);

impl Arrival {
    /// # Errors
    /// [`RequestError::Invalid`] for a deadline that cannot be read: whoever sends one does not want to wait for ever.
    pub(super) fn new(
        identity: Identity,
        headers: &HeaderMap,
        trace: Trace,
        messages: Messages,
    ) -> Result<Self, RequestError> {
        let deadline = deadline(headers).map_err(|wrong| RequestError::Invalid(vec![wrong]))?;
        Ok(Self { identity, deadline, trace, messages })
    }

    /// Of a call in this process, which may have a deadline as well.
    pub(crate) fn in_process(headers: &HeaderMap) -> Self {
        Self { deadline: deadline(headers).unwrap_or_default(), ..Self::default() }
    }

    /// What the next message holds, for whoever works on it.
    pub(crate) fn message(&self) -> Option<Held> {
        self.messages.take()
    }
}

impl Messages {
    pub(super) fn push(&self, held: Held) {
        self.lock().push_back(held);
    }

    pub(super) fn take(&self) -> Option<Held> {
        self.lock().pop_front()
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When to stop, where the header says so. What is too far away to be counted is never.
fn deadline(headers: &HeaderMap) -> Result<Option<Instant>, Violation> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(None) };
    let time = value.to_str().ok().and_then(time).ok_or_else(|| {
        let got = shown(&String::from_utf8_lossy(value.as_bytes()));
        Violation::new(
            TIMEOUT,
            format!("got \"{got}\", allowed are one to eight digits and one of H, M, S, m, u, n"),
        )
    })?;
    Ok(Instant::now().checked_add(time))
}

/// Digits and a unit.
fn time(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let digits = Some(digits).filter(|d| d.len() <= 8 && d.bytes().all(|b| b.is_ascii_digit()))?;
    let count = digits.parse::<u32>().ok()?;
    let unit = match unit {
        "H" => Duration::from_secs(3600),
        "M" => Duration::from_secs(60),
        "S" => Duration::from_secs(1),
        "m" => Duration::from_millis(1),
        "u" => Duration::from_micros(1),
        "n" => Duration::from_nanos(1),
        _ => return None,
    };
    Some(unit.saturating_mul(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_from_the_header_and_nonsense_is_refused() {
        let read = |text: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(TIMEOUT, http::HeaderValue::from_bytes(text).unwrap());
            deadline(&headers).map(|d| d.map(|d| d.saturating_duration_since(Instant::now())))
        };
        let within = |text: &[u8]| read(text).unwrap().unwrap();
        assert!(within(b"10S") <= Duration::from_secs(10));
        assert!(within(b"10S") > Duration::from_secs(9));
        assert!(within(b"99999999n") < Duration::from_millis(101));
        assert!(within(b"99999999H") > Duration::from_secs(1 << 30));
        assert_eq!(deadline(&HeaderMap::new()), Ok(None));
        for nonsense in ["", "S", "10", "10x", "-1S", "+1S", "1.5S", "99999999999H", "999999999n", "10\u{b5}"]
        {
            assert_eq!(read(nonsense.as_bytes()).unwrap_err().field, TIMEOUT, "{nonsense}");
        }
    }
}
