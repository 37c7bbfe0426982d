//! The services. Each call is a few lines: admit, decode, run, encode.

mod dataset;
mod evaluation;
mod explanation;
mod items;
mod many;
mod margin;
mod model;
mod stream;

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::Stream;
use opentelemetry::KeyValue;
use tonic::{Request, Response, Status};
use tracing::Span;
use unmask_core::{Ended, ForwardError, Task, Violation};
use unmask_explainer::image;
use unmask_pool::Cancel;

use crate::admission::{Admission, Bytes};
use crate::audit::{Audit, Decision, Draft, Who};
use crate::config::{Config, Weights};
use crate::decode::{self, Class, Priced, Sight};
use crate::drain::Drain;
use crate::error::{RequestError, StartError};
use crate::fills::Fills;
use crate::identity::Tenant;
use crate::models::{self, Models};
use crate::run::{Caller, Live};
use crate::telemetry::Telemetry;
use crate::transport::Arrival;

use self::margin::Margin;

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
    weights: Weights,
    drain: Drain,
    /// How long before a deadline explanations end.
    margin: Margin,
    /// How long a stream may send nothing while nothing is done for it.
    idle: Option<Duration>,
    pub(crate) audit: Audit,
    telemetry: Telemetry,
}

impl State {
    /// What a tenant can see.
    fn seen_by<'a>(&'a self, tenant: &'a Tenant) -> Sight<'a> {
        Sight { models: &self.models, tenant, limits: &self.limits }
    }

    /// Whether any detector has a worker that can work, or is loaded when it is asked for: one that has lost its own takes nothing from
    /// the others. A model that finds faces decides nothing, and is no reason to be asked.
    pub(crate) fn is_ready(&self) -> bool {
        let ready = self.models.all(|listed| match listed.state {
            models::State::Loaded(served) => served.spec().task == Task::Classes && served.is_ready(),
            models::State::NotLoaded(spec) => spec.task == Task::Classes,
            models::State::Refused => false,
        });
        ready.contains(&true)
    }

    /// Requests that have a place.
    pub(crate) fn places(&self) -> u64 {
        self.admission.places()
    }

    /// Logs and counts a request that has no answer, and gives its status.
    fn refuse(&self, span: &Span, error: &RequestError, id: &str) -> Status {
        self.telemetry.refused(error);
        let status = error.status(id);
        span.in_scope(|| tracing::warn!(code = ?status.code(), %error, "refused"));
        status
    }

    /// When the work on a request that comes now ends, so that the answer arrives before its client's time is up.
    fn soft(&self, ends: Ends, deadline: Instant) -> Instant {
        let now = Instant::now();
        match ends {
            Ends::Early => now + deadline.saturating_duration_since(now).mul_f64(DEADLINE_SHARE),
            Ends::InTime => self.margin.before(deadline, now),
        }
    }

    /// An explanation whose rounds ended then, or were to, is answered now.
    fn learn(&self, ended: &OnceLock<Instant>, soft: Option<Instant>) {
        if let Some(took) = margin::took(ended.get().copied(), soft, Instant::now()) {
            self.margin.learn(took);
        }
    }

    /// When a request gets no answer any more, and why: its time is up, or the server is over.
    async fn cut_off(&self, deadline: Option<Instant>) -> RequestError {
        let late = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = late => ForwardError::Unanswered(Ended::Deadline).into(),
            () = self.drain.over() => RequestError::Draining,
        }
    }

    /// Waits for work that can end with what it has, and lets it do so in time before the server is over.
    async fn hurried<T>(&self, cancel: &Cancel, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = self.drain.nearly_over(|end, now| self.margin.before(end, now)) => cancel.hurry(),
        }
        work.await
    }

    /// The share of a request of this class.
    fn weight(&self, class: Class) -> u32 {
        match class {
            Class::Interactive => self.weights.interactive,
            Class::Normal => self.weights.normal,
            Class::Bulk => self.weights.bulk,
        }
    }
}

