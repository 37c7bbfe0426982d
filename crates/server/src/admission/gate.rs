//! A bounded amount of something, shared by all requests, of which the less urgent may use only a part.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::decode::Class;

/// So much of something. Bulk requests together have at most half of it and all but interactive ones at most seven eighths,
/// so that whoever is waited for finds room when a server is full of the rest.
///
/// Whoever waits holds nothing of it meanwhile: a large wish keeps no small one out.
#[derive(Clone)]
pub(super) struct Gate(Arc<Shared>);

struct Shared {
    limit: u32,
    taken: Mutex<Taken>,
    freed: Notify,
    /// Those who wait, one after the other.
    turn: tokio::sync::Mutex<()>,
}

/// What is taken by all, by all but interactive requests, and by bulk ones.
#[derive(Default)]
struct Taken {
    all: u32,
    patient: u32,
    bulk: u32,
}

/// A share of a [`Gate`], held until it is dropped.
pub(crate) struct Share {
    gate: Gate,
    class: Class,
    count: u32,
}

impl Gate {
    pub(super) fn new(limit: u32) -> Self {
        let (taken, freed, turn) = Default::default();
        Self(Arc::new(Shared { limit, taken, freed, turn }))
    }

    pub(super) fn limit(&self) -> u32 {
        self.0.limit
    }

    /// So much of it is taken.
    pub(super) fn taken(&self) -> u32 {
        self.lock().all
    }

    /// The most that a request of this class can ever have.
    pub(super) fn most(&self, class: Class) -> u32 {
        match class {
            Class::Interactive => self.0.limit,
            Class::Normal => patient(self.0.limit),
            Class::Bulk => bulk(self.0.limit),
        }
    }

    /// So much of it, at once or not at all.
    pub(super) fn enter(&self, class: Class, count: u32) -> Option<Share> {
        self.lock().add(class, count, self.0.limit)?;
        Some(Share { gate: self.clone(), class, count })
    }

    /// So much of it, as soon as it is there; in the order of those who wait. `None` where it never can be.
    pub(super) async fn wait(&self, class: Class, count: u32) -> Option<Share> {
        if count > self.most(class) {
            return None;
        }
        let _turn = self.0.turn.lock().await;
        loop {
            let mut freed = std::pin::pin!(self.0.freed.notified());
            // From here on nothing that is freed is missed.
            freed.as_mut().enable();
            if let Some(share) = self.enter(class, count) {
                return Some(share);
            }
            freed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn add(&mut self, class: Class, count: u32, limit: u32) -> Option<()> {
        let more = |taken: u32, most: u32| taken.checked_add(count).filter(|sum| *sum <= most);
        let all = more(self.all, limit)?;
        let patient = match class {
            Class::Interactive => self.patient,
            Class::Normal | Class::Bulk => more(self.patient, patient(limit))?,
        };
        let bulk = match class {
            Class::Interactive | Class::Normal => self.bulk,
            Class::Bulk => more(self.bulk, bulk(limit))?,
        };
        *self = Self { all, patient, bulk };
        Some(())
    }

    fn remove(&mut self, class: Class, count: u32) {
        self.all -= count;
        match class {
            Class::Interactive => {}
            Class::Normal => self.patient -= count,
            Class::Bulk => {
                self.patient -= count;
                self.bulk -= count;
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.gate.lock().remove(self.class, self.count);
        self.gate.0.freed.notify_waiters();
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
    async fn whoever_waits_for_much_is_not_overtaken_by_who_waits_for_little() {
        let gate = Gate::new(16);
        let held = gate.enter(Class::Interactive, 12).unwrap();
        let waiting = [8, 2].map(|count| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.wait(Class::Bulk, count).await })
        });
        tokio::task::yield_now().await;
        // There are two, but another one has waited before.
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
        drop(held);
        for waiting in waiting {
            assert!(waiting.await.unwrap().is_some());
        }
    }

    #[tokio::test]
    async fn whoever_waits_keeps_nobody_out_and_is_let_in_or_told_that_it_never_will() {
        let gate = Gate::new(16);
        assert!(gate.wait(Class::Bulk, 9).await.is_none());
        let held = gate.enter(Class::Interactive, 12).unwrap();
        let waiting = [(); 2].map(|()| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.wait(Class::Bulk, 8).await.is_some() })
        });
        tokio::task::yield_now().await;
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
        let small = gate.enter(Class::Interactive, 4).unwrap();
        drop((held, small));
        for waiting in waiting {
            assert!(waiting.await.unwrap());
        }
        assert!(gate.enter(Class::Interactive, 16).is_some());
    }
}
