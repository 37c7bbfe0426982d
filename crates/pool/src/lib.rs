//! Worker threads that run the perturbations of all requests in shared batches.
//!
//! A [`Served`] model has one bounded queue and some workers, each with a session of its own. A request enters
//! with [`Served::job`] and gets a [`Job`], which is the server's implementation of [`unmask_core::Forward`]. Nothing
//! here knows a method, a message or an async runtime.

mod answers;
mod backend;
mod calibrate;
mod cancel;
mod checkup;
mod compose;
#[cfg(all(test, feature = "loom"))]
mod interleavings;
mod job;
mod observer;
mod probe;
mod queue;
mod schedule;
mod served;
mod sync;
mod worker;

#[cfg(feature = "planted")]
pub use backend::Planted;
pub use backend::{Backend, BackendError, Device, Fallback, Opener, Runtime};
pub use calibrate::{Calibration, Layout, Point, bare_speed};
pub use cancel::{Cancel, Watcher};
pub use checkup::{Checkup, checkup, first_probe};
pub use job::{Job, Limits, Meter};
pub use observer::{Observer, Origin, Ran};
pub use probe::{Batching, LoadError};
pub use served::{Calibrating, Served, Settings};
