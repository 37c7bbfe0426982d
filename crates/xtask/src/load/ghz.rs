//! ghz, built by Go from its pinned module, and what it reports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::deploy::tools::{Missing, ask, on_path, words};
use crate::tools::{root, run, target, tell};

const VERSION: &str = "0.120.0";
/// What Go says the module's sources sum up to.
const SUM: &str = "h1:6F4wsmZVwFg5UnD+/R+IABWk6sKE/0OKIBdUQUZnOdo=";

pub(super) struct Ghz {
    program: PathBuf,
    go: PathBuf,
}

/// One run, as far as it is used.
#[derive(Deserialize)]
pub(super) struct Report {
    /// Nanoseconds from the first call to the last answer.
    pub(super) total: u64,
    #[serde(rename = "errorDistribution", default)]
    pub(super) errors: BTreeMap<String, u64>,
    #[serde(default)]
    pub(super) details: Vec<Call>,
}

#[derive(Deserialize)]
pub(super) struct Call {
    /// Nanoseconds.
    pub(super) latency: u64,
    /// The gRPC code in words, such as OK or ResourceExhausted.
    pub(super) status: String,
}

impl Ghz {
    /// Builds it where it is not there yet.
    pub(super) fn fetch() -> anyhow::Result<Self> {
        let go =
            on_path("go").ok_or(Missing { tool: "go", way: "install Go 1.22 or newer, which builds ghz" })?;
        let home = target().join("tools").join(format!("ghz-{VERSION}"));
        let ghz = Self { program: home.join("ghz"), go };
        if !ghz.program.exists() {
            tell(&format!("building ghz {VERSION}"));
            let module = format!("github.com/bojand/ghz/cmd/ghz@v{VERSION}");
            run(Command::new(&ghz.go).args(["install", &module]).env("GOBIN", &home))?;
        }
        let built = words(&ask(Command::new(&ghz.go).args(["version", "-m"]).arg(&ghz.program))?);
        if !is_pinned(&built) {
            bail!("{} is not ghz {VERSION} with the sum {SUM}; it is not used", ghz.program.display());
        }
        Ok(ghz)
    }

    /// ghz and the Go that has built it.
    pub(super) fn version(&self) -> anyhow::Result<String> {
        let built = words(&ask(Command::new(&self.go).arg("version").arg(&self.program))?);
        Ok(format!("ghz {VERSION} ({})", built.rsplit(": ").next().unwrap_or(&built)))
    }

    /// Runs a scenario against a server on this machine.
    pub(super) fn run(
        &self,
        scenario: &str,
        address: &str,
        seconds: Option<u32>,
        work: &Path,
    ) -> anyhow::Result<Report> {
        let report = work.join(format!("{scenario}.report.json"));
        let mut command = Command::new(&self.program);
        // The files beside the configuration are named without a directory, and lie where they were made.
        command.current_dir(work).arg("--config").arg(root().join(format!("deploy/load/{scenario}.json")));
        command.args(["--format", "json", "--output"]).arg(&report);
        if let Some(seconds) = seconds {
            command.arg(format!("--duration={seconds}s"));
        }
        run(command.arg(address))?;
        let text = std::fs::read_to_string(&report)?;
        serde_json::from_str(&text).with_context(|| format!("{} is no report of ghz", report.display()))
    }
}

/// Whether Go's account of how a program was built names the pinned module.
fn is_pinned(built: &str) -> bool {
    let version = format!("v{VERSION}");
    let wanted = ["mod", "github.com/bojand/ghz", &version, SUM];
    built.lines().any(|line| line.split_whitespace().eq(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_sources_are_used() {
        let line = format!(
            "x: go1.26.0\n\tpath\tgithub.com/bojand/ghz/cmd/ghz\n\tmod\tgithub.com/bojand/ghz\tv{VERSION}\t{SUM}\t\n"
        );
        assert!(is_pinned(&line));
        assert!(!is_pinned(&line.replace(SUM, "h1:other=")));
        assert!(!is_pinned(&line.replace(VERSION, "0.119.0")));
    }
}
