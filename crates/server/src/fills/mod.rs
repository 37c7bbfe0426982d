//! Adversarial fills: found once for all who ask for the same at the same time, and kept for a while.
//!
//! A search costs as much as an explanation, and several methods explain one picture over the same fill. What is found is
//! a function of the picture in the model's frame, the model, the parameters and the seed, so that sharing never changes
//! an answer. Nothing is written anywhere but into memory.

mod flight;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use unmask_core::{ModelSpec, Tensor};
use unmask_explainer::fill::adversarial::{Sample, Search};
use unmask_pool::{Cancel, Meter};

use crate::error::RequestError;
use crate::run::Caller;
use flight::{Board, Keep};

/// What a search is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Nobody learns from how fast an answer comes what another tenant has asked for.
    tenant: String,
    picture: String,
    model: String,
    search: String,
    seed: u64,
}

/// What a search found, and what it cost.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) sample: Sample,
    pub(crate) meter: Meter,
}

/// Who ran the passes of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paid {
    /// This request.
    Here,
    /// Another request, at the same time.
    Shared,
    /// An earlier request.
    Cached,
}

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Bytes; 0 keeps nothing.
    pub(crate) max_bytes: u64,
    /// From the moment when a fill was made.
    pub(crate) ttl: Duration,
}

/// The fills that are being searched for and those that are kept.
pub(crate) struct Fills {
    searches: Shared<Key, Found>,
}

impl Key {
    pub(crate) fn new(tenant: &str, image: &Tensor, spec: &ModelSpec, search: &Search, seed: u64) -> Self {
        Self {
            tenant: tenant.to_owned(),
            picture: digest(image),
            // The name as well: two manifests may read one file differently.
            model: format!("{} {}", spec.id(), spec.digest),
            // Numbers are written with as many digits as tell them apart.
            search: format!("{search:?}"),
            seed,
        }
    }
}

/// SHA-256 of a picture in the model's units.
pub(crate) fn digest(image: &Tensor) -> String {
    let bytes: Vec<u8> = image.data().iter().flat_map(|v| v.to_le_bytes()).collect();
    unmask_registry::sha256(&bytes)
}

impl Found {
    fn bytes(&self) -> usize {
        let logits = self.sample.before.len() + self.sample.after.len();
        size_of::<Key>() + size_of::<Self>() + 4 * (self.sample.tensor.data().len() + logits)
    }
}

impl Fills {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { searches: Shared::new(policy, Found::bytes) }
    }

    /// The fill of `key`: kept, waited for, or searched for now by `run`, which ends when its `Cancel` says so.
    pub(crate) fn get(
        &self,
        key: &Key,
        caller: &Caller,
        run: impl FnOnce(Cancel) -> Result<Found, RequestError> + Send + 'static,
    ) -> Result<(Arc<Found>, Paid), RequestError> {
        self.searches.get(key, caller, run)
    }
}

/// Values that are made once for all who ask, and kept under a policy.
struct Shared<K, T> {
    board: Arc<Board<K, T>>,
    kept: Option<Cache<K, Arc<T>>>,
    keep: Arc<Keep<K, T>>,
}

impl<K, T> Shared<K, T>
where
    K: std::hash::Hash + Eq + Clone + Send + Sync + 'static,
    T: Send + Sync + 'static,
{
    fn new(policy: Policy, bytes: fn(&T) -> usize) -> Self {
        let kept: Option<Cache<K, Arc<T>>> = (policy.max_bytes > 0).then(|| {
            Cache::builder()
                .max_capacity(policy.max_bytes)
                .weigher(move |_: &K, value: &Arc<T>| u32::try_from(bytes(value)).unwrap_or(u32::MAX))
                .eviction_policy(EvictionPolicy::lru())
                .time_to_live(policy.ttl)
                .build()
        });
        let store = kept.clone();
        let keep = move |key: &K, value: &Arc<T>| {
            if let Some(store) = &store {
                store.insert(key.clone(), Arc::clone(value));
                // The bound holds at once and not when the store next finds time.
                store.run_pending_tasks();
            }
        };
        Self { board: Arc::default(), kept, keep: Arc::new(keep) }
    }

    fn get(
        &self,
        key: &K,
        caller: &Caller,
        run: impl FnOnce(Cancel) -> Result<T, RequestError> + Send + 'static,
    ) -> Result<(Arc<T>, Paid), RequestError> {
        let kept = || self.kept.as_ref().and_then(|store| store.get(key));
        let seat = match self.board.join(key, kept, &self.keep, run) {
            Ok(seat) => seat,
            Err(kept) => return Ok((kept, Paid::Cached)),
        };
        let paid = if seat.first { Paid::Here } else { Paid::Shared };
        Ok((seat.wait(&caller.cancel, caller.deadline)?, paid))
    }
}
