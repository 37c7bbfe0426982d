//! A bounded amount of something, shared by all requests, of which the less urgent may use only a part.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::decode::Class;

/// So much of something. Bulk requests together have at most half of it and all but interactive ones at most seven eighths,
/// so that whoever is waited for finds room when a server is full of the rest.
#[derive(Clone)]
pub(super) struct Gate {
    all: Arc<Semaphore>,
    patient: Arc<Semaphore>,
    bulk: Arc<Semaphore>,
    limit: u32,
}

/// A share of a [`Gate`], held until it is dropped.
pub(super) struct Share {
    _held: Vec<OwnedSemaphorePermit>,
}

impl Gate {
    pub(super) fn new(limit: u32) -> Self {
        let semaphore = |count: u32| Arc::new(Semaphore::new(count as usize));
        let all = semaphore(limit);
        Self { all, patient: semaphore(patient(limit)), bulk: semaphore(bulk(limit)), limit }
    }

    /// The most that a request of this class can ever have.
    pub(super) fn most(&self, class: Class) -> u32 {
        match class {
            Class::Interactive => self.limit,
            Class::Normal => patient(self.limit),
            Class::Bulk => bulk(self.limit),
        }
    }

    /// So much of it, at once or not at all.
    pub(super) fn enter(&self, class: Class, count: u32) -> Option<Share> {
        let mut held = Vec::new();
        for semaphore in self.ways(class) {
            held.push(Arc::clone(semaphore).try_acquire_many_owned(count).ok()?);
        }
        Some(Share { _held: held })
    }

    /// So much of it, as soon as it is there; in the order of those who wait. `None` where it never can be.
    pub(super) async fn wait(&self, class: Class, count: u32) -> Option<Share> {
        if count > self.most(class) {
            return None;
        }
        let mut held = Vec::new();
        // Always from the narrowest, so that whoever waits for the widest holds no other's way shut.
        for semaphore in self.ways(class) {
            held.push(Arc::clone(semaphore).acquire_many_owned(count).await.ok()?);
        }
        Some(Share { _held: held })
    }

    /// What a request of this class passes through, the narrowest first.
    fn ways(&self, class: Class) -> impl Iterator<Item = &Arc<Semaphore>> {
        let (bulk, patient) = match class {
            Class::Interactive => (None, None),
            Class::Normal => (None, Some(&self.patient)),
            Class::Bulk => (Some(&self.bulk), Some(&self.patient)),
        };
        bulk.into_iter().chain(patient).chain([&self.all])
    }
}

/// The part of those for whom nobody waits at this moment.
fn patient(limit: u32) -> u32 {
    limit - limit / 8
}

fn bulk(limit: u32) -> u32 {
    limit.div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_less_urgent_leave_room_for_the_more_urgent() {
        let gate = Gate::new(16);
        let most = [Class::Interactive, Class::Normal, Class::Bulk].map(|class| gate.most(class));
        assert_eq!(most, [16, 14, 8]);
        let bulk = gate.enter(Class::Bulk, 8).unwrap();
        assert!(gate.enter(Class::Bulk, 1).is_none());
        let normal = gate.enter(Class::Normal, 6).unwrap();
        assert!(gate.enter(Class::Normal, 1).is_none());
        let interactive = gate.enter(Class::Interactive, 2).unwrap();
        assert!(gate.enter(Class::Interactive, 1).is_none());
        // What was tried in vain is not kept.
        drop(bulk);
        assert!(gate.enter(Class::Bulk, 9).is_none());
        assert!(gate.enter(Class::Bulk, 8).is_some());
        drop((normal, interactive));
        assert!(gate.enter(Class::Interactive, 16).is_some());
    }

    #[test]
    fn a_small_gate_is_open_to_everybody() {
        for class in [Class::Interactive, Class::Normal, Class::Bulk] {
            assert!(Gate::new(1).enter(class, 1).is_some());
        }
    }

    #[tokio::test]
    async fn whoever_waits_is_let_in_and_whoever_never_can_be_is_told() {
        let gate = Gate::new(4);
        assert!(gate.wait(Class::Bulk, 3).await.is_none());
        let held = gate.enter(Class::Interactive, 4).unwrap();
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.wait(Class::Bulk, 2).await.is_some() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        assert!(waiting.await.unwrap());
        assert!(gate.enter(Class::Interactive, 4).is_some());
    }
}
