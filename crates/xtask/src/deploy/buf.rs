//! The protocol: style, and that it breaks nobody who goes by the one that was last agreed on.

use std::process::Command;

use super::tools;
use crate::tools::{root, run, say};

/// The descriptor set of the agreed protocol.
const AGREED: &str = "proto/agreed.binpb";

/// `buf lint`, and `buf breaking` against the agreed protocol.
pub(super) fn check() -> anyhow::Result<Vec<String>> {
    let buf = tools::buf()?;
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&buf);
        command.current_dir(root()).args(arguments);
        command
    };
    let mut faults = tools::faults_of(&mut command(&["lint", "proto"]))?;
    let breaking = tools::faults_of(&mut command(&["breaking", "proto", "--against", AGREED]))?;
    let way = "clients break; where that is agreed, cargo xtask check-deploy --agree";
    faults.extend(breaking.into_iter().map(|fault| format!("{fault}\n  ({way})")));
    Ok(faults)
}

/// Writes the protocol as it is as the agreed one.
pub(super) fn agree() -> anyhow::Result<()> {
    // Without comments and places, so that the file changes only where the protocol does.
    let arguments = ["build", "proto", "--exclude-source-info", "--output", AGREED];
    run(Command::new(tools::buf()?).current_dir(root()).args(arguments))?;
    say(&format!("{AGREED} is the protocol as it is now"));
    Ok(())
}
