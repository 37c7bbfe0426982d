//! `cargo xtask bench`: the table of speed and fairness, and the parts of the hot path. Minutes, on a machine that does nothing
//! else; no part of the tests.

use crate::tools::{self, cargo, root};
use crate::{onnxruntime, python};

pub(crate) fn run(rest: &[String]) -> anyhow::Result<()> {
    if rest == ["--parts"] {
        return tools::run(cargo().args(["bench", "--locked", "-p", "unmask-tests", "--benches"]));
    }
    let library = onnxruntime::library()?;
    let python = python::environment(&root().join("tests/bench/requirements.txt"))?;
    let mut bench = cargo();
    bench.args(["run", "--release", "--locked", "-p", "unmask-tests", "--bin", "bench", "--"]);
    bench.env("ORT_DYLIB_PATH", &library).arg("--python").arg(python);
    tools::run(bench.args(rest))
}
