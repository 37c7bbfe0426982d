//! The Dockerfile: hadolint, and that its versions are those of the project.

use std::process::Command;

use anyhow::Context as _;

use super::{chart, tools};
use crate::tools::root;

pub(super) fn check() -> anyhow::Result<Vec<String>> {
    let toolchain: toml::Table =
        toml::from_str(&std::fs::read_to_string(root().join("rust-toolchain.toml"))?)?;
    let workspace: toml::Table = toml::from_str(&std::fs::read_to_string(root().join("Cargo.toml"))?)?;
    let rust = toolchain["toolchain"]["channel"].as_str().context("rust-toolchain.toml names no channel")?;
    let version =
        workspace["workspace"]["package"]["version"].as_str().context("the workspace has no version")?;
    let mut faults = version_faults(&text()?, rust, version);
    let chart = std::fs::read_to_string(chart().join("Chart.yaml"))?;
    if !chart.contains(&format!("appVersion: \"{version}\"\n")) {
        faults.push(format!("Chart.yaml has another appVersion than the workspace, which is {version}"));
    }
    let mut hadolint = Command::new(tools::hadolint()?);
    hadolint.current_dir(root()).args(["--no-color", "--config", ".hadolint.yaml", "Dockerfile"]);
    faults.extend(tools::faults_of(&mut hadolint)?);
    Ok(faults)
}

/// What containers do where nobody says otherwise.
pub(super) fn commands() -> anyhow::Result<Vec<Vec<String>>> {
    let text = text()?;
    let commands = text.lines().filter_map(|line| line.strip_prefix("CMD "));
    commands.map(|words| serde_json::from_str(words).context("CMD is no list of words")).collect()
}

fn text() -> anyhow::Result<String> {
    std::fs::read_to_string(root().join("Dockerfile")).context("cannot read Dockerfile")
}

fn version_faults(dockerfile: &str, rust: &str, version: &str) -> Vec<String> {
    let wanted = [
        (format!("FROM rust:{rust}-"), "builds with another Rust than rust-toolchain.toml's"),
        (format!("RUSTUP_TOOLCHAIN={rust}\n"), "names another toolchain than rust-toolchain.toml"),
    ];
    let missing = wanted.iter().filter(|(text, _)| !dockerfile.contains(text));
    let mut faults: Vec<_> = missing.map(|(text, fault)| format!("{fault}: no {}", text.trim())).collect();
    let other = |line: &&str| line.strip_prefix("ARG VERSION=").is_some_and(|given| given != version);
    faults.extend(
        dockerfile.lines().filter(other).map(|line| format!("{line}, and the workspace is {version}")),
    );
    let stages: Vec<_> = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    if !stages.last().is_some_and(|last| last.ends_with(" AS cpu")) {
        faults.push("the last stage, which is built where none is named, is not cpu".into());
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_project() {
        let text = "FROM rust:1.2.3-x AS source\nENV RUSTUP_TOOLCHAIN=1.2.3\nFROM y AS cpu\nARG VERSION=4\n";
        assert!(version_faults(text, "1.2.3", "4").is_empty());
        assert_eq!(version_faults(text, "1.2.4", "4").len(), 2);
        assert_eq!(version_faults(text, "1.2.3", "5"), ["ARG VERSION=4, and the workspace is 5"]);
        assert_eq!(version_faults(&format!("{text}FROM z AS cuda\n"), "1.2.3", "4").len(), 1);
    }

    #[test]
    fn a_container_serves_where_nothing_else_is_said() {
        let all = commands().unwrap();
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|words| words[0] == "serve"), "{all:?}");
    }
}
