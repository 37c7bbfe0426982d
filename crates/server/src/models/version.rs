//! One verified version of a model and its sessions, which are opened once for all who ask for them at the same time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use unmask_core::ModelSpec;
use unmask_pool::Served;

use super::lock;
use super::memory::Room;

/// A version whose files were verified. The files themselves are read again when its sessions are opened.
pub(super) struct Version {
    pub(super) spec: Arc<ModelSpec>,
    /// What tells its files from any others.
    pub(super) print: String,
    pub(super) dir: PathBuf,
    /// Memory that it is expected to take while it is loaded.
    pub(super) bytes: u64,
    slot: Mutex<Slot>,
    /// When it was last asked for, in requests.
    used: AtomicU64,
}

/// Sessions with the memory that they take, which is given back after them.
pub(super) struct Loaded {
    served: Arc<Served>,
    room: Room,
}

enum Slot {
    /// No session is open.
    Empty,
    /// The first who asked opens them, others wait.
    Loading(Arc<Flight>),
    /// They are open.
    Loaded(Loaded),
    /// They could not be opened, and will not be until the files change.
    Failed(String),
}

/// Why there are no sessions.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// The model is at fault.
    Failed(String),
    /// Other models have the memory and are in use.
    NoRoom,
    /// The files are no longer those that were verified.
    Changed,
}

type Outcome = Result<Arc<Served>, Refusal>;

#[derive(Default)]
struct Flight {
    outcome: Mutex<Option<Outcome>>,
    landed: Condvar,
}

/// What is seen of a version without waiting for it.
pub(super) enum Look<'a> {
    Loaded(&'a Served),
    NotLoaded,
    Failed(&'a str),
}

impl Version {
    pub(super) fn new(spec: ModelSpec, print: String, dir: PathBuf, bytes: u64) -> Self {
        let (slot, used) = (Mutex::new(Slot::Empty), AtomicU64::new(0));
        Self { spec: Arc::new(spec), print, dir, bytes, slot, used }
    }

    /// The sessions; `open` opens them where nobody has. All who ask meanwhile get what it comes to.
    pub(super) fn served(&self, open: impl FnOnce() -> Result<Loaded, Refusal>) -> Outcome {
        let flight = {
            let mut slot = lock(&self.slot);
            match &*slot {
                Slot::Loaded(loaded) => return Ok(Arc::clone(&loaded.served)),
                Slot::Failed(reason) => return Err(Refusal::Failed(reason.clone())),
                Slot::Loading(flight) => {
                    let flight = Arc::clone(flight);
                    drop(slot);
                    return flight.wait();
                }
                Slot::Empty => {
                    let flight = Arc::new(Flight::default());
                    *slot = Slot::Loading(Arc::clone(&flight));
                    flight
                }
            }
        };
        // Whoever waits must be answered, whatever happens here.
        let opened = catch_unwind(AssertUnwindSafe(open))
            .unwrap_or_else(|_| Err(Refusal::Failed("a bug of ours: loading it panicked".into())));
        let (next, told) = match opened {
            Ok(loaded) => {
                let served = Arc::clone(&loaded.served);
                (Slot::Loaded(loaded), Ok(served))
            }
            Err(Refusal::Failed(reason)) => (Slot::Failed(reason.clone()), Err(Refusal::Failed(reason))),
            Err(refusal @ (Refusal::NoRoom | Refusal::Changed)) => (Slot::Empty, Err(refusal)),
        };
        *lock(&self.slot) = next;
        flight.land(told.clone());
        told
    }

    /// Shows what there is; nothing else happens to it meanwhile, and nobody comes to hold it.
    pub(super) fn look<T>(&self, see: impl FnOnce(Look<'_>) -> T) -> T {
        match &*lock(&self.slot) {
            Slot::Loaded(loaded) => see(Look::Loaded(&loaded.served)),
            Slot::Empty | Slot::Loading(_) => see(Look::NotLoaded),
            Slot::Failed(reason) => see(Look::Failed(reason)),
        }
    }

    /// Whether it has sessions, or will have them soon.
    pub(super) fn is_open(&self) -> bool {
        match &*lock(&self.slot) {
            Slot::Loaded(_) | Slot::Loading(_) => true,
            Slot::Empty | Slot::Failed(_) => false,
        }
    }

    /// Whether its sessions could not be opened.
    pub(super) fn has_failed(&self) -> bool {
        match &*lock(&self.slot) {
            Slot::Failed(_) => true,
            Slot::Empty | Slot::Loading(_) | Slot::Loaded(_) => false,
        }
    }

    /// Whether it is loaded and nobody holds its sessions.
    pub(super) fn is_idle(&self) -> bool {
        match &*lock(&self.slot) {
            Slot::Loaded(loaded) => Arc::strong_count(&loaded.served) == 1,
            Slot::Empty | Slot::Loading(_) | Slot::Failed(_) => false,
        }
    }

    /// Whether nobody holds its sessions or waits for them.
    pub(super) fn is_at_rest(&self) -> bool {
        self.is_idle() || !self.is_open()
    }

    /// Takes the sessions away, where nobody holds them.
    pub(super) fn evict(&self) -> Option<Loaded> {
        let mut slot = lock(&self.slot);
        match std::mem::replace(&mut *slot, Slot::Empty) {
            Slot::Loaded(loaded) if Arc::strong_count(&loaded.served) == 1 => Some(loaded),
            other @ (Slot::Empty | Slot::Loading(_) | Slot::Loaded(_) | Slot::Failed(_)) => {
                *slot = other;
                None
            }
        }
    }

    pub(super) fn touch(&self, now: u64) {
        self.used.fetch_max(now, Ordering::Relaxed);
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

impl Loaded {
    pub(super) fn new(served: Served, room: Room) -> Self {
        Self { served: Arc::new(served), room }
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        self.room.memory.remember(self.served.passes());
    }
}

impl Flight {
    fn land(&self, outcome: Outcome) {
        *lock(&self.outcome) = Some(outcome);
        self.landed.notify_all();
    }

    fn wait(&self) -> Outcome {
        let mut outcome = lock(&self.outcome);
        loop {
            match &*outcome {
                Some(outcome) => return outcome.clone(),
                None => outcome = self.landed.wait(outcome).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}
