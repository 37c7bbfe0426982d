//! `cargo xtask study`: which method over which fill finds what was manipulated. Hours; stopped and gone on with at will.

use crate::onnxruntime;
use crate::tools::{self, cargo, root, target};

pub(crate) fn run(rest: &[String]) -> anyhow::Result<()> {
    let library = onnxruntime::library()?;
    let dir = target().join("study");
    std::fs::create_dir_all(&dir)?;
    let mut study = cargo();
    study.args(["run", "--release", "--locked", "-p", "unmask-tests", "--bin", "study", "--"]);
    study.env("ORT_DYLIB_PATH", &library);
    study.arg("--rows").arg(dir.join("rows.jsonl")).arg("--report").arg(root().join("docs/study.md"));
    tools::run(study.args(rest))
}
