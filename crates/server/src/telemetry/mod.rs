//! What a service tells of itself: lines of the log, metrics, traces, and whether it is ready.
//!
//! A [`Telemetry`] is opened before anything else, so that the admin port answers while models load. Where nothing is configured
//! it is empty: no socket, no thread, no instrument that counts. Nothing that a caller sends becomes a label; pictures and their
//! digests stand nowhere.

mod batches;
mod gauges;
mod logs;
mod metrics;
mod otlp;
mod process;
mod request;
mod sampler;
mod trace;
mod words;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use prometheus::{Registry, TextEncoder};

pub(crate) use self::batches::Batches;
pub use self::logs::init;
pub(crate) use self::metrics::Metrics;
pub(crate) use self::request::Request;
pub(crate) use self::trace::Trace;
pub(crate) use self::words::{Reject, Saved};
use crate::config::Config;
use crate::error::{RequestError, StartError};
use crate::rpc::State;
use crate::transport::Admin;

/// What is left to be sent has so long when the server ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a service tells of itself. Clones are of the same one.
#[derive(Clone)]
pub struct Telemetry(Arc<Inner>);

struct Inner {
    metrics: Metrics,
    /// What reads the instruments, if anything does.
    read: Option<Read>,
    traces: Option<(SdkTracerProvider, SdkTracer)>,
    phase: Mutex<Phase>,
    service: OnceLock<Weak<State>>,
    admin: Mutex<Option<Admin>>,
}

struct Read {
    provider: SdkMeterProvider,
    meter: Meter,
    registry: Registry,
}

/// Where a server is on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Loading,
    Serving,
    Draining,
}

impl Default for Telemetry {
    /// Tells nobody anything.
    fn default() -> Self {
        Self::of(Metrics::unread(), None, None)
    }
}

impl Telemetry {
    /// Opens what is configured: the admin port, which answers from here on, and the ways to a collector.
    ///
    /// # Errors
    /// [`StartError::Listen`] where the address cannot be had, and [`StartError::Telemetry`] where the collector's cannot be used.
    pub async fn open(config: &Config) -> Result<Self, StartError> {
        let read = Read::open(config)?;
        let metrics = read.as_ref().map_or_else(Metrics::unread, |read| Metrics::new(&read.meter));
        let traces = otlp::traces(&config.telemetry)?.map(|provider| {
            let tracer = provider.tracer("unmask");
            (provider, tracer)
        });
        let telemetry = Self::of(metrics, read, traces);
        if let Some(address) = &config.admin.listen {
            let admin = Admin::open(address, &telemetry).await?;
            tracing::info!(address = %admin.address, "admin port");
            *telemetry.admin_lock() = Some(admin);
        }
        Ok(telemetry)
    }

    fn of(metrics: Metrics, read: Option<Read>, traces: Option<(SdkTracerProvider, SdkTracer)>) -> Self {
        let (phase, service, admin) = (Mutex::new(Phase::Loading), OnceLock::new(), Mutex::default());
        Self(Arc::new(Inner { metrics, read, traces, phase, service, admin }))
    }

    /// Where the admin port listens, if it does.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin_lock().as_ref().map(|admin| admin.address)
    }

    /// What is counted where it happens.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// What makes spans, if anybody gets them.
    fn tracer(&self) -> Option<&SdkTracer> {
        self.0.traces.as_ref().map(|(_, tracer)| tracer)
    }

    /// A call that has come.
    pub(crate) fn request(&self, path: &str, headers: &HeaderMap, known: bool) -> Request {
        Request::new(self, path, headers, known)
    }

    /// Counts a refusal, where the error is one.
    pub(crate) fn refused(&self, error: &RequestError) {
        if let Some(reason) = Reject::of(error) {
            self.metrics().rejected(reason, 1);
        }
    }

    /// The service to tell of. There is one; another is not told of.
    pub(crate) fn of_service(&self, service: &Arc<State>) {
        let service = Arc::downgrade(service);
        if self.0.service.set(service.clone()).is_ok()
            && let Some(read) = &self.0.read
        {
            gauges::watch(&read.meter, &service);
        }
    }

    /// Loading to serving.
    pub(crate) fn serving(&self) {
        *self.phase() = Phase::Serving;
    }

    /// Serving to draining.
    pub(crate) fn draining(&self) {
        *self.phase() = Phase::Draining;
    }

    /// Whether requests can be answered, or why not.
    pub(crate) fn readiness(&self) -> Result<(), &'static str> {
        let phase = *self.phase();
        match phase {
            Phase::Loading => Err("loading"),
            Phase::Draining => Err("draining"),
            Phase::Serving => {
                let ready = self.0.service.get().and_then(Weak::upgrade).is_some_and(|s| s.is_ready());
                if ready { Ok(()) } else { Err("no model has a worker") }
            }
        }
    }

    /// The metrics as Prometheus reads them; takes its time, and reads files.
    pub(crate) fn scrape(&self) -> String {
        let families = self.0.read.as_ref().map(|read| read.registry.gather()).unwrap_or_default();
        TextEncoder::new().encode_to_string(&families).unwrap_or_else(|error| {
            tracing::error!(%error, "cannot write the metrics");
            String::new()
        })
    }

    /// Closes the admin port and sends what is left, for a while.
    pub(crate) async fn end(self) {
        drop(self.admin_lock().take());
        let sent = tokio::task::spawn_blocking(move || {
            // What fails here has been told by the exporter.
            if let Some((provider, _)) = &self.0.traces {
                let _ = provider.shutdown_with_timeout(FAREWELL);
            }
            if let Some(read) = &self.0.read {
                let _ = read.provider.shutdown_with_timeout(FAREWELL);
            }
        });
        if tokio::time::timeout(FAREWELL, sent).await.is_err() {
            tracing::warn!("the collector did not take what was left in time");
        }
    }

    /// A weak handle for whoever must not keep it alive.
    pub(crate) fn weak(&self) -> impl Fn() -> Option<Self> + Send + Sync + 'static {
        let weak = Arc::downgrade(&self.0);
        move || weak.upgrade().map(Self)
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.0.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admin_lock(&self) -> MutexGuard<'_, Option<Admin>> {
        self.0.admin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read {
    /// Where somebody reads: one set of instruments, and up to two who do.
    fn open(config: &Config) -> Result<Option<Self>, StartError> {
        let pushed = otlp::metrics(&config.telemetry)?;
        if config.admin.listen.is_none() && pushed.is_none() {
            return Ok(None);
        }
        let registry = Registry::new();
        let mut provider = SdkMeterProvider::builder().with_resource(otlp::resource(&config.telemetry));
        if config.admin.listen.is_some() {
            let scraped = opentelemetry_prometheus::exporter().with_registry(registry.clone());
            let scraped = scraped.scope_info_enabled(false).build();
            provider = provider.with_reader(scraped.map_err(|error| StartError::Metrics(error.to_string()))?);
        }
        if let Some(pushed) = pushed {
            provider = provider.with_reader(pushed);
        }
        let provider = provider.build();
        let meter = provider.meter("unmask");
        process::watch(&meter);
        Ok(Some(Self { provider, meter, registry }))
    }
}
