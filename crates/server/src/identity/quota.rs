//! Passes a second of one tenant: a bucket that fills at a steady rate and holds a burst (the token bucket of RFC 2697).
//!
//! A request takes what it announces and may leave the bucket in debt, so that one that is larger than the burst can be asked
//! for; the next one then waits until the debt is paid. Of a request that is answered, what was
//! announced and not run comes back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) struct Quota {
    rate: f64,
    burst: f64,
    level: Mutex<Level>,
}

struct Level {
    passes: f64,
    at: Instant,
}

/// Passes that were taken; dropping it gives back those that were not run.
pub(crate) struct Charge {
    quota: Arc<Quota>,
    left: u64,
}

impl Quota {
    /// A full bucket.
    pub(super) fn new(rate: f64, burst: f64) -> Self {
        Self { rate, burst, level: Mutex::new(Level { passes: burst, at: Instant::now() }) }
    }

    /// Takes so many passes, or says when there are some again.
    pub(super) fn take(self: &Arc<Self>, passes: u64) -> Result<Charge, Duration> {
        self.take_at(passes, Instant::now())?;
        Ok(Charge { quota: Arc::clone(self), left: passes })
    }

    fn take_at(&self, passes: u64, now: Instant) -> Result<(), Duration> {
        let mut level = self.filled(now);
        let needed = (passes as f64).min(self.burst);
        if level.passes < needed {
            return Err(Duration::from_secs_f64((needed - level.passes) / self.rate));
        }
        level.passes -= passes as f64;
        Ok(())
    }

    fn filled(&self, now: Instant) -> MutexGuard<'_, Level> {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(level.at).as_secs_f64();
        level.passes = (level.passes + passed * self.rate).min(self.burst);
        level.at = level.at.max(now);
        level
    }
}

impl Charge {
    /// So many of them were run.
    pub(crate) fn spend(&mut self, passes: u64) {
        self.left = self.left.saturating_sub(passes);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut level = self.quota.filled(Instant::now());
        level.passes = (level.passes + self.left as f64).min(self.quota.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_at_its_rate_up_to_its_burst() {
        let (quota, start) = (Quota::new(100.0, 300.0), Instant::now());
        let after = |seconds: f64| start + Duration::from_secs_f64(seconds);
        quota.take_at(300, after(0.0)).unwrap();
        assert_eq!(quota.take_at(50, after(0.0)), Err(Duration::from_millis(500)));
        quota.take_at(50, after(0.6)).unwrap();
        // A long pause fills it once and not twice.
        quota.take_at(300, after(60.0)).unwrap();
        assert!(quota.take_at(1, after(60.0)).is_err());
    }

    #[test]
    fn a_request_beyond_the_burst_is_taken_from_a_full_bucket_and_paid_off() {
        let (quota, start) = (Quota::new(100.0, 300.0), Instant::now());
        quota.take_at(1000, start).unwrap();
        assert_eq!(quota.take_at(100, start), Err(Duration::from_secs(8)));
        quota.take_at(100, start + Duration::from_secs(8)).unwrap();
    }

    #[test]
    fn what_was_not_run_comes_back() {
        let quota = Arc::new(Quota::new(1.0, 1000.0));
        let mut charge = quota.take(1000).unwrap();
        charge.spend(300);
        assert!(quota.take(600).is_err());
        drop(charge);
        drop(quota.take(700).unwrap());
        assert!(quota.take(900).is_err());
    }
}
