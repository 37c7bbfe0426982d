//! How long before a client's deadline its explanation ends, so that the answer still arrives: learnt from how long others took
//! from the end of their rounds until they were answered. Nothing here looks at a clock.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is taken for the longest way of an answer before there was one.
const FIRST: Duration = Duration::from_millis(40);
/// What is left of a long way after each answer that took less: a moment in which the machine stood still is forgotten after a few
/// dozen answers, and an idle server forgets nothing.
const KEPT: f64 = 0.95;
/// How much longer than the longest an answer may take.
const TIMES: u32 = 2;
/// For what is not seen here: the encoding of the message and its way to the client.
const SPARE: Duration = Duration::from_millis(20);

/// The longest ways of late, shared by all explanations.
pub(super) struct Margin(Mutex<Duration>);

impl Default for Margin {
    fn default() -> Self {
        Self(Mutex::new(FIRST))
    }
}

impl Margin {
    /// When an explanation that is taken up now has to end for a client that waits until `deadline`: never later than half-way.
    pub(super) fn before(&self, deadline: Instant, now: Instant) -> Instant {
        let left = deadline.saturating_duration_since(now);
        let margin = self.peak().saturating_mul(TIMES).saturating_add(SPARE);
        // A deadline lies at least as far behind the clock's beginning as it is away.
        deadline.checked_sub(margin.min(left / 2)).unwrap_or(deadline)
    }

    /// An explanation was answered so long after it might have asked for nothing more.
    pub(super) fn learn(&self, took: Duration) {
        let mut peak = self.peak();
        *peak = took.max(peak.mul_f64(KEPT));
    }

    fn peak(&self) -> MutexGuard<'_, Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long an answer took after its rounds had ended, or after they were to end where they did so later; nothing where it had none.
pub(super) fn took(ended: Option<Instant>, soft: Option<Instant>, now: Instant) -> Option<Duration> {
    let ended = ended?;
    let from = soft.map_or(ended, |soft| soft.min(ended));
    Some(now.saturating_duration_since(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// How long before a deadline that is so far away.
    fn margin(margin: &Margin, left: Duration) -> Duration {
        let now = Instant::now();
        let deadline = now + left;
        deadline - margin.before(deadline, now)
    }

    #[test]
    fn the_margin_is_twice_the_longest_way_of_an_answer_and_some_more() {
        let learnt = Margin::default();
        assert_eq!(margin(&learnt, 5000 * MS), 100 * MS, "before anything was learnt");
        learnt.learn(300 * MS);
        assert_eq!(margin(&learnt, 5000 * MS), 620 * MS);
        learnt.learn(10 * MS);
        assert_eq!(margin(&learnt, 5000 * MS), 590 * MS, "one that was fast says little");
    }

    #[test]
    fn one_bad_moment_is_forgotten_and_good_ones_lead_to_the_least() {
        let learnt = Margin::default();
        learnt.learn(10_000 * MS);
        (0..150).for_each(|_| learnt.learn(5 * MS));
        assert_eq!(margin(&learnt, 5000 * MS), 30 * MS);
    }

    #[test]
    fn whoever_has_little_time_keeps_half_of_it_and_whoever_is_late_has_none() {
        let learnt = Margin::default();
        assert_eq!(margin(&learnt, 50 * MS), 25 * MS);
        assert_eq!(margin(&learnt, Duration::ZERO), Duration::ZERO);
        learnt.learn(Duration::MAX);
        assert_eq!(margin(&learnt, 1000 * MS), 500 * MS);
        learnt.learn(Duration::ZERO);
        assert_eq!(margin(&learnt, 1000 * MS), 500 * MS);
    }

    #[test]
    fn the_way_of_an_answer_begins_where_its_rounds_end_or_were_to_end() {
        let soft = Instant::now();
        let at = |after: u32| soft + after * MS;
        assert_eq!(took(Some(at(0)), None, at(30)), Some(30 * MS));
        assert_eq!(took(Some(at(10)), Some(soft), at(30)), Some(30 * MS), "the last round was late");
        assert_eq!(took(Some(at(10)), Some(at(20)), at(30)), Some(20 * MS), "it was done before");
        assert_eq!(took(None, Some(soft), at(30)), None);
    }
}
