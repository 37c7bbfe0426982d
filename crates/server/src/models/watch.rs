//! Follows the directory of models: a thread that looks when the file system tells of a change, and now and then anyway.
//!
//! Looking now and then is enough: volumes over a network, and volumes in which a link is put in another's place, may tell of
//! nothing. Being told only makes it sooner.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::shelf::Shelf;

/// How long nothing must have changed before it is looked: a copy is many changes.
const QUIET: Duration = Duration::from_millis(200);
/// How long a change waits at most for others to end.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether somebody still holds what no longer serves.
const REAP: Duration = Duration::from_millis(50);

/// Follows the directory until it is dropped, which waits for a look that is under way.
pub(crate) struct Watching {
    tell: SyncSender<Told>,
    thread: Option<JoinHandle<()>>,
}

enum Told {
    Changed,
    Ended,
}

impl Watching {
    pub(super) fn start(shelf: &Arc<Shelf>, poll: Option<Duration>, events: bool) -> std::io::Result<Self> {
        // One that is not taken up yet says as much as many.
        let (tell, told) = sync_channel(1);
        let watcher = if events { watcher(shelf.root(), tell.clone()) } else { None };
        let shelf = Arc::clone(shelf);
        let follow = move || {
            let _watcher = watcher;
            follow(&shelf, poll, &told);
        };
        let thread = Some(std::thread::Builder::new().name("models".to_owned()).spawn(follow)?);
        Ok(Self { tell, thread })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.tell.send(Told::Ended);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watcher(root: &Path, tell: SyncSender<Told>) -> Option<RecommendedWatcher> {
    let changed = move |event: notify::Result<notify::Event>| {
        if is_change(&event) {
            let _ = tell.try_send(Told::Changed);
        }
    };
    let started = notify::recommended_watcher(changed).and_then(|mut watcher| {
        watcher.watch(root, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    started
        .inspect_err(
            |error| tracing::warn!(%error, "changes of models are only seen every models.poll_seconds"),
        )
        .ok()
}

/// Our own reading is no change; an error may hide one.
fn is_change(event: &notify::Result<notify::Event>) -> bool {
    !event.as_ref().is_ok_and(|event| matches!(event.kind, EventKind::Access(_)))
}

fn follow(shelf: &Shelf, poll: Option<Duration>, told: &Receiver<Told>) {
    let next = || poll.map(|poll| Instant::now() + poll);
    let (mut due, mut first_change) = (next(), None);
    loop {
        let held = shelf.reap().then_some(REAP);
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        let wait = [held, left].into_iter().flatten().min().unwrap_or(Duration::MAX);
        match told.recv_timeout(wait) {
            Ok(Told::Ended) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Told::Changed) => {
                let now = Instant::now();
                let first = *first_change.get_or_insert(now);
                due = Some((now + QUIET).min(first + PATIENCE));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if due.is_some_and(|due| Instant::now() >= due) {
            // The log has the reason where it fails.
            let _ = shelf.rescan();
            (due, first_change) = (next(), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind, ModifyKind};
    use notify::{Error, Event};

    use super::*;

    #[test]
    fn our_own_reading_is_no_change_and_an_error_may_hide_one() {
        let is = |kind| is_change(&Ok(Event::new(kind)));
        assert!(!is(EventKind::Access(AccessKind::Any)));
        assert!(is(EventKind::Create(CreateKind::File)) && is(EventKind::Modify(ModifyKind::Any)));
        assert!(is_change(&Err(Error::generic("the queue is full"))));
    }
}
