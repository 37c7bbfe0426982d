//! A server of the binary on the loopback, for as long as a task needs it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use crate::tools::root;

/// Ends with this value.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: String,
}

impl Running {
    /// Starts it on the shipped models, with these settings (KEY=VALUE), and waits until it listens.
    pub(crate) fn start(unmask: &Path, library: &Path, settings: &[String]) -> anyhow::Result<Self> {
        let mut command = Command::new(unmask);
        command.current_dir(root()).args(["serve", "--insecure", "--listen", "127.0.0.1:0"]);
        command.args(["--models", "models", "--onnxruntime"]).arg(library);
        settings.iter().for_each(|setting| {
            command.args(["--set", setting]);
        });
        let child = command.stdout(Stdio::piped()).spawn();
        let child = child.with_context(|| format!("cannot start {}", unmask.display()))?;
        let mut running = Self { child, address: String::new() };
        let mut line = String::new();
        let output = running.child.stdout.take().context("the server has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ");
        running.address = address.context("the server did not start; its reason is above")?.to_owned();
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended on its own; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
