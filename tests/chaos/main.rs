//! Promises that take longer than a test may: the release binary under overload, signals and a long day. Prints a table and
//! fails where a promise does not hold. `cargo xtask chaos` runs it.

mod overload;
mod process;
mod sigterm;
mod soak;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Hold the release binary against its promises.
#[derive(Parser)]
struct Args {
    /// The binary.
    #[arg(long)]
    unmask: PathBuf,
    /// Models of the tests, for what is about requests and not about passes.
    #[arg(long)]
    fixtures: PathBuf,
    /// Rows to run: overload, sigterm, soak; default: all.
    #[arg(long = "row")]
    rows: Vec<String>,
    /// A hundredth of everything, to see that it works.
    #[arg(long)]
    short: bool,
}

/// A promise, what was measured, and whether it holds.
struct Row {
    promise: &'static str,
    measured: String,
    holds: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let wanted = |name: &str| args.rows.is_empty() || args.rows.iter().any(|row| row == name);
    let mut rows = Vec::new();
    if wanted("overload") {
        rows.extend(overload::run(&args).await?);
    }
    if wanted("sigterm") {
        rows.extend(sigterm::run(&args).await?);
    }
    if wanted("soak") {
        rows.extend(soak::run(&args).await?);
    }
    let mut out = std::io::stdout();
    writeln!(out, "| promise | measured | holds |\n|---|---|---|")?;
    for Row { promise, measured, holds } in &rows {
        writeln!(out, "| {promise} | {measured} | {} |", if *holds { "yes" } else { "NO" })?;
    }
    let all = rows.iter().all(|row| row.holds);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
