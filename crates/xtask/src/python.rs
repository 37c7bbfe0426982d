//! Python for the tests: a virtual environment of their own with pinned packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{run, say, sha256, target};

/// The system's Python 3.
pub(crate) fn system() -> Command {
    Command::new(std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into()))
}

/// The interpreter of a virtual environment with these requirements, made if they have changed.
pub(crate) fn environment(requirements: &Path) -> anyhow::Result<PathBuf> {
    let dir = target().join("python").join(&sha256(requirements)?[..16]);
    let python = dir.join("bin/python");
    let whole = dir.join("whole");
    if whole.exists() {
        return Ok(python);
    }
    say(&format!("installing {}", requirements.display()));
    let _ = std::fs::remove_dir_all(&dir);
    run(system().args(["-m", "venv"]).arg(&dir))?;
    let mut pip = Command::new(&python);
    run(pip
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(requirements))?;
    // Written last: an environment that was cut off while it was made is made again.
    std::fs::write(whole, "")?;
    Ok(python)
}
