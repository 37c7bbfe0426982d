//! Developer tasks: `cargo xtask demo` does the main job on a real picture, `cargo xtask test` passes all tests. Each does
//! its own set-up and needs Rust and Python with pip.

mod demo;
mod imports;
mod onnxruntime;
mod python;
mod test;
mod tools;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer tasks.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Start the server, send it a manipulated picture over gRPC, write the overlay
    Demo,
    /// Run all tests
    Test {
        /// For the test binaries, such as a part of a test's name or --nocapture
        #[arg(last = true)]
        rest: Vec<String>,
    },
    /// Fetch ONNX Runtime and print where it lies
    Onnxruntime,
    /// Check who imports whom
    Imports,
}

fn main() -> ExitCode {
    let done = match Args::parse().task {
        Task::Demo => demo::run(),
        Task::Test { rest } => test::run(&rest),
        Task::Onnxruntime => onnxruntime::library().map(|path| tools::say(&path.display().to_string())),
        Task::Imports => imports::check(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even standard error is closed, the exit code is all there is.
            let _ = writeln!(std::io::stderr(), "xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
