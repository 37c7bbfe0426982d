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

/// Until the next map goes at least this many times as long as the last one took to make.
const SPARED: u32 = 20;

#[derive(Default)]
struct Shown {
    /// When a map was last wanted.
    wanted: Option<Instant>,
    /// When the next one may be.
    next: Option<Instant>,
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

    /// Whether it is time for a map, which is then made and shown.
    pub(super) fn is_due(&self) -> bool {
        let (now, mut shown) = (Instant::now(), self.lock());
        let due = shown.next.is_none_or(|next| now >= next);
        if due {
            shown.wanted = Some(now);
        }
        due
    }

    /// Whether what is made now is for it.
    pub(super) fn wants(&self) -> bool {
        self.lock().wanted.is_some()
    }

    /// So many passes will be needed.
    pub(super) fn expects(&self, passes: u64) {
        self.lock().expected = Some(passes);
    }

    /// What there is so far.
    pub(super) fn show(&self, partial: Partial) {
        let (now, mut shown) = (Instant::now(), self.lock());
        // A map of many masks takes long to make, and nobody pays for that in passes.
        let took = shown.wanted.take().map_or(Duration::ZERO, |wanted| now - wanted);
        shown.next = Some(now + self.every.max(SPARED * took));
        shown.partial = Some(Box::new(partial));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn partial() -> Partial {
        let rect = unmask_explainer::image::Rect { x: 0, y: 0, width: 1, height: 1 };
        Partial {
            used: 1,
            map: Map::zeros(1, 1),
            reading: Reading::Evidence,
            figures: Figures::default(),
            errors: None,
            error: None,
            regions: Vec::new(),
            segments: Arc::new(unmask_explainer::segment::grid(1, 1, 1, 1)),
            frame: Frame { crop: rect, displayed: (1, 1), orientation: 1, model: (1, 1) },
        }
    }

    #[test]
    fn maps_that_take_long_to_make_are_made_seldom() {
        let live = Live::new(Duration::ZERO);
        assert!(live.is_due());
        live.show(partial());
        std::thread::sleep(Duration::from_millis(500));
        assert!(live.is_due(), "the last one took next to no time");
        std::thread::sleep(Duration::from_millis(500));
        live.show(partial());
        assert!(!live.is_due(), "ten seconds must pass");
    }

    #[test]
    fn what_is_newer_takes_the_place_of_what_nobody_has_read() {
        let live = Live::new(Duration::ZERO);
        assert!(live.take().is_none());
        for used in [10, 20] {
            live.passed(used, 100);
            live.show(Partial { used, ..partial() });
        }
        live.expects(50);
        live.passed(30, 100);
        assert!(matches!(live.take(), Some(News::Partial(partial)) if partial.used == 20));
        assert!(matches!(live.take(), Some(News::Progress(Progress { used: 30, expected: 50, .. }))));
        assert!(live.take().is_none());
    }
}
