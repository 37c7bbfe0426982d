//! How many requests are worked on at the same time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::RequestError;

/// A fixed number of places, global and not per connection. Nobody waits for one: a full server says so at once.
#[derive(Clone)]
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    limit: usize,
}

impl Admission {
    pub(crate) fn new(limit: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(limit)), limit }
    }

    /// A place that is not needed, or `None` where fewer than half are free: a long stream leaves room for others.
    pub(crate) fn spare(&self) -> Option<OwnedSemaphorePermit> {
        let free = self.places.available_permits();
        (2 * free > self.limit).then(|| Arc::clone(&self.places).try_acquire_owned().ok()).flatten()
    }

    /// A place, held until the permit is dropped.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, RequestError> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| RequestError::Full { jobs: self.limit })
    }
}
