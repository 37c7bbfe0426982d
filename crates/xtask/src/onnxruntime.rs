//! Fetches ONNX Runtime by package name. Versions and hashes of packages and files are pinned here and nowhere else: the image's
//! build calls this task.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::fetch;
use crate::tools::{sha256, target, tell};

const VERSION: &str = "1.31.1";
/// Files that go with every copy: its licence and those of what it is made of.
const LICENCES: [&str; 2] = ["LICENSE", "ThirdPartyNotices.txt"];

/// A pinned package and the libraries inside it, the one to load first.
struct Pin {
    package: &'static str,
    platform: &'static str,
    wheel: &'static str,
    libraries: &'static [(&'static str, &'static str)],
}

const X86_64: Pin = Pin {
    package: "onnxruntime",
    platform: "manylinux_2_28_x86_64",
    wheel: "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
    libraries: &[(
        "libonnxruntime.so.1.31.1",
        "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
    )],
};
const AARCH64: Pin = Pin {
    package: "onnxruntime",
    platform: "manylinux_2_28_aarch64",
    wheel: "da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3",
    libraries: &[(
        "libonnxruntime.so.1.31.1",
        "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
    )],
};
/// CUDA 13 and cuDNN 9. The libraries find each other in one directory.
const GPU: Pin = Pin {
    package: "onnxruntime-gpu",
    platform: "manylinux_2_28_x86_64",
    wheel: "e26c475fe361b2015f45b4b824bd13f0bb20204e59b62814e6f0acd5f3d491a6",
    libraries: &[
        ("libonnxruntime.so.1.31.1", "5104254339ecadae808da771bd0b63b240f0dbd466514234905e54372435c303"),
        (
            "libonnxruntime_providers_cuda.so",
            "d5290158115fa5569a3fe8f1f4037ee9b0e86658a96e52f852bbb7039aa88137",
        ),
        (
            "libonnxruntime_providers_shared.so",
            "086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d",
        ),
        (
            "libonnxruntime_providers_tensorrt.so",
            "1882ee49fdb0e6fc2d272b00cfaf9a3310bf8580a34385c0eec4d82014ea172e",
        ),
    ],
};

/// The library, fetched if it is not there yet. `ORT_DYLIB_PATH` names another one.
pub(crate) fn library() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|v| !v.is_empty()) {
        return Ok(path.into());
    }
    fetched(&pin(false)?)
}

/// Puts the libraries and their licences into a directory, whatever `ORT_DYLIB_PATH` says, and tells which one to load: the
/// same path in every version, so that nobody has to know which it is.
pub(crate) fn install(to: &Path, gpu: bool) -> anyhow::Result<PathBuf> {
    let pin = pin(gpu)?;
    let library = fetched(&pin)?;
    let from = library.parent().context("a file lies in a directory")?;
    std::fs::create_dir_all(to)?;
    let names = pin.libraries.iter().map(|(name, _)| *name);
    for name in names.chain(LICENCES) {
        let copied = std::fs::copy(from.join(name), to.join(name));
        copied.with_context(|| format!("cannot copy {name} into {}", to.display()))?;
    }
    let link = to.join("libonnxruntime.so");
    // A link of an earlier copy; where there is none, nothing is lost.
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(pin.libraries[0].0, &link)?;
    Ok(link)
}

fn pin(gpu: bool) -> anyhow::Result<Pin> {
    match (std::env::consts::OS, std::env::consts::ARCH, gpu) {
        ("linux", "x86_64", false) => Ok(X86_64),
        ("linux", "aarch64", false) => Ok(AARCH64),
        ("linux", "x86_64", true) => Ok(GPU),
        (os, arch, _) => {
            bail!(
                "no ONNX Runtime is pinned for {os} on {arch}; set ORT_DYLIB_PATH to one of version {VERSION}"
            )
        }
    }
}

fn fetched(pin: &Pin) -> anyhow::Result<PathBuf> {
    let dir = target().join(pin.package).join(VERSION);
    let whole = |(name, pinned): &(&str, &str)| sha256(&dir.join(name)).is_ok_and(|got| got == *pinned);
    let library = dir.join(pin.libraries[0].0);
    if pin.libraries.iter().all(whole) && LICENCES.iter().all(|name| dir.join(name).exists()) {
        return Ok(library);
    }
    tell(&format!("fetching {} {VERSION}", pin.package));
    let parts = dir.join("parts");
    // The interpreter's version is fixed, so that everybody gets the same file whatever Python they have.
    let python_of_wheel =
        ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--platform"];
    let mut options = python_of_wheel.to_vec();
    options.push(pin.platform);
    let wheel = fetch::wheel(&format!("{}=={VERSION}", pin.package), &options, pin.wheel, &parts)?;
    let libraries = pin.libraries.iter().map(|(name, _)| format!("onnxruntime/capi/{name}"));
    let inside: Vec<_> = libraries.chain(LICENCES.map(|name| format!("onnxruntime/{name}"))).collect();
    fetch::unzip(&wheel, &inside, &parts)?;
    for (name, pinned) in pin.libraries {
        fetch::expect(&parts.join("onnxruntime/capi").join(name), pinned)?;
    }
    // Renamed last, and the one that is loaded last of all: a library that is there is whole.
    for path in inside.iter().rev() {
        let name = Path::new(path).file_name().context("a path inside a wheel names a file")?;
        std::fs::rename(parts.join(path), dir.join(name))?;
    }
    std::fs::remove_dir_all(&parts)?;
    Ok(library)
}
