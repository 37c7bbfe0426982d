//! How many requests are worked on at the same time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::RequestError;

/// A fixed number of places, global and not per connection. A request does not wait for one: a full server says so at once.
/// The pictures of datasets wait, and have at most half of the places, so that a long stream leaves room for others.
#[derive(Clone)]
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    pictures: Arc<Semaphore>,
    limit: usize,
}

/// A place, held until it is dropped.
pub(crate) struct Place {
    _place: OwnedSemaphorePermit,
    _picture: Option<OwnedSemaphorePermit>,
}

impl Admission {
    pub(crate) fn new(limit: usize) -> Self {
        let pictures = Arc::new(Semaphore::new(limit.div_ceil(2)));
        Self { places: Arc::new(Semaphore::new(limit)), pictures, limit }
    }

    /// A place for a request.
    pub(crate) fn enter(&self) -> Result<Place, RequestError> {
        let full = |_| RequestError::Full { jobs: self.limit };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(full)?;
        Ok(Place { _place: place, _picture: None })
    }

    /// A place for a picture of a dataset, when there is one.
    pub(crate) async fn picture(&self) -> Result<Place, RequestError> {
        let full = |_| RequestError::Full { jobs: self.limit };
        let picture = Arc::clone(&self.pictures).acquire_owned().await.map_err(full)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(full)?;
        Ok(Place { _place: place, _picture: Some(picture) })
    }
}
