//! What a caller is shown while its explanation runs: the newest, however slowly it reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use unmask_core::{LabelMap, Map, Reading};
use unmask_explainer::image::Frame;
use unmask_explainer::methods::{Errors, Figures};
use unmask_explainer::segment::Ranked;

/// Where a running explanation leaves its news. What is not read is replaced by what is newer, so that it never grows.
pub(crate) struct Live {
    every: Duration,
    began: Instant,
    shown: Mutex<Shown>,
    news: Notify,
}

#[derive(Default)]
struct Shown {
    /// When the last map was shown.
    mapped: Option<Instant>,
    /// The passes that will be needed, where that is known better than from what was announced.
    expected: Option<u64>,
    progress: Option<Progress>,
    partial: Option<Box<Partial>>,
}

/// Something new.
pub(crate) enum News {
    Progress(Progress),
    Partial(Box<Partial>),
}

/// How far an explanation is.
pub(crate) struct Progress {
    pub(crate) used: u64,
    pub(crate) expected: u64,
    pub(crate) remaining: Duration,
}

/// What it has found so far.
pub(crate) struct Partial {
    /// Passes of which it is made.
    pub(crate) used: u64,
    pub(crate) map: Map,
    pub(crate) reading: Reading,
    pub(crate) figures: Figures,
    pub(crate) errors: Option<Errors>,
    pub(crate) error: Option<f64>,
    pub(crate) regions: Vec<Ranked>,
    pub(crate) segments: Arc<LabelMap>,
    pub(crate) frame: Frame,
}

impl Live {
    /// With at least `every` between two maps.
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, began: Instant::now(), shown: Mutex::default(), news: Notify::new() }
    }

    /// Passes have been folded, of those that are announced.
    pub(super) fn passed(&self, used: u64, announced: u64) {
        let mut shown = self.lock();
        let expected = shown.expected.unwrap_or(announced).max(used);
        let remaining = self.began.elapsed().mul_f64((expected - used) as f64 / used.max(1) as f64);
        shown.progress = Some(Progress { used, expected, remaining });
        drop(shown);
        self.news.notify_one();
    }

    /// Whether it is time for a map.
    pub(super) fn is_due(&self) -> bool {
        self.lock().mapped.is_none_or(|at| at.elapsed() >= self.every)
    }

    /// What there is so far, and how many passes will be needed where that is known.
    pub(super) fn show(&self, partial: Partial, expected: Option<u64>) {
        let mut shown = self.lock();
        shown.mapped = Some(Instant::now());
        shown.partial = Some(Box::new(partial));
        shown.expected = expected;
        drop(shown);
        self.news.notify_one();
    }

    /// Waits until there is something new.
    pub(crate) async fn changed(&self) {
        while !self.has_news() {
            self.news.notified().await;
        }
    }

    fn has_news(&self) -> bool {
        let shown = self.lock();
        shown.progress.is_some() || shown.partial.is_some()
    }

    /// The newest, if there is any; maps first.
    pub(crate) fn take(&self) -> Option<News> {
        let mut shown = self.lock();
        let partial = shown.partial.take().map(News::Partial);
        partial.or_else(|| shown.progress.take().map(News::Progress))
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
