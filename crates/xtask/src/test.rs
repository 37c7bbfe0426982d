//! `cargo xtask test`: set-up, then every test.

use std::process::Command;

use crate::tools::{self, cargo, root, say, target};
use crate::{imports, onnxruntime, python};

pub(crate) fn run(rest: &[String]) -> anyhow::Result<()> {
    imports::check()?;
    let library = onnxruntime::library()?;
    let python = python::environment(&root().join("tests/requirements.txt"))?;
    let fixtures = target().join("fixtures");
    say("making test models");
    // Made afresh: a bundle that the script no longer writes must not linger.
    let _ = std::fs::remove_dir_all(&fixtures);
    tools::run(Command::new(&python).arg(root().join("tests/fixtures/make_models.py")).arg(&fixtures))?;
    say("making hostile pictures");
    let pictures = root().join("tests/fixtures/hostile_images.py");
    tools::run(Command::new(&python).arg(pictures).arg(fixtures.join("pictures")))?;

    let cargo_test = || {
        let mut command = cargo();
        command.arg("test").env("ORT_DYLIB_PATH", &library);
        command.env("TEST_FIXTURES", &fixtures).env("TEST_PYTHON", &python);
        command
    };
    tools::run(cargo_test().args(["--workspace", "--locked", "--no-fail-fast", "--"]).args(rest))?;
    say("the pool's queue, in every order of its threads");
    let orders = ["--locked", "-p", "unmask-pool", "--features", "loom", "--lib", "interleavings"];
    tools::run(cargo_test().args(orders))?;
    say("GPU providers: built, and asked for against a library that has none");
    let features = ["--locked", "-p", "unmask-tests", "--features", "cuda,tensorrt", "--test", "devices"];
    tools::run(cargo_test().args(features))
}
