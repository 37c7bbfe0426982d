//! Builds the image, from what can be had.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::deploy::tools::{Missing, on_path};
use crate::onnxruntime;
use crate::tools::{cargo, root, run, say, target};

/// The label of images that only stand in for others.
const STAND_IN: &str = "unmask.stand-in";

/// buildah with a storage of its own, below `target`.
pub(super) struct Buildah {
    program: PathBuf,
    storage: PathBuf,
}

/// An image, and what it was made of for want of something better.
pub(super) struct Built {
    pub(super) name: String,
    pub(super) makeshift: Vec<String>,
}

impl Buildah {
    pub(super) fn find() -> anyhow::Result<Self> {
        let missing = || Missing { tool: "buildah", way: "install the package buildah, 1.28 or newer" };
        let program = on_path("buildah").ok_or_else(missing)?;
        let user = Command::new("id").arg("-u").output().context("cannot ask who runs this")?;
        anyhow::ensure!(user.stdout == b"0\n", "an image's root is mounted and entered: run this as root");
        Ok(Self { program, storage: target().join("image/storage") })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        // Plain copies work on every file system, and are few.
        command.arg("--root").arg(&self.storage).args(["--storage-driver", "vfs"]);
        command.arg("--runroot").arg(self.storage.with_file_name("run")).args(arguments).current_dir(root());
        command
    }

    /// What a command prints, without white space around it.
    pub(super) fn ask(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(arguments).output().context("cannot run buildah")?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "buildah {}: {}", arguments.join(" "), said.trim());
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

/// Builds the target `cpu`.
pub(super) fn image(buildah: &Buildah) -> anyhow::Result<Built> {
    let dockerfile = std::fs::read_to_string(root().join("Dockerfile"))?;
    let (builder, base) = (base_of(&dockerfile, "source")?, base_of(&dockerfile, "cpu")?);
    let mut makeshift = Vec::new();
    if buildah.ask(&["pull", "--quiet", base]).is_err() {
        stand_in(buildah, base)?;
        makeshift.push(format!("a minimal Debian stands in for {base}, which cannot be pulled here"));
    }
    let name = format!("unmask:{}", env!("CARGO_PKG_VERSION"));
    let revision = revision();
    let arguments = ["build", "--isolation", "chroot", "--pull-never", "--target", "cpu", "--tag", &name];
    let mut build = buildah.command(&arguments);
    build.arg("--build-arg").arg(format!("REVISION={revision}"));
    if buildah.ask(&["pull", "--quiet", builder]).is_err() {
        let context = built_here()?;
        // It takes the place of the stage of that name, which is then not built.
        build.arg("--build-context").arg(format!("build-cpu={}", context.display()));
        makeshift.push(format!("the binary was built on this machine: {builder} cannot be pulled here"));
    }
    run(build.args(["--file", "Dockerfile", "."]))?;
    Ok(Built { name, makeshift })
}

/// What the builder's stage would have made.
fn built_here() -> anyhow::Result<PathBuf> {
    say("building unmask on this machine");
    run(cargo().args(["build", "--release", "--locked", "-p", "unmask-cli"]))?;
    let context = target().join("image/build-cpu");
    // Made afresh; where there is none, nothing has to go.
    let _ = std::fs::remove_dir_all(&context);
    let out = context.join("out");
    onnxruntime::install(&out.join("usr/local/lib/onnxruntime"), false)?;
    let put = |from: &Path, to: &str, mode: &str| {
        run(Command::new("install").args(["-D", "--mode", mode]).arg(from).arg(out.join(to)))
    };
    put(&target().join("release/unmask"), "usr/local/bin/unmask", "755")?;
    let roots = Path::new("/etc/ssl/certs/ca-certificates.crt");
    if roots.exists() {
        put(roots, "etc/ssl/certs/ca-certificates.crt", "644")?;
    }
    Ok(context)
}

/// Makes an image of a minimal Debian under the name of another, unless there is one.
fn stand_in(buildah: &Buildah, name: &str) -> anyhow::Result<()> {
    let label = format!("{{{{index .OCIv1.Config.Labels \"{STAND_IN}\"}}}}");
    if buildah
        .ask(&["inspect", "--type", "image", "--format", &label, name])
        .is_ok_and(|label| label == "true")
    {
        return Ok(());
    }
    let missing = || Missing {
        tool: "mmdebstrap",
        way: "install the package mmdebstrap, or let buildah reach a registry",
    };
    let mmdebstrap = on_path("mmdebstrap").ok_or_else(missing)?;
    let suite = suite(name);
    say(&format!("making a minimal Debian {suite} in place of {name}"));
    let archive = target().join("image/base.tar");
    std::fs::create_dir_all(target().join("image"))?;
    run(Command::new(mmdebstrap).args(["--quiet", "--variant=minbase", suite]).arg(&archive))?;
    let container = buildah.ask(&["from", "scratch"])?;
    buildah.ask(&["add", "--quiet", &container, &archive.display().to_string(), "/"])?;
    buildah.ask(&["config", "--label", &format!("{STAND_IN}=true"), &container])?;
    buildah.ask(&["commit", "--quiet", "--rm", &container, name])?;
    Ok(std::fs::remove_file(archive)?)
}

/// The image that a stage begins with.
fn base_of<'a>(dockerfile: &'a str, stage: &str) -> anyhow::Result<&'a str> {
    let ending = format!(" AS {stage}");
    let mut bases = dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")?.strip_suffix(&ending));
    bases.next().with_context(|| format!("the Dockerfile has no stage {stage}"))
}

/// The release of Debian in a tag such as `debian:bookworm-slim`.
fn suite(name: &str) -> &str {
    let tag = name.rsplit(':').next().unwrap_or(name);
    tag.split('-').next().unwrap_or(tag)
}

/// The commit, marked where something has been changed since.
fn revision() -> String {
    let git = Command::new("git")
        .current_dir(root())
        .args(["describe", "--always", "--dirty", "--abbrev=40"])
        .output();
    let said = git.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    said.map_or_else(|| "unknown".into(), |text| String::from_utf8_lossy(&text).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_begin_with_images_whose_tags_name_a_release() {
        let dockerfile =
            "FROM rust:1-bookworm AS source\nFROM source AS build-cpu\nFROM debian:bookworm-slim AS cpu\n";
        assert_eq!(base_of(dockerfile, "source").unwrap(), "rust:1-bookworm");
        assert_eq!(suite(base_of(dockerfile, "cpu").unwrap()), "bookworm");
        assert!(base_of(dockerfile, "cuda").is_err());
    }
}
