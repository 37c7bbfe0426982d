//! What streams of many items have in common: each item takes a place of its own while it is worked on, and waits for one where
//! there is none, so that a stream that is idle keeps nobody out. A stream works on few at the same time; further items wait in the
//! client, by HTTP/2's own flow control. When the client has gone, everything that was begun for it is cancelled, and gives its place
//! back when it has ended.

use std::collections::HashSet;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::{Instrument as _, Span};
use unmask_core::Violation;

use super::{Answers, State, who_is, within};
use crate::admission::{Paid, Place, Price};
use crate::audit::Who;
use crate::decode::LONGEST_WORD;
use crate::drain::Drain;
use crate::error::RequestError;
use crate::identity::{Charge, Tenant};
use crate::transport::Arrival;

/// Items of one stream that are worked on at the same time: while one waits for a search's next step, another has rounds.
pub(super) const AT_ONCE: usize = 4;
/// Items of one stream.
const MOST_ITEMS: usize = 20_000;

/// Whoever sends the items, and where they are worked on.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) state: Arc<State>,
    pub(super) arrival: Arrival,
}

/// Where answers go.
pub(super) type Sender<T> = mpsc::Sender<Result<T, Status>>;

impl Asker {
    /// Works until that has ended, the client has gone, its time is up or the server is over; `room` answers wait for a client that is
    /// slow to read.
    pub(super) fn answers<T, W>(
        self,
        call: &'static str,
        room: usize,
        work: impl FnOnce(Self, Sender<T>, Span) -> W,
    ) -> Answers<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let (answers, receiver) = mpsc::channel(room);
        let (state, who) = (Arc::clone(&self.state), who_is(&self.arrival));
        let (deadline, none) = (self.arrival.deadline, tracing::field::Empty);
        let (trace_id, tenant) = (self.arrival.trace.id(), &self.arrival.identity.tenant.name);
        let span = tracing::info_span!("request", call, request_id = none, trace_id, tenant);
        let work = work(self, answers.clone(), span.clone());
        let own = span.clone();
        let work = async move {
            // What is dropped here is cancelled.
            let ended = tokio::select! {
                () = answers.closed() => return,
                done = work => done,
                error = state.cut_off(deadline) => Err(state.refuse(&own, &error, "")),
            };
            if let Err(status) = ended {
                let idle = state.idle;
                let status = broken(call, state, who, status).await;
                // A client that has gone needs no answer, and one that does not read gets none.
                let _ = within(idle, answers.send(Err(status))).await;
            }
        };
        tokio::spawn(work.instrument(span));
        Box::pin(ReceiverStream::new(receiver))
    }
}

/// Records a stream that has ended early, and gives the status to answer with.
async fn broken(call: &'static str, state: Arc<State>, who: Who, status: Status) -> Status {
    let answered = super::blocking(move || Ok(state.audit.broken(call, &who, status)));
    answered.await.unwrap_or_else(|error| error.status(""))
}

/// The items until the server goes down, and whether that has ended them: those that have been read are answered. Nothing is read
/// behind one that cannot be: its rest would be taken for the next.
pub(super) fn until_down<T>(
    drain: Drain,
    items: impl Stream<Item = Result<T, Status>>,
) -> (impl Stream<Item = Result<T, Status>>, Arc<AtomicBool>) {
    let stopped = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stopped);
    let until = async move {
        drain.begun().await;
        stopping.store(true, Ordering::Relaxed);
    };
    let whole = items.scan(false, |broken, item| {
        let item = (!*broken).then_some(item);
        *broken = matches!(item, Some(Err(_)));
        ready(item)
    });
    (whole.take_until(Box::pin(until)), stopped)
}

/// Counts what is worked on.
#[derive(Clone, Default)]
pub(super) struct Working(Arc<AtomicUsize>);

impl Working {
    /// Work that counts while it is under way.
    pub(super) fn on<T, W: Future<Output = T>>(&self, work: W) -> impl Future<Output = T> + use<T, W> {
        struct Counted(Working);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let own = self.clone();
        async move {
            own.0.fetch_add(1, Ordering::Relaxed);
            let _counted = Counted(own);
            work.await
        }
    }

    /// The next that is done; a client may be silent for so long while nothing is worked on.
    ///
    /// # Errors
    /// [`RequestError::Silent`] once it is.
    pub(super) async fn next<S: Stream + Unpin>(
        &self,
        idle: Option<Duration>,
        done: &mut S,
    ) -> Result<Option<S::Item>, RequestError> {
        loop {
            match within(idle, done.next()).await {
                Some(next) => return Ok(next),
                None if self.0.load(Ordering::Relaxed) > 0 => {}
                None => return Err(RequestError::Silent),
            }
        }
    }
}

/// Work that goes on by itself and ends with whoever waits for it. It gives nothing where it panicked.
pub(super) struct Task<T>(tokio::task::JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    pub(super) fn of(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl<T> Future for Task<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Buys what an item costs, when it is there.
///
/// # Errors
/// Those of what never can be there.
pub(super) async fn buy(
    state: &State,
    tenant: &Tenant,
    price: Price,
) -> Result<(Option<Charge>, (Place, Paid)), RequestError> {
    // First, with nothing held: a tenant that has used up its passes keeps no other waiting.
    let charge = tenant.charge_in_time(price).await?;
    let place = state.admission.picture().await?;
    let paid = state.admission.buy_for_picture(price).await?;
    Ok((charge, (place, paid)))
}

/// What an item's name is in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    New,
    Twice,
    /// There are enough items without it.
    TooMany,
}

/// The names of a stream so far, and how many items it had.
#[derive(Default)]
pub(super) struct Names {
    seen: HashSet<String>,
    items: usize,
}

impl Names {
    /// Counts an item and keeps its name. One without a name, or with one that is too long to be any, is told so by whoever reads it:
    /// nothing of it is kept.
    pub(super) fn add(&mut self, name: Option<&str>) -> Name {
        if self.items == MOST_ITEMS {
            return Name::TooMany;
        }
        self.items += 1;
        match name.filter(|name| !name.is_empty() && name.len() <= LONGEST_WORD) {
            Some(name) if !self.seen.insert(name.to_owned()) => Name::Twice,
            Some(_) | None => Name::New,
        }
    }
}

/// There are more items than a stream may have.
pub(super) fn too_many(field: &str) -> RequestError {
    let message = format!("there are more than {MOST_ITEMS} items; send them in several streams");
    RequestError::Invalid(vec![Violation::new(field, message)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_read_behind_an_item_that_cannot_be() {
        let broken = || Err(Status::out_of_range("too large"));
        let items = futures_util::stream::iter([Ok(1), broken(), Err(Status::internal("its rest")), Ok(2)]);
        let (read, stopped) = until_down(Drain::default(), items);
        let read: Vec<_> = read.map(|item| item.map_err(|status| status.code())).collect().await;
        assert_eq!(read, [Ok(1), Err(tonic::Code::OutOfRange)]);
        assert!(!stopped.load(Ordering::Relaxed));
    }

    #[test]
    fn every_item_counts_and_only_names_are_kept() {
        let mut names = Names::default();
        let long = "a".repeat(LONGEST_WORD + 1);
        assert_eq!((names.add(Some("a")), names.add(Some("a"))), (Name::New, Name::Twice));
        for name in [None, Some(""), Some(long.as_str()), Some(&long)] {
            assert_eq!(names.add(name), Name::New);
        }
        assert_eq!((names.seen.len(), names.items), (1, 6));
        names.items = MOST_ITEMS;
        assert_eq!(names.add(None), Name::TooMany);
    }
}
