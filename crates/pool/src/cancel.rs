//! How a request ends its jobs from elsewhere: because its client has gone, or with what they have.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::answers::Answers;

/// Ends jobs from elsewhere. Clones end the same jobs.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    cancelled: bool,
    hurried: bool,
    watchers: Vec<Weak<dyn Watcher>>,
}

/// Somebody who has to know at once that a request has ended. It is called without any lock of [`Cancel`]'s.
pub trait Watcher: Send + Sync {
    /// The request has ended.
    fn cancelled(&self);

    /// The request ends with what it has, where it can.
    fn hurried(&self) {}
}

impl Watcher for Answers {
    fn cancelled(&self) {
        self.cancel();
    }

    fn hurried(&self) {
        self.hurry();
    }
}

impl Cancel {
    /// Whoever waits for scores of the jobs gets [`unmask_core::ForwardError::Cancelled`], now or when it starts to
    /// wait; passes that have not started never do.
    pub fn cancel(&self) {
        let watchers = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.cancelled = true;
            std::mem::take(&mut state.watchers)
        };
        watchers.iter().filter_map(Weak::upgrade).for_each(|watcher| watcher.cancelled());
    }

    /// The jobs end as if their deadline had come, now or when they begin.
    pub fn hurry(&self) {
        let watchers = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.hurried = true;
            state.watchers.clone()
        };
        watchers.iter().filter_map(Weak::upgrade).for_each(|watcher| watcher.hurried());
    }

    /// Whether the jobs end with what they have.
    pub fn is_hurried(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).hurried
    }

    /// Whether the request has ended.
    pub fn is_cancelled(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).cancelled
    }

    /// Tells this one too, at once if the request has already ended. It is not kept alive.
    pub fn watch(&self, watcher: Arc<dyn Watcher>) {
        let (cancelled, hurried) = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !state.cancelled {
                state.watchers.push(Arc::downgrade(&watcher));
            }
            (state.cancelled, state.hurried)
        };
        if hurried {
            watcher.hurried();
        }
        if cancelled {
            watcher.cancelled();
        }
    }
}
