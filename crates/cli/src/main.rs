//! The one binary. In-process commands call the same service value as the server, without a socket.
//!
//! Exit codes: 0 when everything was done, 1 when something failed, 2 when the command line is wrong, 78 when the configuration
//! is (EX_CONFIG of sysexits), 130 when a second signal ended a server.

mod args;
mod client;
mod config;
mod doctor;
mod evaluate;
mod explain;
mod faces;
mod fields;
mod files;
mod how;
mod list;
mod many;
mod predict;
mod prove;
mod report;
mod reproduce;
mod serve;
mod shell;
mod text;
mod why;

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use unmask_server::{ConfigError, StartError};

use args::{Args, Command, Models, ModelsAction};

fn main() -> ExitCode {
    let args = Args::parse();
    // Alone in its process: threads of a runtime would count against its limits.
    if let Command::ProveModel(args) = &args.command {
        return prove::run(args);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("cannot start the runtime")),
    };
    let done = runtime.block_on(async {
        match args.command {
            Command::Serve(serve) => serve::run(serve).await,
            Command::Explain(explain) => explain::run(*explain).await,
            Command::Evaluate(evaluate) => evaluate::run(*evaluate).await,
            Command::Faces(faces) if faces.why.is_some() => why::run(faces).await,
            Command::Report(args) => report::run(*args).await,
            Command::Faces(faces) => faces::run(faces).await,
            Command::Predict(predict) => predict::run(predict).await,
            Command::Reproduce(args) => reproduce::run(args).await,
            Command::Models(Models { action: Some(ModelsAction::Calibrate(args)), .. }) => {
                list::calibrate(args).await
            }
            Command::Models(Models { action: None, list }) => list::models(list).await,
            Command::Config(args) => config::run(&args.action),
            Command::Doctor(args) => doctor::run(args).await,
            Command::Methods(list) => list::methods(list).await,
            Command::Metrics(list) => list::metrics(list).await,
            Command::ProveModel(args) => Ok(prove::run(&args)),
        }
    });
    // Work that a signal has cut off must not keep the process alive.
    runtime.shutdown_background();
    match done {
        Ok(code) => code,
        Err(error) if closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// A reader that has seen enough, such as `head`, is no failure.
fn closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe)
}

fn fail(error: &anyhow::Error) -> ExitCode {
    // Where even standard error is closed, the exit code is all there is.
    let _ = writeln!(std::io::stderr(), "unmask: {error:#}");
    if is_of_configuration(error) { ExitCode::from(CONFIGURATION) } else { ExitCode::FAILURE }
}

/// What programs end with whose configuration is wrong.
const CONFIGURATION: u8 = 78;

fn is_of_configuration(error: &anyhow::Error) -> bool {
    let start = error.downcast_ref::<StartError>();
    error.is::<ConfigError>() || start.is_some_and(StartError::is_of_configuration)
}
