//! `cargo xtask chaos`: the release binary under overload, signals and a long day. Half an hour, on a machine that does nothing
//! else; no part of the tests.

use std::process::Command;

use crate::tools::{self, cargo, root, target};
use crate::{onnxruntime, python};

pub(crate) fn run(rest: &[String]) -> anyhow::Result<()> {
    let library = onnxruntime::library()?;
    let python = python::environment(&root().join("tests/requirements.txt"))?;
    let fixtures = target().join("fixtures");
    tools::run(Command::new(&python).arg(root().join("tests/fixtures/make_models.py")).arg(&fixtures))?;
    tools::run(cargo().args(["build", "--release", "--locked", "-p", "unmask-cli"]))?;
    let mut chaos = cargo();
    chaos.args(["run", "--release", "--locked", "-p", "unmask-tests", "--bin", "chaos", "--"]);
    chaos.env("ORT_DYLIB_PATH", &library).arg("--fixtures").arg(&fixtures);
    tools::run(chaos.arg("--unmask").arg(target().join("release/unmask")).args(rest))
}
