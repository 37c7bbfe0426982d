//! `cargo xtask check-deploy`: whether what a platform engineer is given holds: chart, image, manifests, rules, dashboard, protocol.
//!
//! Each check is a function that returns faults. All run, whatever the others found; a tool that cannot be had is told loudly, and is
//! a fault where `CI` is set, so that nothing passes there because it was not looked at.

mod binary;
mod buf;
mod dashboard;
mod dockerfile;
mod generated;
mod helm;
mod manifests;
mod prometheus;
mod readme;
mod structure;
pub(crate) mod tools;

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use self::tools::Missing;
use crate::tools::{root, say, target};

/// What is asked for.
#[derive(Args)]
pub(crate) struct Options {
    /// Write what is generated (the chart's README.md and files, deploy/kubernetes) instead of comparing it
    #[arg(long)]
    write: bool,
    /// Take the protocol as it is now for the agreed one, proto/agreed.binpb
    #[arg(long)]
    agree: bool,
    /// The `unmask` against which configuration and flags are held; without it, one is built
    #[arg(long, value_name = "FILE", conflicts_with = "no_binary")]
    unmask: Option<PathBuf>,
    /// Hold configuration and flags against no binary
    #[arg(long)]
    no_binary: bool,
}

/// What checks have found.
#[derive(Default)]
struct Report {
    faults: Vec<String>,
    skipped: Vec<String>,
}

impl Report {
    /// Takes the outcome of a check, and tells it in a word.
    fn take(&mut self, name: &str, outcome: anyhow::Result<Vec<String>>) -> String {
        match outcome {
            Ok(faults) => {
                let word = if faults.is_empty() { "holds" } else { "FAULTS" };
                self.faults.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
                format!("{name}: {word}")
            }
            Err(error) if error.is::<Missing>() => {
                self.skipped.push(name.to_owned());
                format!("{name}: SKIPPED, {error}")
            }
            Err(error) => {
                self.faults.push(format!("{name}: {error:#}"));
                format!("{name}: FAILED")
            }
        }
    }

    /// What is left to say, or the faults; `strict` makes a fault of what was skipped.
    fn verdict(mut self, strict: bool) -> anyhow::Result<String> {
        if strict {
            self.faults.extend(self.skipped.drain(..).map(|name| format!("{name}: a tool is missing")));
        }
        if !self.faults.is_empty() {
            bail!("deploy:\n  {}", self.faults.join("\n  "));
        }
        if !self.skipped.is_empty() {
            return Ok(format!("NOT CHECKED, because a tool is missing: {}", self.skipped.join(", ")));
        }
        Ok("deploy: everything that was checked holds".into())
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    std::fs::create_dir_all(work())?;
    if options.agree {
        return buf::agree();
    }
    let mut report = Report::default();
    let mut take = |name: &str, outcome| say(&report.take(name, outcome));
    take("generated files", generated::check(options.write));
    take("chart: lint", helm::lint());
    take("chart: wrong values are refused", helm::refusals());
    let rendered = helm::render();
    let documents = rendered.and_then(|rendered| manifests::validate(&rendered));
    match documents {
        Ok((documents, faults)) => {
            take("chart: schemas of Kubernetes", Ok(faults));
            take("chart: parts fit together", Ok(structure::faults(&documents)));
            if options.no_binary {
                say("chart: configuration and flags: NOT CHECKED, as asked (--no-binary)");
            } else {
                take("chart: configuration and flags", binary::check(options.unmask.as_deref(), &documents));
            }
            take("chart: metrics of autoscaling", prometheus::autoscaling(&documents));
        }
        Err(error) => take("chart: rendering", Err(error)),
    }
    take("plain manifests", manifests::plain());
    take("Dockerfile", dockerfile::check());
    take("Prometheus: rules and their tests", prometheus::rules());
    take("Prometheus: names of metrics", prometheus::names());
    take("Prometheus: labels of the adapter", prometheus::labels());
    take("Prometheus: every alert is tested and told", prometheus::alerts());
    take("Grafana: dashboard", dashboard::check());
    take("collector", manifests::collector());
    take("protocol", buf::check());
    let last = report.verdict(std::env::var_os("CI").is_some_and(|ci| !ci.is_empty()))?;
    say(&last);
    Ok(())
}

/// The chart.
fn chart() -> PathBuf {
    root().join("helm/unmask")
}

/// Where renderings and the like lie.
fn work() -> PathBuf {
    target().join("deploy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_told_and_is_a_fault_only_where_it_must_not_be_missing() {
        let missing = || {
            let mut report = Report::default();
            let told = report.take("hull", Err(Missing { tool: "saw", way: "buy one" }.into()));
            assert_eq!(told, "hull: SKIPPED, saw is not there: buy one");
            assert_eq!(report.take("keel", Ok(Vec::new())), "keel: holds");
            report
        };
        assert_eq!(missing().verdict(false).unwrap(), "NOT CHECKED, because a tool is missing: hull");
        let error = missing().verdict(true).unwrap_err().to_string();
        assert!(error.contains("hull: a tool is missing") && !error.contains("keel"), "{error}");
    }

    #[test]
    fn every_fault_is_in_the_verdict() {
        let mut report = Report::default();
        report.take("a", Ok(vec!["one".into(), "two".into()]));
        report.take("b", Err(anyhow::anyhow!("three")));
        assert_eq!(report.verdict(false).unwrap_err().to_string(), "deploy:\n  a: one\n  a: two\n  b: three");
    }
}
