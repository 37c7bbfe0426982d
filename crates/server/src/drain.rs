//! How a server goes down: it serves, then takes nothing new and finishes what it has, then is over for whoever is left.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Where a server is on its way down. It never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// Nothing new is taken.
    Draining,
    /// What is left is told that it gets no answer.
    Over,
}

/// The way down, shared by all who have to know.
#[derive(Clone)]
pub(crate) struct Drain(Arc<Shared>);

struct Shared {
    phase: watch::Sender<Phase>,
    /// When it is over, known as soon as it drains.
    end: OnceLock<Instant>,
}

impl Default for Drain {
    fn default() -> Self {
        Self(Arc::new(Shared { phase: watch::Sender::new(Phase::Serving), end: OnceLock::new() }))
    }
}

impl Drain {
    /// Serving to draining; what is left has this time.
    pub(crate) fn begin(&self, grace: Duration) {
        // It begins once. What is too far away to be counted is never.
        let _ = Instant::now().checked_add(grace).map(|end| self.0.end.set(end));
        self.0
            .phase
            .send_if_modified(|phase| std::mem::replace(phase, (*phase).max(Phase::Draining)) != *phase);
    }

    /// Draining to over.
    pub(crate) fn end(&self) {
        self.0.phase.send_replace(Phase::Over);
    }

    /// When it no longer serves.
    pub(crate) async fn begun(&self) {
        self.reached(Phase::Draining).await;
    }

    /// When it is over.
    pub(crate) async fn over(&self) {
        self.reached(Phase::Over).await;
    }

    /// When it is about to be over: at that moment `before` its end, of which the second moment is now.
    pub(crate) async fn nearly_over(&self, before: impl FnOnce(Instant, Instant) -> Instant) {
        self.begun().await;
        match self.0.end.get() {
            Some(end) => tokio::time::sleep_until(before(*end, Instant::now()).into()).await,
            None => self.over().await,
        }
    }

    async fn reached(&self, phase: Phase) {
        // The sender lives as long as this value.
        let _ = self.0.phase.subscribe().wait_for(|now| *now >= phase).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_server_goes_down_and_never_up() {
        let drain = Drain::default();
        assert!(drain.begun().now_or_never().is_none());
        drain.begin(Duration::MAX);
        drain.begun().await;
        assert!(drain.over().now_or_never().is_none());
        drain.end();
        drain.begin(Duration::ZERO);
        drain.over().await;
        drain.begun().await;
    }

    #[tokio::test]
    async fn it_is_nearly_over_as_soon_as_whoever_asks_needs_the_rest_and_not_before_it_drains() {
        let drain = Drain::default();
        assert!(drain.nearly_over(|_, now| now).now_or_never().is_none());
        drain.begin(Duration::from_secs(3600));
        assert!(drain.nearly_over(|end, _| end).now_or_never().is_none());
        drain.nearly_over(|end, now| now.max(end - Duration::from_secs(3600))).await;
    }
}
