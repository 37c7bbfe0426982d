//! A server in a process of its own, and what can be seen of it from outside.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tonic::transport::Channel;
use unmask_protocol::v1::explanation_service_client::ExplanationServiceClient;

/// Ends with this value.
pub(crate) struct Process {
    child: Child,
    pub(crate) url: String,
    seen: Arc<Mutex<Seen>>,
}

/// What its log has said.
#[derive(Default)]
struct Seen {
    arrived: usize,
    /// Microseconds from a request's arrival to its refusal.
    refused: Vec<u64>,
    panics: usize,
}

impl Process {
    /// Starts the server over this directory of models and waits until it listens.
    pub(crate) fn start(unmask: &Path, models: &Path, settings: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(unmask);
        command.args(["serve", "--insecure", "--listen", "127.0.0.1:0", "--models"]).arg(models);
        for setting in ["log.format=json", "log.filter=info,unmask_server::transport=debug"] {
            command.args(["--set", setting]);
        }
        settings.iter().for_each(|setting| {
            command.args(["--set", setting]);
        });
        command.env("UNMASK_POOL__CALIBRATION", "off").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", unmask.display()))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let heard = Arc::clone(&seen);
        let log = BufReader::new(stderr.context("it has a log")?);
        std::thread::spawn(move || log.lines().map_while(Result::ok).for_each(|line| hear(&line, &heard)));
        let mut line = String::new();
        BufReader::new(stdout.context("it has an output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ").context("it does not listen")?.to_owned();
        Ok(Self { child, url: format!("http://{address}"), seen })
    }

    pub(crate) async fn channel(&self) -> anyhow::Result<Channel> {
        Ok(Channel::from_shared(self.url.clone())?.connect().await?)
    }

    pub(crate) async fn client(&self) -> anyhow::Result<ExplanationServiceClient<Channel>> {
        Ok(ExplanationServiceClient::new(self.channel().await?).max_decoding_message_size(64 << 20))
    }

    /// Resident memory in MiB.
    pub(crate) fn rss(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }

    /// Open file descriptors.
    pub(crate) fn descriptors(&self) -> anyhow::Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    /// Requests that have come so far.
    pub(crate) fn arrived(&self) -> usize {
        self.seen().arrived
    }

    /// Panics so far.
    pub(crate) fn panics(&self) -> usize {
        self.seen().panics
    }

    /// The time in microseconds below which so many of a hundred refusals were.
    pub(crate) fn refusal(&self, percentile: usize) -> Option<u64> {
        let mut seen = self.seen();
        seen.refused.sort_unstable();
        let at = seen.refused.len() * percentile / 100;
        seen.refused.get(at.min(seen.refused.len().checked_sub(1)?)).copied()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args([format!("-{name}"), pid]).status()?;
        Ok(())
    }

    pub(crate) fn wait(mut self) -> anyhow::Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hear(line: &str, seen: &Mutex<Seen>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.panics += usize::from(line.contains("panicked"));
    let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { return };
    match line["message"].as_str() {
        Some("a request has come") => seen.arrived += 1,
        Some("a request is refused") => seen.refused.extend(line["took_us"].as_u64()),
        Some(_) | None => {}
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
