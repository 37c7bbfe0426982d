//! Memory that clients cause to be used: messages while they are read and worked on, pictures while they are worked on.

use super::gate::{Gate, Share};
use crate::decode::Class;

/// The grain in which bytes are counted, so that any amount fits into the count of a gate.
const GRAIN: u64 = 1 << 10;

/// So many bytes, shared by all.
#[derive(Clone)]
pub(crate) struct Bytes(Gate);

impl Bytes {
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Gate::new(grains(bytes)))
    }

    /// Whether a request of this class can ever have so many.
    pub(crate) fn could_hold(&self, class: Class, bytes: u64) -> bool {
        grains(bytes) <= self.0.most(class)
    }

    /// All there are.
    pub(crate) fn limit(&self) -> u64 {
        u64::from(self.0.limit()) * GRAIN
    }

    /// So many bytes, at once or not at all.
    pub(crate) fn take(&self, class: Class, bytes: u64) -> Option<Share> {
        self.0.enter(class, grains(bytes))
    }

    /// So many bytes, as soon as they are free. `None` where they never can be.
    pub(crate) async fn wait(&self, class: Class, bytes: u64) -> Option<Share> {
        self.0.wait(class, grains(bytes)).await
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
        let (bytes, urgent) = (Bytes::new(4 << 10), Class::Interactive);
        let held = bytes.take(urgent, 3000).unwrap();
        assert!(bytes.take(urgent, 1025).is_none());
        assert!(bytes.take(urgent, 1024).is_some());
        drop(held);
        assert!(bytes.take(urgent, 4096).is_some());
        assert!(bytes.wait(urgent, 4097).await.is_none());
        assert!(bytes.wait(Class::Bulk, u64::MAX).await.is_none());
    }
}
