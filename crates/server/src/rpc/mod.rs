//! The services. Each call is a few lines: admit, decode, run, encode.

mod dataset;
mod evaluation;
mod explanation;
mod model;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tonic::metadata::MetadataMap;
use tonic::{Response, Status};
use tracing::Span;
use unmask_core::Violation;
use unmask_explainer::image;
use unmask_pool::Cancel;

pub use self::dataset::Answers;
use crate::admission::Admission;
use crate::config::{Config, Weights};
use crate::decode::{self, Class};
use crate::error::{RequestError, StartError};
use crate::fills::Fills;
use crate::models::Models;
use crate::run::{Caller, Progress};

/// Both services, behind a socket or in process.
#[derive(Clone)]
pub struct Service {
    pub(crate) state: Arc<State>,
}

pub(crate) struct State {
    pub(crate) models: Models,
    admission: Admission,
    limits: image::Limits,
    fills: Fills,
    progress: Option<Progress>,
    weights: Weights,
}

impl State {
    /// The share of a request of this class.
    fn weight(&self, class: Class) -> u32 {
        match class {
            Class::Interactive => self.weights.interactive,
            Class::Normal => self.weights.normal,
            Class::Bulk => self.weights.bulk,
        }
    }
}

/// Cancels a request's jobs when its future is dropped, which is how tonic tells that the client has gone.
struct Guard(Cancel);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Service {
    /// Loads the library and every model.
    ///
    /// # Errors
    /// [`StartError`] where the library or every model is refused.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        Self::with_progress(config, None)
    }

    /// As [`Service::open`]; `progress` is told of every folded round of every explanation, for use in process.
    ///
    /// # Errors
    /// As [`Service::open`].
    pub fn with_progress(config: &Config, progress: Option<Progress>) -> Result<Self, StartError> {
        let models = Models::load(config)?;
        let admission = Admission::new(config.server.max_jobs);
        let (limits, fills) = (config.image.limits(), Fills::new(config.fills.policy()));
        let state = State { models, admission, limits, fills, progress, weights: config.pool.weights };
        Ok(Self { state: Arc::new(state) })
    }

    /// Whether any model has a worker that can work: one that has lost its own takes nothing from the others.
    pub fn is_ready(&self) -> bool {
        self.state.models.all().filter_map(|(_, _, state, _)| state.as_ref().ok()).any(|s| s.is_ready())
    }

    /// Pictures that have been through any model since the service opened.
    pub fn passes(&self) -> u64 {
        self.state
            .models
            .all()
            .filter_map(|(_, _, state, _)| state.as_ref().ok())
            .map(|served| served.passes())
            .sum()
    }

    /// Rounds that wait and requests that have a place at any model.
    pub fn waiting(&self) -> (usize, usize) {
        let served = self.state.models.all().filter_map(|(_, _, state, _)| state.as_ref().ok());
        served.fold((0, 0), |(rounds, jobs), s| (rounds + s.waiting(), jobs + s.jobs()))
    }

    /// Runs one request's work on a blocking thread, under a place, until it is done or the caller has gone.
    async fn work<T: Send + 'static>(
        &self,
        call: &'static str,
        given_id: &str,
        priority: i32,
        metadata: &MetadataMap,
        work: impl FnOnce(&State, String, Vec<Violation>, &Caller) -> Result<T, RequestError> + Send + 'static,
    ) -> Result<Response<T>, Status> {
        // A wrong id is reported together with everything else that is wrong.
        let (id, mut wrong) = match decode::request_id(given_id) {
            Ok(id) => (id, Vec::new()),
            Err(violation) => (String::new(), vec![violation]),
        };
        let class = decode::priority(priority, Class::Normal, "priority", &mut wrong);
        let span = tracing::info_span!("request", call, request_id = id);
        let place = self.state.admission.enter().map_err(|e| refuse(&span, &e, &id))?;
        let caller = Caller {
            cancel: Cancel::default(),
            deadline: deadline(metadata),
            progress: self.state.progress.clone(),
            weight: self.state.weight(class),
        };
        let _guard = Guard(caller.cancel.clone());
        let (state, own) = (Arc::clone(&self.state), id.clone());
        let done = span.in_scope(|| {
            blocking(move || {
                // The place is given back when the work has ended, not when the client has gone.
                let _place = place;
                work(&state, own, wrong, &caller)
            })
        });
        let answer = done.await.map_err(|e| refuse(&span, &e, &id))?;
        span.in_scope(|| tracing::info!("answered"));
        Ok(Response::new(answer))
    }
}

/// Runs work on a blocking thread, in the span of the one who calls; a panic is an error of that work alone.
fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RequestError> + Send + 'static,
) -> impl Future<Output = Result<T, RequestError>> {
    let span = Span::current();
    let done = tokio::task::spawn_blocking(move || {
        let _entered = span.entered();
        catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(RequestError::Panicked))
    });
    async move { done.await.unwrap_or(Err(RequestError::Panicked)) }
}

/// Logs a request that has no answer, and gives its status.
fn refuse(span: &Span, error: &RequestError, id: &str) -> Status {
    let status = error.status(id);
    span.in_scope(|| tracing::warn!(code = ?status.code(), %error, "refused"));
    status
}

/// Share of the client's deadline after which an explanation ends with what it has, so that the answer arrives in time.
const DEADLINE_SHARE: f64 = 0.9;

/// When to stop, from the `grpc-timeout` header: at most eight digits and a unit.
fn deadline(metadata: &MetadataMap) -> Option<Instant> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count = digits.parse::<u32>().ok()?;
    let unit = match unit {
        "H" => Duration::from_secs(3600),
        "M" => Duration::from_secs(60),
        "S" => Duration::from_secs(1),
        "m" => Duration::from_millis(1),
        "u" => Duration::from_micros(1),
        "n" => Duration::from_nanos(1),
        _ => return None,
    };
    Instant::now().checked_add(unit.checked_mul(count)?.mul_f64(DEADLINE_SHARE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_from_the_header_and_nonsense_is_none() {
        let read = |text: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            deadline(&metadata).map(|d| d.saturating_duration_since(Instant::now()))
        };
        assert!(read("10S").unwrap() <= Duration::from_secs(9));
        assert!(read("10S").unwrap() > Duration::from_secs(8));
        assert!(read("99999999n").unwrap() < Duration::from_millis(91));
        for nonsense in ["", "S", "10", "10x", "-1S", "99999999999H"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
