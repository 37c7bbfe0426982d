//! What is sent to a collector: traces, and metrics where that is wanted.
//!
//! It leaves from threads of its own and from bounded queues, so that no request ever waits for a collector. What cannot be sent
//! is lost, and the log tells of it now and then.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, Temporality};
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter as ExportSpans,
};
use tonic::transport::ClientTlsConfig;

use super::sampler::Sampling;
use crate::alarm::Alarm;
use crate::config;
use crate::error::StartError;

/// How long a collector has to take what it is sent.
const PATIENCE: Duration = Duration::from_secs(5);
/// Spans that wait to be sent; a large explanation has a thousand batches.
const WAITING: usize = 8192;

/// What is said of this process.
pub(super) fn resource(config: &config::Telemetry) -> Resource {
    let own = config.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attributes(own)
        .with_service_name(config.service_name.clone())
        .build()
}

/// Where spans go, if they go anywhere.
pub(super) fn traces(config: &config::Telemetry) -> Result<Option<SdkTracerProvider>, StartError> {
    let Some(endpoint) = config.otlp_endpoint.as_deref() else { return Ok(None) };
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(PATIENCE);
    let exporter = match roots(endpoint) {
        Some(roots) => exporter.with_tls_config(roots).build(),
        None => exporter.build(),
    };
    let exporter = exporter.map_err(|e| wrong(endpoint, &e))?;
    let queue = BatchConfigBuilder::default().with_max_queue_size(WAITING).build();
    let sending = BatchSpanProcessor::builder(Watched::new(exporter, "spans")).with_batch_config(queue);
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampling::new(config.sample_ratio))
        .with_max_links_per_span(super::batches::MOST_LINKS as u32)
        .with_resource(resource(config))
        .with_span_processor(sending.build());
    Ok(Some(provider.build()))
}

/// What pushes metrics, if they are pushed.
pub(super) fn metrics(
    config: &config::Telemetry,
) -> Result<Option<PeriodicReader<impl PushMetricExporter>>, StartError> {
    let (Some(endpoint), Some(interval)) = (config.otlp_endpoint.as_deref(), config.push_every()) else {
        return Ok(None);
    };
    let exporter = MetricExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(PATIENCE);
    let exporter = match roots(endpoint) {
        Some(roots) => exporter.with_tls_config(roots).build(),
        None => exporter.build(),
    };
    let exporter = exporter.map_err(|e| wrong(endpoint, &e))?;
    let pushing = PeriodicReader::builder(Watched::new(exporter, "metrics")).with_interval(interval);
    Ok(Some(pushing.build()))
}

/// The system's authorities, for an endpoint with https; where there is no need for them there may be none.
fn roots(endpoint: &str) -> Option<ClientTlsConfig> {
    endpoint.starts_with("https:").then(|| ClientTlsConfig::new().with_native_roots())
}

fn wrong(endpoint: &str, error: &dyn fmt::Display) -> StartError {
    StartError::Telemetry { endpoint: endpoint.to_owned(), reason: error.to_string() }
}

/// An exporter whose failures are told now and then.
#[derive(Debug)]
struct Watched<E> {
    inner: E,
    what: &'static str,
    alarm: Mutex<Alarm>,
}

impl<E> Watched<E> {
    fn new(inner: E, what: &'static str) -> Self {
        Self { inner, what, alarm: Mutex::default() }
    }

    fn told(&self, sent: OTelSdkResult) -> OTelSdkResult {
        sent.inspect_err(|error| {
            let mut alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(failures) = alarm.ring(Instant::now()) {
                tracing::warn!(what = self.what, %error, failures, "cannot send to the collector");
            }
        })
    }
}

impl<E: ExportSpans> ExportSpans for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.told(self.inner.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Watched<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.told(self.inner.export(metrics).await)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}
