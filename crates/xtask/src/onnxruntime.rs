//! Fetches ONNX Runtime by package name. Version and hashes of package and library are pinned.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::python;
use crate::tools::{run, sha256, target, tell};

const VERSION: &str = "1.31.1";

/// A pinned package and the library inside it.
struct Pin {
    platform: &'static str,
    wheel: &'static str,
    library: &'static str,
}

const X86_64: Pin = Pin {
    platform: "manylinux_2_28_x86_64",
    wheel: "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
    library: "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
};
const AARCH64: Pin = Pin {
    platform: "manylinux_2_28_aarch64",
    wheel: "da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3",
    library: "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
};

/// The library, fetched if it is not there yet. `ORT_DYLIB_PATH` names another one.
pub(crate) fn library() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|v| !v.is_empty()) {
        return Ok(path.into());
    }
    let pin = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => X86_64,
        ("linux", "aarch64") => AARCH64,
        (os, arch) => bail!(
            "no ONNX Runtime is pinned for {os} on {arch}; set ORT_DYLIB_PATH to one of version {VERSION}"
        ),
    };
    let dir = target().join("onnxruntime").join(VERSION);
    let library = dir.join(format!("libonnxruntime.so.{VERSION}"));
    if library.exists() && sha256(&library)? == pin.library {
        return Ok(library);
    }
    tell(&format!("fetching onnxruntime {VERSION}"));
    fetch(&pin, &dir, &library)?;
    Ok(library)
}

fn fetch(pin: &Pin, dir: &Path, library: &Path) -> anyhow::Result<()> {
    let parts = dir.join("parts");
    let _ = std::fs::remove_dir_all(&parts);
    std::fs::create_dir_all(&parts)?;
    // The interpreter's version is fixed, so that everybody gets the same file whatever Python they have.
    let python_of_wheel = ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"];
    run(python::system()
        .args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
        ])
        .args(python_of_wheel)
        .args(["--platform", pin.platform, "--dest"])
        .arg(&parts)
        .arg(format!("onnxruntime=={VERSION}")))?;
    let wheel = parts.join(format!("onnxruntime-{VERSION}-cp311-cp311-{}.whl", pin.platform));
    expect(&wheel, pin.wheel)?;
    let inside = format!("onnxruntime/capi/libonnxruntime.so.{VERSION}");
    extract(&wheel, &inside, &parts)?;
    let extracted = parts.join(inside);
    expect(&extracted, pin.library)?;
    // Renamed last: a library that is there is whole.
    std::fs::rename(extracted, library)?;
    std::fs::remove_dir_all(&parts)?;
    Ok(())
}

fn extract(wheel: &Path, inside: &str, to: &Path) -> anyhow::Result<()> {
    let script = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract(sys.argv[2], sys.argv[3])";
    let mut python: Command = python::system();
    run(python.args(["-c", script]).arg(wheel).arg(inside).arg(to))
}

fn expect(path: &Path, pinned: &str) -> anyhow::Result<()> {
    let got = sha256(path)?;
    if got != pinned {
        bail!("{} has SHA-256 {got}, pinned is {pinned}; it is not used", path.display());
    }
    Ok(())
}
