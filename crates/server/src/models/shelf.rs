//! What serves now, and how that follows the directory of models.
//!
//! Readers take a snapshot and hold what they found; whatever replaces it is prepared beside it and put in its place in one
//! step. A version that is replaced or removed is kept here until nobody holds it, so that its sessions are never closed by
//! the thread that happens to let go of them last.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use unmask_pool::{Layout, Served};
use unmask_registry::{Candidate, Place, RegistryError, Stamp};

use super::load::Loader;
use super::lock;
use super::memory::{Memory, Room};
use super::snapshot::{Entry, Snapshot};
use super::version::{Loaded, Look, Refusal, Version};
use crate::config;

pub(super) struct Shelf {
    root: PathBuf,
    /// Of these names no other version is loaded.
    pins: BTreeMap<String, String>,
    loader: Loader,
    memory: Arc<Memory>,
    snapshot: ArcSwap<Snapshot>,
    /// One looks at the directory at a time.
    seen: Mutex<Seen>,
    /// One makes room at a time.
    making: Mutex<()>,
    /// Versions that no longer serve, some of which are still in use.
    retired: Mutex<Vec<Arc<Version>>>,
    requests: AtomicU64,
}

/// What was seen at the last look.
#[derive(Default)]
struct Seen {
    /// Of each version that needs no other look while this stays.
    stamps: BTreeMap<(String, String), Stamp>,
    /// Why nothing was found in the directory.
    missing: Option<String>,
}

impl Seen {
    /// Tells once why nothing was found.
    fn missed(&mut self, reason: String) {
        if self.missing.as_ref() != Some(&reason) {
            tracing::error!(reason, "what serves goes on");
        }
        self.missing = Some(reason);
    }
}

impl Shelf {
    pub(super) fn new(config: &config::Models, loader: Loader) -> Self {
        Self {
            root: config.root.clone(),
            pins: config.pins(),
            loader,
            memory: Arc::new(Memory::new(config.memory_bytes)),
            snapshot: ArcSwap::default(),
            seen: Mutex::default(),
            making: Mutex::default(),
            retired: Mutex::default(),
            requests: AtomicU64::new(0),
        }
    }

