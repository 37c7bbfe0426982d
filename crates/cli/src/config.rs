//! `unmask config`: whether a configuration is right, what it comes to, and what there is.

use std::io::Write as _;
use std::process::ExitCode;

use unmask_server::{Config, schema, secure};

use crate::args::{ConfigAction, Serve};
use crate::{client, serve};

pub(crate) fn run(action: &ConfigAction) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    match action {
        ConfigAction::Check(args) => {
            let config = read(args)?;
            secure(&config)?;
            writeln!(out, "the configuration is right")?;
            for lack in config.not_built() {
                writeln!(std::io::stderr(), "unmask: pool.devices: {lack}, which this one is not")?;
            }
        }
        ConfigAction::Show(args) => write!(out, "{}", read(args)?.shown()?)?,
        ConfigAction::Schema => writeln!(out, "{:#}", schema())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// As a server has it.
fn read(args: &Serve) -> anyhow::Result<Config> {
    Ok(client::config(&args.engine, &serve::flags(args), false)?.serving())
}
