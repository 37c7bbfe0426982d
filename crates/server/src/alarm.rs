//! Telling of losses without flooding the log with them.

use std::time::{Duration, Instant};

/// Between two alarms.
const QUIET: Duration = Duration::from_secs(10);

/// Tells at once, then at most every [`QUIET`], of all that has not been told of.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    last: Option<Instant>,
    untold: u64,
}

impl Alarm {
    /// How many losses are to be told of now, this one among them.
    pub(crate) fn ring(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self.last.is_some_and(|last| now.duration_since(last) < QUIET) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_heard_at_once_and_then_tells_of_many_together() {
        let (mut alarm, start) = (Alarm::default(), Instant::now());
        assert_eq!(alarm.ring(start), Some(1));
        assert_eq!(alarm.ring(start + QUIET / 3), None);
        assert_eq!(alarm.ring(start + QUIET / 2), None);
        assert_eq!(alarm.ring(start + QUIET), Some(3));
        assert_eq!(alarm.ring(start + QUIET), None);
    }
}