/// The directory of models is followed while this is held.
pub struct Watching(#[expect(dead_code, reason = "it is held")] models::Watching);

/// Cancels a request's jobs when its future is dropped, which is how tonic tells that the client has gone.
struct Guard(Cancel);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Service {
    /// Loads the library and every model. It tells of itself by its log alone.
    ///
    /// # Errors
    /// [`StartError`] where the library or every model is refused.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        Self::with(config, Telemetry::default())
    }

    /// As [`Service::open`], for a server: whoever reads `telemetry` is told of what happens.
    ///
    /// # Errors
    /// As [`Service::open`].
    pub fn observed(config: &Config, telemetry: &Telemetry) -> Result<Self, StartError> {
        Self::with(config, telemetry.clone())
    }

    fn with(config: &Config, telemetry: Telemetry) -> Result<Self, StartError> {
        let audit = Audit::open(&config.audit)?;
        let models = Models::load(config, &telemetry)?;
        let admission = Admission::new(config);
        let (limits, fills) = (config.image.limits(), Fills::new(config.fills.policy()));
        let (weights, drain, margin) = (config.pool.weights, Drain::default(), Margin::default());
        let idle = config.http2.idle();
        let own = telemetry.clone();
        let state =
            State { models, admission, limits, fills, weights, drain, margin, idle, audit, telemetry };
        let state = Arc::new(state);
        own.of_service(&state);
        Ok(Self { state })
    }

    /// Whether any detector has a worker that can work, or is loaded when it is asked for: one that has lost its own takes nothing from the others.
    pub fn is_ready(&self) -> bool {
        self.state.is_ready()
    }

    /// Pictures that have been through any model since the service opened.
    pub fn passes(&self) -> u64 {
        let mut passes = self.state.models.past_passes();
        self.state.models.loaded(|served| passes += served.passes());
        passes
    }

    /// Rounds that wait and requests that have a place at any model.
    pub fn waiting(&self) -> (usize, usize) {
        let (mut rounds, mut jobs) = (0, 0);
        self.state.models.loaded(|served| {
            rounds += served.waiting();
            jobs += served.jobs();
        });
        (rounds, jobs)
    }

    /// Looks at the directory of models now, and returns when what is there serves, which may take as long as loading it does.
    /// Requests go on meanwhile. Where the directory cannot be read that is logged, and nothing changes.
    pub fn rescan(&self) {
        self.state.models.rescan();
    }

    /// Follows the directory of models, as [`crate::serve`] does, until the value is dropped; then it waits for a look that is
    /// under way.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn watch(&self, config: &Config) -> std::io::Result<Watching> {
        self.state.models.watch(config).map(Watching)
    }

    /// Decisions that could not be recorded since the service opened, of those that were to be.
    pub fn unrecorded(&self) -> u64 {
        self.state.audit.lost()
    }

    /// Where this service is on its way down.
    pub(crate) fn drain(&self) -> &Drain {
        &self.state.drain
    }

    /// What this service tells of itself.
    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.state.telemetry
    }

    /// Memory for messages.
    pub(crate) fn bytes(&self) -> &Bytes {
        self.state.admission.messages()
    }

    /// Answers one request: a place, what is meant, its price, and the work, on a blocking thread, until it is done, its time is
    /// up or the caller has gone.
    async fn answer<J: Priced, T: Decision + Send + 'static>(
        &self,
        asked: Asked<'_>,
        decode: impl FnOnce(&State, Vec<Violation>, &Tenant, &Draft) -> Result<J, RequestError> + Send + 'static,
        run: impl FnOnce(&State, String, &mut J, &Caller) -> Result<(T, u64), RequestError> + Send + 'static,
    ) -> Result<Response<T>, Status> {
        let Asked { call, request_id, priority, arrival, ends, live } = asked;
        // A wrong id is reported together with everything else that is wrong.
        let (id, mut wrong) = match decode::request_id(request_id) {
            Ok(id) => (id, Vec::new()),
            Err(violation) => (String::new(), vec![violation]),
        };
        let others = wrong.len();
        let class = decode::priority(priority, Class::Normal, "priority", &mut wrong);
        let is_known = wrong.len() == others;
        let tenant = Arc::clone(&arrival.identity.tenant);
        let who = arrival.identity.subject.as_deref();
        let trace = arrival.trace.clone();
        let span = tracing::info_span!(
            "request",
            call,
            request_id = id,
            trace_id = trace.id(),
            tenant = tenant.name,
            who
        );
        trace.says(|| KeyValue::new("unmask.request_id", id.clone()));
        let enter = || {
            // A priority that there is not is reported as that.
            if is_known {
                tenant.may_ask(class)?;
            }
            self.state.admission.enter(class)
        };
        let draft = self.state.audit.draft(call, &id, &who_is(&arrival));
        let (message, place) = match enter() {
            Ok(place) => (arrival.message(), place),
            Err(error) => {
                return Err(self.state.refuse(&span, &refused(&self.state, draft, error).await, &id));
            }
        };
        let soft = arrival.deadline.map(|deadline| self.state.soft(ends, deadline));
        let ended = Arc::new(OnceLock::new());
        let caller = Caller {
            cancel: Cancel::default(),
            deadline: soft,
            ended: Arc::clone(&ended),
            live,
            weight: self.state.weight(class),
            tenant: tenant.name.clone(),
            trace,
            telemetry: self.state.telemetry.clone(),
        };
        let guard = Guard(caller.cancel.clone());
        let cancel = caller.cancel.clone();
        let (state, own) = (Arc::clone(&self.state), id.clone());
        // Whoever comes first, the end of the work or the end of its time, records what is answered.
        let over = Arc::new(AtomicBool::new(false));
        let (learning, late, rounds) = (draft.clone(), Arc::clone(&over), Arc::clone(&ended));
        let done = span.in_scope(|| {
            blocking(move || {
                // Given back when the work has ended, not when the client has gone.
                let _held = (message, place);
                let done = caught(|| {
                    let mut job = decode(&state, wrong, &tenant, &learning)?;
                    let price = job.price(&state.limits);
                    let _paid = state.admission.buy(class, price)?;
                    let mut charge = tenant.charge(price)?;
                    let ran = run(&state, own, &mut job, &caller).map_err(|error| caller.why(error));
                    charge.iter_mut().for_each(|charge| charge.spend(spent(&ran, |(_, passes)| *passes)));
                    let (answer, _) = ran?;
                    // Nobody gets what comes after the end of a request.
                    if caller.cancel.is_cancelled() {
                        Err(ForwardError::Cancelled.into())
                    } else {
                        Ok(answer)
                    }
                });
                if late.swap(true, Ordering::Relaxed) {
                    // What came too late says most of how much earlier it has to end.
                    state.learn(&rounds, soft);
                    return done;
                }
                state.audit.record(&learning, done)
            })
        });
        let done = async {
            match ends {
                Ends::Early => done.await,
                Ends::InTime => self.state.hurried(&cancel, done).await,
            }
        };
        let mut done = pin!(done);
        let done = tokio::select! {
            biased;
            done = &mut done => done,
            error = self.state.cut_off(arrival.deadline) => match over.swap(true, Ordering::Relaxed) {
                // The work has ended this moment, and is on record as it ended.
                true => done.await,
                false => {
                    drop(guard);
                    Err(refused(&self.state, draft, error).await)
                }
            },
        };
        let answer = done.map_err(|e| self.state.refuse(&span, &e, &id))?;
        self.state.learn(&ended, soft);
        span.in_scope(|| tracing::info!("answered"));
        Ok(Response::new(answer))
    }
}

