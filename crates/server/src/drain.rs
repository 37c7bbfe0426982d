//! How a server goes down: it serves, then takes nothing new and finishes what it has, then is over for whoever is left.

use std::sync::Arc;

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
pub(crate) struct Drain(Arc<watch::Sender<Phase>>);

impl Default for Drain {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Serving)))
    }
}

impl Drain {
    /// Serving to draining.
    pub(crate) fn begin(&self) {
        self.0.send_if_modified(|phase| std::mem::replace(phase, (*phase).max(Phase::Draining)) != *phase);
    }

    /// Draining to over.
    pub(crate) fn end(&self) {
        self.0.send_replace(Phase::Over);
    }

    /// When it no longer serves.
    pub(crate) async fn begun(&self) {
        self.reached(Phase::Draining).await;
    }

    /// When it is over.
    pub(crate) async fn over(&self) {
        self.reached(Phase::Over).await;
    }

    async fn reached(&self, phase: Phase) {
        // The sender lives as long as this value.
        let _ = self.0.subscribe().wait_for(|now| *now >= phase).await;
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
        drain.begin();
        drain.begun().await;
        assert!(drain.over().now_or_never().is_none());
        drain.end();
        drain.begin();
        drain.over().await;
        drain.begun().await;
    }
}