    /// Puts a loaded model there that lies nowhere.
    #[cfg(feature = "fuzzing")]
    pub(super) fn plant(&self, served: Served) {
        let spec = (**served.spec()).clone();
        let (name, number) = (spec.name.clone(), spec.version.clone());
        let version = Version::new(spec, String::new(), PathBuf::new(), 0);
        let opened = version.served(|| Ok(Loaded::new(served, self.memory.take(0).ok_or(Refusal::NoRoom)?)));
        let entry = Entry { version: number, live: opened.is_ok().then(|| Arc::new(version)), refused: None };
        self.snapshot.store(Arc::new(Snapshot { names: BTreeMap::from([(name, vec![entry])]) }));
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(super) fn runtime(&self) -> &str {
        self.loader.runtime()
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Warns of names in the configuration that there are no models of.
    pub(super) fn warn_of_strangers(&self) {
        let snapshot = self.snapshot();
        for name in self.loader.named().filter(|name| !snapshot.names.contains_key(*name)) {
            tracing::warn!(model = name, "models.workers names a model that is not there");
        }
        for (name, version) in &self.pins {
            if snapshot.entry(name, version).is_none() {
                tracing::warn!(
                    model = format!("{name}@{version}"),
                    "models.pinned names a version that is not there"
                );
            }
        }
    }

    /// The sessions of a version, which are opened where they are not.
    pub(super) fn served(&self, version: &Version) -> Result<Arc<Served>, Refusal> {
        version.touch(self.requests.fetch_add(1, Ordering::Relaxed) + 1);
        let served = version.served(|| {
            let room = self.room(version.bytes, None)?;
            let candidate = self.loader.read(&version.dir).map_err(|_| Refusal::Changed)?;
            if candidate.print != version.print {
                return Err(Refusal::Changed);
            }
            let log = |refusal: &Refusal| tracing::error!(model = version.spec.id(), ?refusal, "refused");
            self.load(&version.dir, candidate, room).inspect_err(log)
        });
        if matches!(served, Err(Refusal::Changed)) {
            let key = (version.spec.name.clone(), version.spec.version.clone());
            lock(&self.seen).stamps.remove(&key);
        }
        served
    }

    /// Tells of what is loaded, those that are still in use included.
    pub(super) fn loaded(&self, mut see: impl FnMut(&Served)) {
        let retired = lock(&self.retired).clone();
        let snapshot = self.snapshot();
        for version in snapshot.entries().filter_map(|entry| entry.live.as_ref()).chain(&retired) {
            version.look(|look| match look {
                Look::Loaded(served) => see(served),
                Look::NotLoaded | Look::Failed(_) => {}
            });
        }
    }

    /// Passes of models that have been unloaded.
    pub(super) fn past_passes(&self) -> u64 {
        self.memory.passes()
    }

    /// Looks at the directory and serves what is there now. A directory that cannot be read, or in which there is no bundle any
    /// more, changes nothing.
    pub(super) fn rescan(&self) -> Result<(), RegistryError> {
        let mut seen = lock(&self.seen);
        let places =
            unmask_registry::places(&self.root).inspect_err(|error| seen.missed(error.to_string()))?;
        let (before, mut after, mut stamps) = (self.snapshot(), Snapshot::default(), BTreeMap::new());
        // A volume that has gone leaves an empty directory behind.
        if places.is_empty() && before.entries().any(Entry::serves) {
            seen.missed(format!("{} holds no bundle any more", self.root.display()));
            return Ok(());
        }
        seen.missing = None;
        for Place { name, version, dir } in places {
            if self.pins.get(&name).is_some_and(|pinned| *pinned != version && !version.is_empty()) {
                continue;
            }
            let key = (name, version);
            let (name, version) = (&key.0, &key.1);
            let old = before.entry(name, version);
            let mut entries = Vec::new();
            let entry = match dir {
                Err(error) => {
                    // A name that cannot be listed for once loses nothing.
                    let known = before.names.get(name).into_iter().flatten();
                    entries.extend(known.filter(|entry| !entry.version.is_empty()).cloned());
                    Entry { version: version.clone(), live: None, refused: Some(error.reason()) }
                }
                Ok(dir) => {
                    let stamp = Stamp::of(&dir);
                    let (entry, settled) = match old {
                        Some(old) if seen.stamps.get(&key) == Some(&stamp) => (old.clone(), true),
                        Some(_) | None => self.renew(version, &dir, old),
                    };
                    if settled {
                        stamps.insert(key.clone(), stamp);
                    }
                    entry
                }
            };
            tell(name, old, &entry);
            entries.push(entry);
            after.names.entry(name.clone()).or_default().extend(entries);
        }
        seen.stamps = stamps;
        self.publish(&before, after);
        drop((before, seen));
        self.reap();
        Ok(())
    }

    /// What becomes of a version whose files are new or have changed, and whether that stands while they stay as they are.
    fn renew(&self, version: &str, dir: &Path, old: Option<&Entry>) -> (Entry, bool) {
        let live = old.and_then(|old| old.live.as_ref());
        let open = live.filter(|live| live.is_open());
        let serves = |live| Entry { version: version.to_owned(), live: Some(live), refused: None };
        // What is loaded goes on; what is not could not be loaded from these files.
        let refused =
            |reason| Entry { version: version.to_owned(), live: open.cloned(), refused: Some(reason) };

        let candidate = match self.loader.read(dir) {
            Ok(candidate) => candidate,
            Err(error) => {
                self.loader.refused();
                return (refused(error.reason()), true);
            }
        };
        let same = |live: &&Arc<Version>| live.print == candidate.print && !live.has_failed();
        if let Some(live) = live.filter(same) {
            return (serves(Arc::clone(live)), true);
        }
        let bytes = self.loader.estimate(&candidate);
        if !self.memory.could_hold(bytes) {
            self.loader.refused();
            let limit = self.memory.limit.unwrap_or_default();
            let reason = format!(
                "it needs about {bytes} bytes of memory, models.memory_bytes is {limit}: raise it, or give the model \
                 fewer workers in models.workers"
            );
            return (refused(reason), true);
        }
        let print = candidate.print.clone();
        let new = Version::new(candidate.spec.clone(), print, dir.to_owned(), bytes);
        let eager = match (self.memory.limit, open) {
            (None, _) => true,
            (Some(_), None) => false,
            // Where there is never room for both, the new files have to stand without a proof.
            (Some(_), Some(open)) => self.memory.could_hold(bytes.saturating_add(open.bytes)),
        };
        if !eager {
            // What is opened later has at least run in a process of its own.
            return match self.loader.proven(dir, candidate) {
                Ok(_) => (serves(Arc::new(new)), true),
                Err(reason) => {
                    self.loader.refused();
                    (refused(reason), true)
                }
            };
        }
        match new.served(|| self.load(dir, candidate, self.room(bytes, open)?)) {
            Ok(_) => {
                new.touch(live.map_or(0, |live| live.used()));
                (serves(Arc::new(new)), true)
            }
            Err(Refusal::Failed(reason)) => (refused(reason), true),
            Err(Refusal::NoRoom | Refusal::Changed) => {
                let reason = "there is no room to try the new files while other models are in use; they are tried again";
                (refused(reason.to_owned()), false)
            }
        }
    }

    fn load(&self, dir: &Path, candidate: Candidate, room: Room) -> Result<Loaded, Refusal> {
        let id = candidate.spec.id();
        let served = self.loader.load_one(dir, candidate).map_err(Refusal::Failed)?;
        let Layout { workers, threads, batch } = served.layout();
        let sha256 = &served.spec().digest;
        tracing::info!(model = id, sha256, workers, threads, batch, memory_bytes = room.bytes(), "loaded");
        Ok(Loaded::new(served, room))
    }

    /// Room for so many bytes, for which the least recently used models that nobody holds are unloaded, all but `kept`.
    /// None is unloaded where that would not be enough.
    fn room(&self, bytes: u64, kept: Option<&Arc<Version>>) -> Result<Room, Refusal> {
        let _one = lock(&self.making);
        loop {
            self.reap();
            if let Some(room) = self.memory.take(bytes) {
                return Ok(room);
            }
            let snapshot = self.snapshot();
            // What no longer lies on the disk could not be loaded again.
            let entries = snapshot.entries().filter(|entry| entry.refused.is_none());
            let mut idle: Vec<_> = entries.filter_map(|entry| entry.live.as_ref()).collect();
            idle.retain(|version| version.is_idle() && !kept.is_some_and(|kept| Arc::ptr_eq(kept, version)));
            idle.sort_by_key(|version| version.used());
            if idle.iter().map(|version| version.bytes).sum::<u64>() < self.memory.missing(bytes) {
                return Err(Refusal::NoRoom);
            }
            for version in idle {
                if self.memory.missing(bytes) == 0 {
                    break;
                }
                // Somebody may have come to hold it meanwhile; then it is looked around again.
                if let Some(loaded) = version.evict() {
                    tracing::info!(model = version.spec.id(), "unloaded to make room");
                    drop(loaded);
                }
            }
        }
    }

    /// Puts `after` in the place of `before`. What is in neither hand any more is retired.
    fn publish(&self, before: &Snapshot, after: Snapshot) {
        let stays = |version: &Arc<Version>| {
            after.entries().filter_map(|entry| entry.live.as_ref()).any(|live| Arc::ptr_eq(live, version))
        };
        let gone = before.entries().filter_map(|entry| entry.live.clone()).filter(|version| !stays(version));
        let gone: Vec<_> = gone.collect();
        for (name, entries) in &before.names {
            for entry in entries.iter().filter(|entry| after.entry(name, &entry.version).is_none()) {
                tracing::info!(model = format!("{name}@{}", entry.version), "removed");
            }
        }
        lock(&self.retired).extend(gone);
        self.snapshot.store(Arc::new(after));
    }

    /// Closes what has been retired and is no longer held by anybody. Whether some still is.
    pub(super) fn reap(&self) -> bool {
        let mut retired = lock(&self.retired);
        let free = |version: &mut Arc<Version>| Arc::strong_count(version) == 1 && version.is_at_rest();
        let gone: Vec<_> = retired.extract_if(.., free).collect();
        let left = !retired.is_empty();
        // Closing waits for workers, for which nobody else should wait.
        drop(retired);
        drop(gone);
        left
    }
}

/// Logs what is new about a version.
fn tell(name: &str, old: Option<&Entry>, new: &Entry) {
    let id = format!("{name}@{}", new.version);
    let reason = |entry: &Entry| entry.refused.clone();
    match (&new.refused, &new.live) {
        (Some(said), _) if old.and_then(reason).as_ref() == Some(said) => {}
        (Some(said), None) => tracing::error!(model = id, reason = said, "refused"),
        (Some(said), Some(live)) => {
            let sha256 = &live.spec.digest;
            tracing::error!(
                model = id,
                reason = said,
                sha256,
                "the new files are refused, the old ones serve"
            );
        }
        (None, Some(live)) => {
            let known = old.and_then(|old| old.live.as_ref()).is_some_and(|old| Arc::ptr_eq(old, live));
            if !known {
                tracing::info!(model = id, sha256 = live.spec.digest, "serving");
            }
        }
        (None, None) => {}
    }
}
