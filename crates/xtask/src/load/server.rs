//! The release server as a process of its own on the loopback, and its metrics.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::bare::Layout;
use crate::running::Running;

/// How long the admin port may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends with this value.
pub(super) struct Server {
    pub(super) running: Running,
    admin: SocketAddr,
}

impl Server {
    /// Starts it at this layout and waits until it listens.
    pub(super) fn start(unmask: &Path, library: &Path, layout: Layout) -> anyhow::Result<Self> {
        let admin = free()?;
        let Layout { workers, threads, batch } = layout;
        let settings = [
            format!("admin.listen={admin}"),
            format!("pool.workers={workers}"),
            format!("pool.threads={threads}"),
            format!("pool.batch={batch}"),
            "pool.calibration=off".into(),
            "log.filter=error".into(),
        ];
        Ok(Self { running: Running::start(unmask, library, &settings)?, admin })
    }

    /// What it has counted so far.
    pub(super) fn metrics(&self) -> anyhow::Result<Metrics> {
        let mut stream = TcpStream::connect_timeout(&self.admin, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let at = Instant::now();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.admin)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").context("the admin port does not speak HTTP")?;
        if !head.starts_with("HTTP/1.1 200 ") {
            bail!("/metrics answers {}", head.lines().next().unwrap_or_default());
        }
        Ok(Metrics { at, values: parse(body) })
    }
}

/// A free port of the loopback. Another process could take it first; the server then says so and the task fails.
fn free() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Values by name and labels, as in `unmask_rejects_total{reason="places"}`.
pub(super) struct Metrics {
    at: Instant,
    values: BTreeMap<String, f64>,
}

/// What has been counted between two looks.
pub(super) struct Counted {
    pub(super) seconds: f64,
    pub(super) values: BTreeMap<String, f64>,
}

impl Metrics {
    pub(super) fn since(&self, earlier: &Self) -> Counted {
        let before = |name: &String| earlier.values.get(name).copied().unwrap_or_default();
        let values = self.values.iter().map(|(name, value)| (name.clone(), value - before(name))).collect();
        Counted { seconds: (self.at - earlier.at).as_secs_f64(), values }
    }
}

impl Counted {
    /// The sum of a metric over its labels.
    pub(super) fn sum(&self, name: &str) -> f64 {
        let own = |series: &str| series.split('{').next() == Some(name);
        self.values.iter().filter(|(series, _)| own(series)).map(|(_, value)| value).sum()
    }

    /// What there is of a metric by its label, without what has not happened.
    pub(super) fn by(&self, name: &str, label: &str) -> Vec<(String, f64)> {
        let own = self
            .values
            .iter()
            .filter(|(series, value)| series.split('{').next() == Some(name) && **value > 0.0);
        let word =
            |series: &str| series.split(&format!("{label}=\"")).nth(1)?.split('"').next().map(str::to_owned);
        own.filter_map(|(series, value)| Some((word(series)?, *value))).collect()
    }
}

/// Reads Prometheus' text format; comments and what is no number are left out.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            line.rsplit_once(' ').and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_summed_and_told_by_label() {
        let text = "# TYPE a counter\na{model=\"x\",version=\"1\"} 3\na{model=\"y\"} 4\na_sum 9\nr{reason=\"places\"} 2\nr{reason=\"memory\"} 0\n";
        let counted = Counted { seconds: 1.0, values: parse(text) };
        assert_eq!(counted.sum("a"), 7.0);
        assert_eq!(counted.sum("a_sum"), 9.0);
        assert_eq!(counted.by("r", "reason"), [("places".to_owned(), 2.0)]);
    }

    #[test]
    fn what_was_there_before_does_not_count() {
        let at = Instant::now();
        let look = |text| Metrics { at, values: parse(text) };
        let counted = look("a 5\nb 1\n").since(&look("a 3\n"));
        assert_eq!((counted.sum("a"), counted.sum("b")), (2.0, 1.0));
    }
}