/// What is known of a request from its way here, and its message.
fn arrived<T>(request: Request<T>) -> (Arrival, T) {
    let (metadata, mut extensions, message) = request.into_parts();
    let in_process = || Arrival::in_process(&metadata.into_headers());
    (extensions.remove::<Arrival>().unwrap_or_else(in_process), message)
}

/// Answers of a stream.
pub type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What comes within this time, if there is one.
async fn within<T>(time: Option<Duration>, what: impl Future<Output = T>) -> Option<T> {
    match time {
        Some(time) => tokio::time::timeout(time, what).await.ok(),
        None => Some(what.await),
    }
}

/// What every request has.
struct Asked<'a> {
    call: &'static str,
    request_id: &'a str,
    priority: i32,
    arrival: Arrival,
    ends: Ends,
    /// Where the caller is told of what happens meanwhile.
    live: Option<Arc<Live>>,
}

/// When the work on a request that has a deadline ends with what it has.
#[derive(Clone, Copy)]
enum Ends {
    /// After a share of its time.
    Early,
    /// As late as its answer still arrives.
    InTime,
}

/// Share of the client's time after which what learns nothing ends.
const DEADLINE_SHARE: f64 = 0.9;

/// Runs work on a blocking thread, in the span of the one who calls; a panic is an error of that work alone.
fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RequestError> + Send + 'static,
) -> impl Future<Output = Result<T, RequestError>> {
    let span = Span::current();
    let done = tokio::task::spawn_blocking(move || {
        let _entered = span.entered();
        caught(work)
    });
    async move { done.await.unwrap_or(Err(RequestError::Panicked)) }
}

fn caught<T>(work: impl FnOnce() -> Result<T, RequestError>) -> Result<T, RequestError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(RequestError::Panicked))
}

/// Records what was refused before its work began, and gives the error to answer with.
async fn refused(state: &Arc<State>, draft: Draft, error: RequestError) -> RequestError {
    if !state.audit.is_on() {
        return error;
    }
    let state = Arc::clone(state);
    let Err(error) = blocking(move || Err::<Infallible, _>(state.audit.refused(&draft, error))).await;
    error
}

/// Passes that a request is charged with: those that were run, and where it has no answer, all that it announced, unless it was
/// refused before the first. Otherwise whoever leaves early would ask for nothing.
fn spent<T>(ran: &Result<T, RequestError>, passes: impl FnOnce(&T) -> u64) -> u64 {
    match ran {
        Ok(answer) => passes(answer),
        Err(error) if error.is_free() => 0,
        // A face model was asked, and nothing else.
        Err(RequestError::Missed(_)) => 1,
        Err(_) => u64::MAX,
    }
}

/// Whoever asks, for the record.
fn who_is(arrival: &Arrival) -> Who {
    let tenant = Some(&arrival.identity.tenant.name).filter(|name| !name.is_empty()).cloned();
    Who { tenant, subject: arrival.identity.subject.as_deref().map(ToOwned::to_owned) }
}
