//! Where traces and metrics are sent.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Faults;

/// Where traces and metrics are sent. What the OpenTelemetry specification calls `OTEL_EXPORTER_OTLP_ENDPOINT`,
/// `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` stands where nothing else is said.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// The gRPC endpoint of an OTLP collector, such as "http://collector:4317"; nothing is sent where none is named.
    pub otlp_endpoint: Option<String>,
    /// Share of the traces that begin here which are recorded, 0 to 1. A caller that says whether its own is decides first.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample_ratio: f64,
    /// Seconds between two pushes of metrics to the collector; 0 pushes none.
    #[schemars(range(min = 0, max = 86_400))]
    pub metrics_seconds: u64,
    /// What this service calls itself.
    pub service_name: String,
    /// What else is said of this process.
    #[serde(skip)]
    pub(crate) resource: Vec<(String, String)>,
}

impl Default for Telemetry {
    fn default() -> Self {
        let (otlp_endpoint, resource) = Default::default();
        Self { otlp_endpoint, sample_ratio: 1.0, metrics_seconds: 0, service_name: "unmask".into(), resource }
    }
}

impl Telemetry {
    pub(super) fn check(&self, faults: &mut Faults) {
        let is_url = |url: &str| {
            let uri = url.parse::<http::Uri>();
            uri.is_ok_and(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some()
            })
        };
        if let Some(url) = self.otlp_endpoint.as_deref().filter(|url| !is_url(url)) {
            faults.add(format!(
                "telemetry.otlp_endpoint is \"{}\", allowed is http://HOST:PORT or https://HOST:PORT, or no value at all",
                masked(url)
            ));
        }
        if !self.sample_ratio.is_finite() {
            faults.add(format!("telemetry.sample_ratio is {}, allowed is 0 to 1", self.sample_ratio));
        }
        if self.service_name.is_empty() {
            faults.add("telemetry.service_name is empty, name one, or leave it out".into());
        }
    }

    /// How often metrics are pushed, if they are.
    pub(crate) fn push_every(&self) -> Option<Duration> {
        let pushed = self.otlp_endpoint.is_some() && self.metrics_seconds > 0;
        pushed.then(|| Duration::from_secs(self.metrics_seconds))
    }
}

/// A URL without the name and the password in it.
pub(crate) fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{path}"),
        None => url.to_owned(),
    }
}

/// Attributes as `OTEL_RESOURCE_ATTRIBUTES` has them: KEY=VALUE, separated by commas, values percent-encoded. As the
/// specification wants it, a text of which a part cannot be read says nothing.
pub(super) fn attributes(text: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (key, value) = part.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        Some((key.trim().to_owned(), value.into_owned())).filter(|(key, _)| !key.is_empty())
    };
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    parts.map(pair).collect::<Option<_>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_told() {
        for (url, told) in [
            ("http://me:ge@heim@h:1/x@y", "http://***@h:1/x@y"),
            ("http://h:1/x@y", "http://h:1/x@y"),
            ("h:1", "h:1"),
        ] {
            assert_eq!(masked(url), told);
        }
    }

    #[test]
    fn attributes_are_read_as_the_specification_has_them() {
        let read = attributes("deployment.environment.name=prod, team=a%2Cb=c,");
        let own = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        assert_eq!(read, [own("deployment.environment.name", "prod"), own("team", "a,b=c")]);
        for nothing in ["", "a", "a=b,c", "=x", "a=%ff"] {
            assert_eq!(attributes(nothing), [], "{nothing}");
        }
    }
}
