//! A folder of pictures through one call.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::path::Path;
use std::process::Output;

use common::{MOUTH, REAL, project, run, serve, text, unmask};

fn explain(dir: &Path, out: &str, more: &[&str]) -> Output {
    let mut command = unmask();
    command.arg("explain").arg(dir).arg("--out").arg(dir.join(out)).args(["--preset", "fast"]);
    command.args(more).output().unwrap()
}

#[test]
fn a_folder_is_explained_picture_by_picture_and_a_second_run_does_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| std::fs::copy(project().join(from), dir.path().join(to)).unwrap();
    copy(MOUTH, "mouth.PNG");
    copy(REAL, "real.png");
    std::fs::write(dir.path().join("broken.jpg"), b"no picture").unwrap();
    std::fs::write(dir.path().join("notes.txt"), b"no picture either").unwrap();
    let condition = ["--only-if", "0.5"];
    let first = explain(dir.path(), "out", &condition);
    assert_eq!(first.status.code(), Some(1), "{}", text(&first.stderr));
    assert!(text(&first.stderr).contains("broken.jpg: request.image: "), "{}", text(&first.stderr));
    let counts = "3 pictures, 1 failed, 1 skipped, 0 known from before";
    assert!(text(&first.stderr).contains(counts), "{}", text(&first.stderr));
    let read = |name: &str| std::fs::read(dir.path().join("out").join(name)).unwrap();
    let skipped: serde_json::Value = serde_json::from_slice(&read("real.skipped.json")).unwrap();
    assert_eq!(skipped["prediction"]["label"], "real");
    assert!(read("mouth.overlay.png").starts_with(b"\x89PNG") && read("mouth.json").len() > 1000);
    let mut names: Vec<_> = std::fs::read_dir(dir.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["mouth.json", "mouth.npy", "mouth.overlay.png", "real.skipped.json"]);

    // As the picture alone, and through a server.
    let alone = dir.path().join("alone");
    let output = run(&["explain", MOUTH, "--preset", "fast", "--out", alone.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(std::fs::read(alone.join("astronaut-mouth.npy")).unwrap() == read("mouth.npy"));
    let (_server, address) = serve(&[]);
    let remote = explain(dir.path(), "remote", &["--only-if", "0.5", "--server", &address.to_string()]);
    assert!(text(&remote.stderr).contains(counts), "{}", text(&remote.stderr));
    assert!(std::fs::read(dir.path().join("remote/mouth.npy")).unwrap() == read("mouth.npy"));

    // What is there is left as it is.
    std::fs::write(dir.path().join("out/mouth.npy"), b"mine").unwrap();
    copy(MOUTH, "broken.jpg");
    let second = explain(dir.path(), "out", &condition);
    assert!(second.status.success(), "{}", text(&second.stderr));
    let counts = "3 pictures, 0 failed, 0 skipped, 2 known from before";
    assert!(text(&second.stderr).contains(counts), "{}", text(&second.stderr));
    assert_eq!(read("mouth.npy"), b"mine");
    assert!(!read("broken.npy").is_empty());
}

#[test]
fn a_folder_without_a_picture_and_a_condition_that_is_none_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let output = explain(dir.path(), "out", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("has no picture"), "{}", text(&output.stderr));
    let out = dir.path().join("out");
    let output = run(&["explain", MOUTH, "--only-if", "2", "--out", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("only_if.fake_probability: got 2, allowed is 0 to 1"), "{said}");
}

#[test]
fn a_picture_that_is_too_large_for_the_server_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| std::fs::copy(project().join(from), dir.path().join(to)).unwrap();
    copy(MOUTH, "a.png");
    copy(REAL, "c.png");
    // What comes after the end of a picture is part of its file.
    let mut large = std::fs::read(project().join(REAL)).unwrap();
    large.resize(3 << 20, 0);
    std::fs::write(dir.path().join("b.png"), large).unwrap();
    let (_server, address) = serve(&["--set", "server.max_message_bytes=1048576"]);
    let told = explain(dir.path(), "out", &["--server", &address]);
    let errors = text(&told.stderr);
    assert_eq!(told.status.code(), Some(1), "{errors}");
    assert!(errors.contains("b.png: an item is larger than what this server receives"), "{errors}");
    assert!(errors.contains("3 pictures, 1 failed, 0 skipped, 0 known from before"), "{errors}");
    let is_there = |name: &str| dir.path().join("out").join(name).is_file();
    assert!(is_there("a.json") && is_there("c.json") && !is_there("b.json"));
}

#[test]
fn what_was_written_beside_the_pictures_is_no_picture() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(project().join(MOUTH), dir.path().join("mouth.png")).unwrap();
    assert!(explain(dir.path(), "", &["--save-fill"]).status.success());
    assert!(dir.path().join("mouth.overlay.png").is_file() && dir.path().join("mouth.fill.png").is_file());
    let again = explain(dir.path(), "", &["--save-fill"]);
    assert!(again.status.success());
    let counts = "1 pictures, 0 failed, 0 skipped, 1 known from before";
    assert!(text(&again.stderr).contains(counts), "{}", text(&again.stderr));
}
