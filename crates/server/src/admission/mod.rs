//! What may be worked on at the same time, over all connections: bytes, requests, and the passes that they have announced.
//!
//! A message asks for its bytes before it is read, and a request for a place and its price as soon as it is decoded. Nobody
//! waits for either: a full server says so at once. The pictures of datasets wait, and are bulk whoever sends them.

mod bytes;
mod gate;

use self::gate::{Gate, Share};
use crate::config;
use crate::decode::Class;
use crate::error::{RequestError, Shortage};

pub(crate) use self::bytes::{Bytes, Held};

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
    bytes: Bytes,
}

/// A place, held until it is dropped.
pub(crate) struct Place(#[expect(dead_code, reason = "held for its end")] Share);

/// What a price has bought, held until it is dropped.
pub(crate) struct Paid(#[expect(dead_code, reason = "held for its end")] (Share, Held));

impl Admission {
    pub(crate) fn new(limits: &config::Server) -> Self {
        Self {
            places: Gate::new(limits.max_jobs),
            passes: Gate::new(limits.passes()),
            bytes: Bytes::new(limits.max_bytes),
        }
    }

    /// The bytes that messages and pictures may take up.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// A place for a request.
    pub(crate) fn enter(&self, class: Class) -> Result<Place, RequestError> {
        self.places.enter(class, 1).map(Place).ok_or_else(|| Shortage::Places.into())
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
        let bytes = self.bytes.take(price.bytes).ok_or(Shortage::Memory)?;
        Ok(Paid((passes, bytes)))
    }

    /// What a picture of a dataset costs, when it is there.
    pub(crate) async fn buy_for_picture(&self, price: Price) -> Result<Paid, RequestError> {
        let count = self.affordable(Class::Bulk, price)?;
        let passes = self.passes.wait(Class::Bulk, count).await.ok_or(Shortage::Passes)?;
        let bytes = self.bytes.wait(price.bytes).await.ok_or(Shortage::Memory)?;
        Ok(Paid((passes, bytes)))
    }

    /// Whether so much can be had at all.
    pub(crate) fn affordable(&self, class: Class, price: Price) -> Result<u32, RequestError> {
        let most = self.passes.most(class);
        match u32::try_from(price.passes) {
            Ok(count) if count <= most => Ok(count),
            Ok(_) | Err(_) => Err(RequestError::TooDear { announced: price.passes, most: most.into() }),
        }
    }
}
