//! Locks of the queue and of the answers: the standard library's, or loom's where their interleavings are explored.

#[cfg(feature = "loom")]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(feature = "loom"))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

use std::sync::{LockResult, PoisonError};

/// Nothing that can panic runs under these locks, so a poisoned one still guards whole data.
pub(crate) fn unpoisoned<T>(result: LockResult<T>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}
