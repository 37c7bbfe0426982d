//! Developer tasks: `cargo xtask demo` does the main job on a real picture, `cargo xtask test` passes all tests. Each does
//! its own set-up and needs Rust and Python with pip.

mod bench;
mod chaos;
mod demo;
mod deploy;
mod fetch;
mod frontier;
mod image;
mod imports;
mod load;
mod observe;
mod onnxruntime;
mod page;
mod parity;
mod python;
mod running;
mod study;
mod test;
mod tools;

use std::io::Write as _;
use std::path::PathBuf;
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
    /// Measure methods and fills on the evaluation set, and write docs/study.md; goes on where it was stopped
    Study {
        /// Options of the study, such as --evalset DIR, --fakes 16, --share 0.5, --flips, --settings or --report-only
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Measure what every method and preset finds and costs, and write docs/frontier.md; goes on where it was stopped
    Frontier(frontier::Options),
    /// Time explanations against ONNX Runtime alone and against Python peers, and print the table
    Bench {
        /// Options, such as --repeats 3 or --out FILE; --deadlines for answers before a deadline alone; or --parts alone, for the parts of
        /// the hot path
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Hold the release binary against overload, signals and a long day, and print the table
    Chaos {
        /// Options, such as --row soak or --short
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Load the release server with ghz, which Go builds, and write docs/load.md
    Load(load::Options),
    /// Show a server to a real OTLP collector and a real Prometheus, which has to be installed
    Observe,
    /// Make the golden files of the real peers again, and tell which have changed
    Parity,
    /// Write the catalogue into README.md and docs/methods.md
    Docs,
    /// Fetch ONNX Runtime and print where it lies
    Onnxruntime {
        /// Copy it and its licences there, with a name that does not change with its version
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// The one for CUDA and TensorRT
        #[arg(long, requires = "to")]
        gpu: bool,
    },
    /// Check chart, manifests, Dockerfile, rules, dashboard and protocol, with their own tools
    CheckDeploy(deploy::Options),
    /// Build the image and run it as nobody in particular on a root that cannot be written
    Image,
    /// Make the files of the page for browsers, compare them, or use them; needs Node.js
    Page(page::Options),
    /// Check who imports whom
    Imports,
}

fn main() -> ExitCode {
    let done = match Args::parse().task {
        Task::Demo => demo::run(),
        Task::Test { rest } => test::run(&rest),
        Task::Study { rest } => study::run(&rest),
        Task::Frontier(options) => frontier::run(&options),
        Task::Bench { rest } => bench::run(&rest),
        Task::Chaos { rest } => chaos::run(&rest),
        Task::Load(options) => load::run(&options),
        Task::Observe => observe::run(),
        Task::Parity => parity::run(),
        Task::Docs => {
            tools::run(tools::cargo().args(["run", "--locked", "-p", "unmask-tests", "--bin", "docs"]))
        }
        Task::Onnxruntime { to, gpu } => {
            let library = to.map_or_else(onnxruntime::library, |to| onnxruntime::install(&to, gpu));
            library.map(|path| tools::say(&path.display().to_string()))
        }
        Task::CheckDeploy(options) => deploy::run(&options),
        Task::Image => image::run(),
        Task::Page(options) => page::run(&options),
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
