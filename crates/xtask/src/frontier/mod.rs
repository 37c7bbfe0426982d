//! `cargo xtask frontier`: what every method and preset finds, and what it costs, on fakes that the detector has never seen; as rows,
//! tables and a plot. Hours; stopped and gone on with at will.
//!
//! The work is `unmask evaluate`'s, under the plans in tests/frontier. A row is kept in `target/frontier` as soon as it is known and
//! is not run again.

mod page;
mod plot;
mod rows;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::onnxruntime;
use crate::tools::{self, cargo, root, say, target};

/// The plans, each in a file of its own: the paper's eight variants cost most of the time and never change, presets are what is chosen.
const PLANS: [&str; 3] = ["paper", "own", "presets"];
/// The families, in the order of the tables.
const FAMILIES: [&str; 4] = ["mouth", "eyes", "blend", "swap"];

/// Options of the task.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Folder that models/training/evalset.py wrote
    #[arg(long, value_name = "DIR", required_unless_present = "report_only")]
    evalset: Option<PathBuf>,
    /// Fakes of each family: the first in list order that the detector calls fake
    #[arg(long, default_value_t = 25)]
    fakes: u32,
    /// Run the plan of this name only: paper, own or presets
    #[arg(long, value_name = "NAME")]
    plan: Option<String>,
    /// Write the tables and the plot from the rows that are there
    #[arg(long)]
    report_only: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let dir = target().join("frontier");
    std::fs::create_dir_all(&dir)?;
    if let Some(evalset) = options.evalset.as_ref().filter(|_| !options.report_only) {
        evaluate(options, evalset, &dir)?;
    }
    let mut plans = Vec::new();
    for plan in PLANS {
        let path = dir.join(plan).join("rows.jsonl");
        if path.is_file() {
            plans.push(rows::read(&path)?);
        }
    }
    let found = rows::of_all(plans);
    ensure!(
        !found.is_empty(),
        "{} has no fake with rows of every plan; run it with --evalset DIR",
        dir.display()
    );
    for (name, text) in [
        ("frontier.csv", rows::csv(&found)),
        ("frontier.md", page::page(&found, options.fakes)),
        ("frontier.svg", plot::plot(&page::lines(&found))),
    ] {
        let path = root().join("docs").join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}

/// Runs what is not there yet.
fn evaluate(options: &Options, evalset: &Path, dir: &Path) -> anyhow::Result<()> {
    let library = onnxruntime::library()?;
    tools::run(cargo().args(["build", "--release", "--locked", "-p", "unmask-cli"]))?;
    let list = dir.join("list.csv");
    std::fs::write(&list, in_turn(evalset)?)?;
    for plan in PLANS.into_iter().filter(|plan| options.plan.as_ref().is_none_or(|wanted| wanted == plan)) {
        let mut command = Command::new(target().join("release/unmask"));
        command.current_dir(root()).arg("evaluate").arg(evalset).arg("--list").arg(&list);
        command.args(["--models", "models", "--called-fake", "--onnxruntime"]).arg(&library);
        command.arg("--per-family").arg(options.fakes.to_string());
        command.arg("--plan").arg(root().join(format!("tests/frontier/{plan}.json")));
        tools::run(command.arg("--out").arg(dir.join(plan)))?;
    }
    Ok(())
}

/// The list of fakes with one of each family in turn, so that rows that are not all there yet are balanced.
fn in_turn(evalset: &Path) -> anyhow::Result<String> {
    let path = evalset.join("items.csv");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}; models/training/evalset.py writes it", path.display()))?;
    let (head, lines) = text.split_once('\n').unwrap_or((&text, ""));
    let family = head.split(',').position(|name| name == "family");
    let family = family.with_context(|| format!("{} has no column family", path.display()))?;
    let mut of: Vec<Vec<&str>> = vec![Vec::new(); FAMILIES.len()];
    for line in lines.lines() {
        let own = FAMILIES.iter().position(|name| line.split(',').nth(family) == Some(*name));
        // Pictures that nobody touched are no fakes.
        own.into_iter().for_each(|own| of[own].push(line));
    }
    let longest = of.iter().map(Vec::len).max().unwrap_or(0);
    let turns = (0..longest).flat_map(|i| of.iter().filter_map(move |lines| lines.get(i).copied()));
    Ok([head].into_iter().chain(turns).flat_map(|line| [line, "\n"]).collect())
}
