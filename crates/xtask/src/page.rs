//! `cargo xtask page`: makes the files of the page that the server embeds, compares them with a fresh build, shows them to a browser.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::Args;

use crate::onnxruntime;
use crate::running::Running;
use crate::tools::{self, cargo, root, say, target};

/// Options.
#[derive(Args)]
pub(crate) struct Options {
    /// Build afresh in a folder of its own, and fail where crates/server/ui/dist is anything else
    #[arg(long)]
    check: bool,
    /// Use the page of a server of its own in Chromium, and write screenshots into target/page; CHROMIUM names another one
    #[arg(long, conflicts_with = "check")]
    browser: bool,
}

const UI: &str = "crates/server/ui";
/// What a build leaves beside its sources.
const MADE: [&str; 3] = ["node_modules", "gen", "dist"];

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    match (options.check, options.browser) {
        (true, _) => check(),
        (false, true) => browser(),
        (false, false) => {
            packages(&root().join(UI))?;
            build(&root().join(UI))?;
            say(&format!("built {UI}/dist"));
            Ok(())
        }
    }
}

/// Exactly the packages of the lock file.
fn packages(ui: &Path) -> anyhow::Result<()> {
    tools::run(
        Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(ui),
    )
    .context("npm of Node.js 20 or newer is needed")
}

fn build(ui: &Path) -> anyhow::Result<()> {
    tools::run(Command::new("npm").args(["run", "--silent", "build"]).current_dir(ui))
}

/// The sources and the contract are copied to where nothing of an earlier build lies, at the same places to each other.
fn check() -> anyhow::Result<()> {
    let fresh = target().join("page/fresh");
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh)?;
    }
    let ui = fresh.join(UI);
    copy(&root().join(UI), &ui)?;
    copy(&root().join("proto"), &fresh.join("proto"))?;
    std::fs::copy(root().join("LICENSE"), fresh.join("LICENSE"))?;
    packages(&ui)?;
    build(&ui)?;
    let faults = differences(&root().join(UI).join("dist"), &ui.join("dist"))?;
    if !faults.is_empty() {
        bail!("{UI}/dist is not what its sources make; run cargo xtask page:\n  {}", faults.join("\n  "));
    }
    say("page: the files are what their sources make");
    Ok(())
}

/// Copies a folder without what a build makes.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if MADE.iter().any(|made| name == **made) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(name))?;
        } else {
            std::fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// What is in one folder and not in the other, byte for byte.
fn differences(kept: &Path, made: &Path) -> anyhow::Result<Vec<String>> {
    let names = |dir: &Path| -> anyhow::Result<BTreeSet<PathBuf>> {
        let entries = std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
        entries.map(|entry| Ok(entry?.file_name().into())).collect()
    };
    let all: BTreeSet<_> = names(kept)?.union(&names(made)?).cloned().collect();
    let mut faults = Vec::new();
    for name in all {
        let read = |dir: &Path| std::fs::read(dir.join(&name)).ok();
        let name = name.display();
        match (read(kept), read(made)) {
            (Some(kept), Some(made)) if kept == made => {}
            (Some(kept), Some(made)) => {
                let same = kept.iter().zip(&made).take_while(|(a, b)| a == b).count();
                let (kept, made) = (kept.len(), made.len());
                faults.push(format!(
                    "{name}: differs from byte {same} on ({kept} bytes, a fresh one has {made})"
                ));
            }
            (Some(_), None) => faults.push(format!("{name}: no build makes it")),
            (None, _) => faults.push(format!("{name}: is missing")),
        }
    }
    Ok(faults)
}

/// A server of its own for as long as the browser uses it.
fn browser() -> anyhow::Result<()> {
    let chromium = chromium()?;
    let library = onnxruntime::library()?;
    let ui = root().join(UI);
    if !ui.join("node_modules/playwright-core").is_dir() {
        packages(&ui)?;
    }
    tools::run(cargo().args(["build", "--locked", "-p", "unmask-cli"]))?;
    let unmask = target().join("debug/unmask");
    let server = Running::start(&unmask, &library, &["server.ui=true".into(), "log.filter=warn".into()])?;
    let shots = target().join("page");
    std::fs::create_dir_all(&shots)?;
    tools::run(
        Command::new("node")
            .arg("test/browser.mjs")
            .arg(format!("http://{}", server.address))
            .arg(&shots)
            .env("CHROMIUM", chromium)
            .current_dir(ui),
    )?;
    say(&format!("page: it works; look at {}", shots.display()));
    Ok(())
}

/// The browser: the one that is named, or Debian's.
fn chromium() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let file = named.unwrap_or_else(|| "/usr/bin/chromium".into());
    if !file.is_file() {
        bail!("there is no browser at {}: apt-get install chromium, or name one in CHROMIUM", file.display());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_differs_is_missing_or_too_many_is_told() {
        let dir = std::env::temp_dir().join(format!("unmask-page-{}", std::process::id()));
        let (kept, made) = (dir.join("kept"), dir.join("made"));
        for (file, text) in [("kept/a", "same"), ("made/a", "same"), ("kept/b", "abc"), ("made/b", "abd!")] {
            let file = dir.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        assert_eq!(
            differences(&kept, &made).unwrap(),
            ["b: differs from byte 2 on (3 bytes, a fresh one has 4)"]
        );
        std::fs::write(kept.join("old"), "").unwrap();
        std::fs::write(made.join("new"), "").unwrap();
        std::fs::remove_file(kept.join("b")).unwrap();
        let faults = differences(&kept, &made).unwrap();
        assert_eq!(faults, ["b: is missing", "new: is missing", "old: no build makes it"]);
        copy(&dir, &dir.join("dist")).unwrap();
        assert!(dir.join("dist/kept/a").exists() && !dir.join("dist/dist").exists());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
