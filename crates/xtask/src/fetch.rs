//! Fetches packages by name and version through their ordinary clients, and believes a file only by its pinned SHA-256.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::python;
use crate::tools::{run, sha256};

/// A wheel in an empty directory of its own.
pub(crate) fn wheel(package: &str, options: &[&str], pinned: &str, dir: &Path) -> anyhow::Result<PathBuf> {
    empty(dir)?;
    let quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"];
    run(python::system()
        .args(["-m", "pip", "download"])
        .args(quiet)
        .args(options)
        .arg("--dest")
        .arg(dir)
        .arg(package))?;
    the_file(dir, pinned)
}

/// A package of npm, as the archive that it is published as.
pub(crate) fn npm(package: &str, pinned: &str, dir: &Path) -> anyhow::Result<PathBuf> {
    empty(dir)?;
    run(Command::new("npm")
        .args(["pack", "--silent", "--pack-destination"])
        .arg(dir)
        .arg(package)
        .stdout(std::io::stderr()))?;
    the_file(dir, pinned)
}

/// A package of Debian. The lists of packages are kept below `lists`, so that nobody has to be root.
pub(crate) fn deb(package: &str, pinned: &str, lists: &Path, dir: &Path) -> anyhow::Result<PathBuf> {
    empty(dir)?;
    std::fs::create_dir_all(lists.join("partial"))?;
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.arg("-qq").arg("-o").arg(format!("Dir::State::Lists={}", lists.display()));
        // Lists need not be unpacked into a cache for one package, and whoever runs this may not write the system's.
        apt.args(["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="]);
        apt.args(["-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=true"]).current_dir(dir);
        apt
    };
    run(apt().arg("update").stdout(std::io::stderr()))?;
    run(apt().arg("download").arg(package).stdout(std::io::stderr()))?;
    the_file(dir, pinned)
}

/// Takes files out of a zip archive, such as a wheel.
pub(crate) fn unzip(archive: &Path, inside: &[String], to: &Path) -> anyhow::Result<()> {
    let script = "import sys, zipfile\nfor name in sys.argv[3:]: zipfile.ZipFile(sys.argv[1]).extract(name, sys.argv[2])";
    run(python::system().args(["-c", script]).arg(archive).arg(to).args(inside))
}

/// Takes a file out of a compressed tar archive.
pub(crate) fn untar(archive: &Path, inside: &str, to: &Path) -> anyhow::Result<()> {
    run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(to).arg(inside))
}

/// Fails where a file is not the one that is pinned.
pub(crate) fn expect(path: &Path, pinned: &str) -> anyhow::Result<()> {
    let got = sha256(path)?;
    if got != pinned {
        bail!("{} has SHA-256 {got}, pinned is {pinned}; it is not used", path.display());
    }
    Ok(())
}

fn empty(dir: &Path) -> anyhow::Result<()> {
    // What is not there need not go.
    let _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))
}

/// The one file that a client has put into a directory.
fn the_file(dir: &Path, pinned: &str) -> anyhow::Result<PathBuf> {
    let files =
        std::fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    let [file] = files.as_slice() else { bail!("{} holds {} files, not one", dir.display(), files.len()) };
    expect(file, pinned)?;
    Ok(file.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_the_pinned_one_is_not_used() {
        let dir = std::env::temp_dir().join(format!("unmask-fetch-{}", std::process::id()));
        empty(&dir).unwrap();
        std::fs::write(dir.join("a"), "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(the_file(&dir, abc).unwrap(), dir.join("a"));
        let other = the_file(&dir, &abc.replace('b', "c")).unwrap_err().to_string();
        assert!(other.contains("it is not used"), "{other}");
        std::fs::write(dir.join("b"), "").unwrap();
        assert!(the_file(&dir, abc).unwrap_err().to_string().contains("holds 2 files"));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
