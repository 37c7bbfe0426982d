//! How a request whose client has gone ends its jobs.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::answers::Answers;

/// Ends jobs from elsewhere. Clones end the same jobs.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    cancelled: bool,
    jobs: Vec<Weak<Answers>>,
}

impl Cancel {
    /// Whoever waits for scores of the jobs gets [`unmask_core::ForwardError::Cancelled`], now or when it starts to
    /// wait; passes that have not started never do.
    pub fn cancel(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.cancelled = true;
        state.jobs.drain(..).filter_map(|job| job.upgrade()).for_each(|job| job.cancel());
    }

    /// Ends this job too, at once if the request has already gone.
    pub(crate) fn watch(&self, job: &Arc<Answers>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.cancelled {
            job.cancel();
        } else {
            state.jobs.push(Arc::downgrade(job));
        }
    }
}
