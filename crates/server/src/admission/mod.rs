//! What may be worked on at the same time, over all connections: bytes, requests, and the passes that they have announced.
//!
//! A message asks for its bytes before it is read, and a request for a place and its price as soon as it is decoded. Nobody
//! waits for either: a full server says so at once. The pictures of datasets wait, and are bulk whoever sends them. Whoever
//! waits holds only what comes before it in the order message, place, passes, pixels, so that nobody waits in a circle.

mod bytes;
mod gate;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unmask_core::Violation;

use self::gate::Gate;
use crate::config::Config;
use crate::decode::Class;
use crate::error::{RequestError, Shortage};

pub(crate) use self::bytes::Bytes;
pub(crate) use self::gate::Share as Held;

/// What a request takes up until it is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Price {
    /// Passes that it announces at most.
    pub(crate) passes: u64,
    /// Bytes that its pictures take up while they are decoded.
    pub(crate) bytes: u64,
}

/// Everything that is bounded.
#[derive(Clone)]
pub(crate) struct Admission {
    places: Gate,
    passes: Gate,
    messages: Bytes,
    pixels: Bytes,
    beginning: Arc<Semaphore>,
}

/// Datasets and items of `ExplainMany` that begin at the same time: each may have to wait until its model is loaded, on a thread.
const BEGINNING: usize = 4;

/// A place, held until it is dropped.
pub(crate) struct Place(#[expect(dead_code, reason = "held for its end")] Held);

/// What a price has bought, held until it is dropped.
pub(crate) struct Paid(#[expect(dead_code, reason = "held for its end")] (Held, Held));

impl Admission {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            places: Gate::new(config.server.max_jobs),
            passes: Gate::new(config.server.passes()),
            messages: Bytes::new(config.server.max_bytes),
            pixels: Bytes::new(config.image.max_bytes),
            beginning: Arc::new(Semaphore::new(BEGINNING)),
        }
    }

    /// Places that are taken.
    pub(crate) fn places(&self) -> u64 {
        self.places.taken().into()
    }

    /// The bytes that messages may take up.
    pub(crate) fn messages(&self) -> &Bytes {
        &self.messages
    }

    /// A place for a request.
    pub(crate) fn enter(&self, class: Class) -> Result<Place, RequestError> {
        self.places.enter(class, 1).map(Place).ok_or_else(|| Shortage::Places.into())
    }

    /// The turn of a dataset, or of one of many requests, to begin.
    pub(crate) async fn begin(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.beginning).acquire_owned().await.ok()
    }

    /// A place for a picture of a dataset, when there is one.
    pub(crate) async fn picture(&self) -> Result<Place, RequestError> {
        self.places.wait(Class::Bulk, 1).await.map(Place).ok_or_else(|| Shortage::Places.into())
    }

    /// What a request costs.
    ///
    /// # Errors
    /// [`RequestError::TooDear`] for what never can be, [`RequestError::Full`] for what cannot be now.
    pub(crate) fn buy(&self, class: Class, price: Price) -> Result<Paid, RequestError> {
        let count = self.affordable(class, price)?;
        let passes = self.passes.enter(class, count).ok_or(Shortage::Passes)?;
        let bytes = self.pixels.take(class, price.bytes).ok_or(Shortage::Memory)?;
        Ok(Paid((passes, bytes)))
    }

    /// What a picture of a dataset costs, when it is there.
    pub(crate) async fn buy_for_picture(&self, price: Price) -> Result<Paid, RequestError> {
        let count = self.affordable(Class::Bulk, price)?;
        let passes = self.passes.wait(Class::Bulk, count).await.ok_or(Shortage::Passes)?;
        let bytes = self.pixels.wait(Class::Bulk, price.bytes).await.ok_or(Shortage::Memory)?;
        Ok(Paid((passes, bytes)))
    }

    /// Whether so much can be had at all.
    pub(crate) fn affordable(&self, class: Class, price: Price) -> Result<u32, RequestError> {
        if !self.pixels.could_hold(class, price.bytes) {
            let message = format!(
                "takes, with what stands beside it, up to {} bytes, this server has {} for pictures (image.max_bytes) and less for the \
                 less urgent: send a smaller one, or ask for fewer pictures in the answer",
                price.bytes,
                self.pixels.limit()
            );
            return Err(RequestError::Invalid(vec![Violation::new("image", message)]));
        }
        let most = self.passes.most(class);
        match u32::try_from(price.passes) {
            Ok(count) if count <= most => Ok(count),
            Ok(_) | Err(_) => Err(RequestError::TooDear { announced: price.passes, most: most.into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn datasets_begin_in_turn() {
        let admission = Admission::new(&Config::default());
        let mut begun: Vec<_> = (0..BEGINNING).map(|_| admission.begin().now_or_never().unwrap()).collect();
        assert!(admission.begin().now_or_never().is_none());
        begun.pop();
        assert!(admission.begin().now_or_never().unwrap().is_some());
    }
}
