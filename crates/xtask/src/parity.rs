//! `cargo xtask parity`: runs the scripts that ask the real peers, and tells whether their answers have changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::python;
use crate::tools::{self, root, say, sha256};

fn run_scripts(kit: &Path) -> anyhow::Result<()> {
    for script in files(kit, "py")? {
        let requirements = match script.file_name().and_then(|name| name.to_str()) {
            Some("common.py") => continue,
            // Quantus brings an OpenCV that cannot stand beside the others'.
            Some("metrics.py") => "requirements-metrics.txt",
            // Torch is too large to be asked for with the rest.
            Some("resize.py") => "requirements-torch.txt",
            _ => "requirements.txt",
        };
        let python = python::environment(&kit.join(requirements))?;
        say(&format!("asking {}", script.display()));
        tools::run(Command::new(python).arg(&script).current_dir(kit))?;
    }
    Ok(())
}

/// Fails where a golden file is not what its peer says today.
pub(crate) fn run() -> anyhow::Result<()> {
    let kit = root().join("tests/parity");
    let before = digests(&kit.join("golden"))?;
    run_scripts(&kit)?;
    let after = digests(&kit.join("golden"))?;
    let changed: Vec<_> = after
        .iter()
        .filter(|(file, digest)| before.get(*file) != Some(*digest))
        .map(|(file, _)| file)
        .collect();
    if !changed.is_empty() {
        bail!("golden files have changed: {changed:?}; look at them and commit, or find out why");
    }
    say(&format!("{} golden files are what the peers say", after.len()));
    Ok(())
}

fn digests(dir: &Path) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    let mut digests = BTreeMap::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            digests.extend(self::digests(&path)?);
        } else {
            let digest = sha256(&path)?;
            digests.insert(path, digest);
        }
    }
    Ok(digests)
}

fn files(dir: &Path, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>()?;
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == ending));
    files.sort();
    Ok(files)
}
