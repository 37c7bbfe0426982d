//! Who is told of the batches that have been run, and what they are told. Nothing here knows what is made of it.

use std::sync::Arc;
use std::time::Duration;

use unmask_core::ModelSpec;

use crate::answers::Answers;
use crate::schedule::Item;

/// Where a request comes from, in the numbers of W3C Trace Context: a trace, and a span in it. The pool hands them on and makes
/// nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The trace.
    pub trace: u128,
    /// The span in it.
    pub span: u64,
}

/// A batch that a session has answered, or failed on.
pub struct Ran<'a> {
    /// The model.
    pub spec: &'a ModelSpec,
    /// Most pictures that a batch of this model may have.
    pub most: usize,
    /// How long the session had it.
    pub took: Duration,
    /// Whether it was answered.
    pub answered: bool,
    pub(crate) items: &'a [Item],
}

impl Ran<'_> {
    /// Pictures in it.
    pub fn size(&self) -> usize {
        self.items.len()
    }

    /// Where the requests in it come from, each once, as far as that is known; so many at most.
    pub fn origins(&self, most: usize) -> Vec<Origin> {
        let (mut origins, mut last) = (Vec::new(), None);
        for item in self.items {
            // Passes of one request often stand together.
            if last.is_some_and(|last: &Arc<Answers>| Arc::ptr_eq(last, &item.answers)) {
                continue;
            }
            last = Some(&item.answers);
            let origin = item.answers.origin().filter(|origin| !origins.contains(origin));
            origins.extend(origin.filter(|_| origins.len() < most));
        }
        origins
    }
}

/// Told of every batch, by the thread that ran it, before its rows are handed out. It must not panic, and what it takes its time
/// for waits.
pub trait Observer: Send + Sync {
    /// A batch has been run.
    fn ran(&self, batch: &Ran<'_>);
}
