//! Models that only a run can tell from others are refused by the process of their first probe, and the server serves on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROBE: &str = "its first probe, in a process of its own,";

fn from_set_up(name: &str) -> PathBuf {
    std::env::var_os(name)
        .unwrap_or_else(|| panic!("{name} is not set; run these tests with `cargo xtask test`"))
        .into()
}

/// A directory of models with one of the test models beside the shipped detector.
fn root(name: &str) -> tempfile::TempDir {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let shipped = project.join("models/selfblend-mobilenetv2");
    std::os::unix::fs::symlink(shipped, dir.path().join("selfblend-mobilenetv2")).unwrap();
    std::os::unix::fs::symlink(from_set_up("TEST_FIXTURES").join(name), dir.path().join(name)).unwrap();
    dir
}

/// What `unmask models` prints of one of the test models, with its first probe in a process of its own.
fn models(name: &str, settings: &[&str]) -> String {
    let root = root(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_unmask"));
    command
        .arg("models")
        .arg("--models")
        .arg(root.path())
        .arg("--onnxruntime")
        .arg(from_set_up("ORT_DYLIB_PATH"));
    command.args(["--set", "pool.calibration=off", "--set", "models.default=selfblend-mobilenetv2"]);
    command.args(["--set", "models.probe=child"]);
    command.args(settings.iter().flat_map(|setting| ["--set", setting]));
    let output = command.output().unwrap();
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}{}", text(&output.stderr));
    assert!(printed.contains("selfblend-mobilenetv2@1"), "{printed}");
    printed
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The hidden command itself, without a server that looks at the clock.
fn prove(bundle: &Path, digest: &str, limits: [&str; 2]) -> Output {
    let library = from_set_up("ORT_DYLIB_PATH");
    let mut command = Command::new(env!("CARGO_BIN_EXE_unmask"));
    command.arg("prove-model").args(limits).args(["--digest", digest]);
    command.arg("--bundle").arg(bundle).arg("--library").arg(library).output().unwrap()
}

#[test]
fn a_model_that_eats_memory_is_refused() {
    let printed = models("hostile-memory", &["models.probe_memory_bytes=1073741824"]);
    let reason = format!("{PROBE} used more than 1 GiB of memory (models.probe_memory_bytes)");
    assert!(printed.contains(&reason), "{printed}");
}

#[test]
fn a_model_that_takes_minutes_is_refused() {
    let printed = models("hostile-slow", &["models.probe_seconds=3"]);
    let reason = format!("{PROBE} did not end within 3 s (models.probe_seconds)");
    assert!(printed.contains(&reason), "{printed}");
}

#[test]
fn a_loop_without_end_is_refused_where_loops_are_allowed() {
    let printed = models("hostile-loop", &["models.probe_seconds=3", "models.operators=Loop"]);
    let reason = format!("{PROBE} did not end within 3 s (models.probe_seconds)");
    assert!(printed.contains(&reason), "{printed}");
}

const ENOUGH: [&str; 2] = ["--memory-bytes=1073741824", "--seconds=60"];

/// The digest of a test model, as a process that was given another says it.
fn digest(bundle: &Path) -> String {
    let other = "0".repeat(64);
    let refused = prove(bundle, &other, ENOUGH);
    assert_eq!(refused.status.code(), Some(1));
    let printed = text(&refused.stdout);
    let start = format!("the model has changed: it had digest {other} when it was read first and has ");
    printed.strip_prefix(&start).unwrap_or_else(|| panic!("{printed}")).trim().to_owned()
}

#[test]
fn a_right_model_is_proven_and_one_that_has_changed_is_not() {
    let bundle = from_set_up("TEST_FIXTURES").join("external-listed/1");
    let proven = prove(&bundle, &digest(&bundle), ENOUGH);
    assert!(proven.status.success(), "{}{}", text(&proven.stdout), text(&proven.stderr));
}

#[test]
fn the_process_limits_its_own_memory() {
    let bundle = from_set_up("TEST_FIXTURES").join("external-listed/1");
    let refused = prove(&bundle, &digest(&bundle), ["--memory-bytes=33554432", "--seconds=60"]);
    assert!(!refused.status.success());
}

#[test]
fn the_process_limits_its_own_time() {
    let bundle = from_set_up("TEST_FIXTURES").join("hostile-slow/1");
    let ended = prove(&bundle, &digest(&bundle), ["--memory-bytes=4294967296", "--seconds=1"]);
    assert!(ended.status.signal().is_some(), "{:?}", ended.status);
}

#[test]
fn the_command_that_proves_is_not_in_the_help() {
    let help = Command::new(env!("CARGO_BIN_EXE_unmask")).arg("--help").output().unwrap();
    assert!(!text(&help.stdout).contains("prove"), "{}", text(&help.stdout));
}
