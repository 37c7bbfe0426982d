//! What is known of a request before its message is read, and what its messages hold.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;

use crate::admission::Held;
use crate::identity::Identity;

/// Travels with a request in its extensions. A call in this process has none, and is its owner's.
#[derive(Clone, Default)]
pub(crate) struct Arrival {
    pub(crate) identity: Identity,
    /// When the client waits no longer.
    pub(crate) deadline: Option<Instant>,
    messages: Messages,
}

/// The bytes of messages that have been let in and that nobody has taken up yet, in their order.
#[derive(Clone, Default)]
pub(crate) struct Messages(Arc<Mutex<VecDeque<Held>>>);

impl Arrival {
    pub(super) fn new(identity: Identity, headers: &HeaderMap, messages: Messages) -> Self {
        Self { identity, deadline: deadline(headers), messages }
    }

    /// Of a call in this process, which may have a deadline as well.
    pub(crate) fn in_process(headers: &HeaderMap) -> Self {
        Self { deadline: deadline(headers), ..Self::default() }
    }

    /// What the next message holds, for whoever works on it.
    pub(crate) fn message(&self) -> Option<Held> {
        self.messages.lock().pop_front()
    }
}

impl Messages {
    pub(super) fn push(&self, held: Held) {
        self.lock().push_back(held);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When to stop, from the `grpc-timeout` header: at most eight digits and a unit.
fn deadline(headers: &HeaderMap) -> Option<Instant> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
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
    Instant::now().checked_add(unit.checked_mul(count)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_from_the_header_and_nonsense_is_none() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            deadline(&headers).map(|d| d.saturating_duration_since(Instant::now()))
        };
        assert!(read("10S").unwrap() <= Duration::from_secs(10));
        assert!(read("10S").unwrap() > Duration::from_secs(9));
        assert!(read("99999999n").unwrap() < Duration::from_millis(101));
        for nonsense in ["", "S", "10", "10x", "-1S", "+1S", "99999999999H", "999999999n"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
