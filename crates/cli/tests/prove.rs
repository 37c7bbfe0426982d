//! Models that only a run can tell from others are refused by the process of their first probe, and the server serves on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader};
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
    proving(bundle, digest, limits).output().unwrap()
}

fn proving(bundle: &Path, digest: &str, limits: [&str; 2]) -> Command {
    let library = from_set_up("ORT_DYLIB_PATH");
    let mut command = Command::new(env!("CARGO_BIN_EXE_unmask"));
    command.arg("prove-model").args(limits).args(["--batch=2", "--digest", digest]);
    command.arg("--bundle").arg(bundle).arg("--library").arg(library);
    command
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
fn a_model_whose_memory_grows_with_the_batch_is_refused_for_the_batches_that_it_would_get() {
    let limit = "models.probe_memory_bytes=2147483648";
    let printed = models("hostile-batch", &[limit, "pool.batch=8", "pool.workers=1"]);
    let reason = format!("{PROBE} used more than 2 GiB of memory (models.probe_memory_bytes)");
    assert!(printed.contains(&reason), "{printed}");
    let printed = models("hostile-batch", &[limit, "pool.batch=2", "pool.workers=1"]);
    assert!(!printed.contains("its first probe"), "{printed}");
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
fn the_process_leaves_no_memory_of_its_own_behind() {
    let bundle = from_set_up("TEST_FIXTURES").join("hostile-slow/1");
    let mut proving = proving(&bundle, &digest(&bundle), ["--memory-bytes=4294967296", "--seconds=600"]);
    let mut process = proving.spawn().unwrap();
    let limits = format!("/proc/{}/limits", process.id());
    until(|| {
        let limits = std::fs::read_to_string(&limits).unwrap();
        let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
        core.split_whitespace().take(2).eq(["0", "0"])
    });
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn the_process_ends_with_the_one_that_started_it() {
    let bundle = from_set_up("TEST_FIXTURES").join("hostile-slow/1");
    let digest = digest(&bundle);
    let proving = proving(&bundle, &digest, ["--memory-bytes=4294967296", "--seconds=600"]);
    let line = [proving.get_program()].into_iter().chain(proving.get_args());
    let line: Vec<_> = line.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{} & echo $!; wait", line.join(" "))]);
    let mut shell = shell.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut pid = String::new();
    BufReader::new(shell.stdout.take().unwrap()).read_line(&mut pid).unwrap();
    let proc = Path::new("/proc").join(pid.trim());
    let about = |what: &str| std::fs::read_to_string(proc.join(what)).unwrap_or_default();
    // It has limited itself, before which it has asked to end with the other.
    until(|| about("limits").lines().any(|line| line.starts_with("Max cpu time") && line.contains(" 600 ")));
    shell.kill().unwrap();
    shell.wait().unwrap();
    // Gone, or dead and not yet buried.
    until(|| !proc.exists() || about("status").contains("State:\tZ"));
}

/// Waits for something that must come; the bound only keeps a broken test from hanging.
fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if done() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("it does not come");
}

#[test]
fn the_command_that_proves_is_not_in_the_help() {
    let help = Command::new(env!("CARGO_BIN_EXE_unmask")).arg("--help").output().unwrap();
    assert!(!text(&help.stdout).contains("prove"), "{}", text(&help.stdout));
}
