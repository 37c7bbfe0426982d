//! The budget of memory over all loaded models, counted in estimates: what a model takes is known before it is opened.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::lock;

pub(super) struct Memory {
    /// Most bytes; no limit where `None`.
    pub(super) limit: Option<u64>,
    taken: Mutex<u64>,
    /// Passes of models that have been unloaded.
    passes: AtomicU64,
}

/// Bytes that a loaded model takes, given back when it is dropped.
pub(super) struct Room {
    pub(super) memory: Arc<Memory>,
    bytes: u64,
}

impl Memory {
    pub(super) fn new(limit: Option<u64>) -> Self {
        Self { limit, taken: Mutex::new(0), passes: AtomicU64::new(0) }
    }

    /// Whether so many bytes could ever be had.
    pub(super) fn could_hold(&self, bytes: u64) -> bool {
        self.limit.is_none_or(|limit| bytes <= limit)
    }

    /// Bytes that have to be given back before so many can be had.
    pub(super) fn missing(&self, bytes: u64) -> u64 {
        let wanted = lock(&self.taken).saturating_add(bytes);
        self.limit.map_or(0, |limit| wanted.saturating_sub(limit))
    }

    /// So many bytes, where they are free.
    pub(super) fn take(self: &Arc<Self>, bytes: u64) -> Option<Room> {
        let mut taken = lock(&self.taken);
        let wanted = taken.saturating_add(bytes);
        if !self.could_hold(wanted) {
            return None;
        }
        *taken = wanted;
        Some(Room { memory: Arc::clone(self), bytes })
    }

    pub(super) fn remember(&self, passes: u64) {
        self.passes.fetch_add(passes, Ordering::Relaxed);
    }

    pub(super) fn passes(&self) -> u64 {
        self.passes.load(Ordering::Relaxed)
    }
}

impl Room {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut taken = lock(&self.memory.taken);
        *taken = taken.saturating_sub(self.bytes);
    }
}
