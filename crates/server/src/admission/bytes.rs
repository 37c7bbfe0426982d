//! Memory that clients cause to be used: messages while they are read and worked on, pictures while they are decoded.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The grain in which bytes are counted, so that any amount fits into the count of a semaphore.
const GRAIN: u64 = 1 << 10;

/// So many bytes, shared by all.
#[derive(Clone)]
pub(crate) struct Bytes {
    free: Arc<Semaphore>,
    limit: u32,
}

/// Bytes that are held until this is dropped.
pub(crate) struct Held(#[expect(dead_code, reason = "held for its end")] OwnedSemaphorePermit);

impl Bytes {
    pub(crate) fn new(bytes: u64) -> Self {
        let limit = grains(bytes);
        Self { free: Arc::new(Semaphore::new(limit as usize)), limit }
    }

    /// Whether there ever are so many.
    pub(crate) fn could_hold(&self, bytes: u64) -> bool {
        grains(bytes) <= self.limit
    }

    /// All there are.
    pub(crate) fn limit(&self) -> u64 {
        u64::from(self.limit) * GRAIN
    }

    /// So many bytes, at once or not at all.
    pub(crate) fn take(&self, bytes: u64) -> Option<Held> {
        Arc::clone(&self.free).try_acquire_many_owned(grains(bytes)).ok().map(Held)
    }

    /// So many bytes, as soon as they are free. `None` where they never can be.
    pub(crate) async fn wait(&self, bytes: u64) -> Option<Held> {
        if !self.could_hold(bytes) {
            return None;
        }
        Arc::clone(&self.free).acquire_many_owned(grains(bytes)).await.ok().map(Held)
    }
}

fn grains(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(GRAIN)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_are_bounded_and_come_back() {
        let bytes = Bytes::new(4 << 10);
        let held = bytes.take(3000).unwrap();
        assert!(bytes.take(1025).is_none());
        assert!(bytes.take(1024).is_some());
        drop(held);
        assert!(bytes.take(4096).is_some());
        assert!(bytes.wait(4097).await.is_none());
        assert!(bytes.wait(u64::MAX).await.is_none());
    }
}
