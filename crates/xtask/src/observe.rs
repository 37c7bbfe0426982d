//! `cargo xtask observe`: the server beside a real OTLP collector (rotel, from its pinned Python package) and a real Prometheus (the
//! system's `prometheus`, or `PROMETHEUS`). A minute; no part of the tests.

use std::process::Command;

use crate::tools::{self, cargo, root, target};
use crate::{onnxruntime, python};

pub(crate) fn run() -> anyhow::Result<()> {
    let library = onnxruntime::library()?;
    let python = python::environment(&root().join("tests/observe/requirements.txt"))?;
    tools::run(cargo().args(["build", "--locked", "-p", "unmask-cli"]))?;
    let mut observe = Command::new(python);
    observe.arg(root().join("tests/observe/observe.py")).env("ORT_DYLIB_PATH", library);
    tools::run(observe.arg("--unmask").arg(target().join("debug/unmask")).arg("--root").arg(root()))
}
