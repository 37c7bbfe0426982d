//! `cargo xtask load`: ghz against the release server, by the configurations of `deploy/load`, on this machine alone.
//!
//! Every scenario ends by itself: its time and its rate are in its file. What the server has done is read from its metrics, and what
//! ONNX Runtime could have done is timed before and after each, in the same run.

mod bare;
mod ghz;
mod server;
mod table;

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use self::bare::Layout;
use self::server::Server;
use self::table::{Row, Run};
use crate::onnxruntime;
use crate::tools::{self, cargo, root, say, target, tell};

/// The configurations, in the order in which they run.
const SCENARIOS: &[&str] = &["steady", "ramp", "mixed", SATURATION];
const SATURATION: &str = "saturation";

/// What is asked for.
#[derive(Args)]
pub(crate) struct Options {
    /// The release binary; without it, one is built
    #[arg(long, value_name = "FILE")]
    unmask: Option<PathBuf>,
    /// Seconds of each scenario, in place of those in its file
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: Option<u32>,
    /// One scenario alone; docs/load.md stays as it is
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(SCENARIOS))]
    scenario: Option<String>,
    /// Most pictures in a batch, in place of what is calibrated; docs/load.md stays as it is
    #[arg(long, value_name = "N", value_parser = PossibleValuesParser::new(["1", "2", "4", "8"]).try_map(|n| n.parse::<u32>()))]
    batch: Option<u32>,
    /// What the page says of this machine
    #[arg(long, value_name = "WORDS")]
    machine: Option<String>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let ghz = ghz::Ghz::fetch()?;
    let library = onnxruntime::library()?;
    let work = target().join("load");
    let mut data = cargo();
    tools::run(data.args(["run", "--locked", "-p", "unmask-tests", "--bin", "load", "--"]).arg(&work))?;
    let unmask = match &options.unmask {
        Some(file) => file.canonicalize()?,
        None => {
            tools::run(cargo().args(["build", "--release", "--locked", "-p", "unmask-cli"]))?;
            target().join("release/unmask")
        }
    };

    let bare = || {
        tell("timing ONNX Runtime alone");
        bare::calibrate(&unmask, &library, &work)
    };
    let first = bare()?;
    let layout = Layout { batch: options.batch.unwrap_or(first.layout.batch), ..first.layout };
    let server = Server::start(&unmask, &library, layout)?;
    let (mut rows, mut before) = (Vec::new(), first.of(layout));
    for name in SCENARIOS.iter().filter(|name| options.scenario.as_deref().is_none_or(|own| own == **name)) {
        tell(&format!("{name}: {}", server.running.address));
        let seen = server.metrics()?;
        let report = ghz.run(name, &server.running.address, options.seconds, &work)?;
        let counted = server.metrics()?.since(&seen);
        // The server waits, and takes nothing of the machine meanwhile.
        let after = bare()?.of(layout);
        rows.push(Row::new(name, &report, &counted, (before + after) / 2.0));
        before = after;
    }
    drop(server);

    let versions = vec![ghz.version()?, bare::said(&unmask, "--version")?, library_name(&library)];
    let machine = options.machine.clone().unwrap_or_else(cores);
    let run = Run { rows, layout, versions, machine };
    say(&run.table());
    if options.scenario.is_none() && options.batch.is_none() {
        std::fs::write(root().join("docs/load.md"), run.page(options.seconds))?;
    }
    let faults = run.faults(SATURATION);
    if !faults.is_empty() {
        bail!("load:\n  {}", faults.join("\n  "));
    }
    Ok(())
}

fn cores() -> String {
    format!("{} cores", std::thread::available_parallelism().map_or(1, usize::from))
}

/// The library's file, which has its version in its name.
fn library_name(library: &std::path::Path) -> String {
    library.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
