//! The binary as its user runs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const MOUTH: &str = "models/samples/astronaut-mouth.png";
const REAL: &str = "models/samples/astronaut-real.png";

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn unmask() -> Command {
    assert!(std::env::var_os("ORT_DYLIB_PATH").is_some(), "run these tests with `cargo xtask test`");
    let mut command = Command::new(env!("CARGO_BIN_EXE_unmask"));
    command.current_dir(project());
    command
}

fn run(args: &[&str]) -> Output {
    unmask().args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ends with the test, however the test ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve() -> (Server, String) {
    let mut command = unmask();
    command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Server(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (server, line.trim().strip_prefix("listening on ").unwrap().to_owned())
}

#[test]
fn explain_writes_its_files_and_is_the_same_in_process_and_remote() {
    let (_server, address) = serve();
    let url = format!("http://{address}");
    let dir = tempfile::tempdir().unwrap();
    let mut maps = Vec::new();
    for (name, place) in [("local", None), ("remote", Some(url.as_str()))] {
        let out = dir.path().join(name);
        let mut command = unmask();
        command
            .args(["explain", MOUTH, "--param", "masks=200", "--fill-image", REAL, "--seed", "5", "--out"])
            .arg(&out);
        command.args(place.into_iter().flat_map(|url| ["--server", url]));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("202 passes of 202 announced"), "{}", text(&output.stdout));
        let json = std::fs::read_to_string(out.join("astronaut-mouth.json")).unwrap();
        assert!(
            json.contains("\"shape\": [") && json.contains("\"sha256\"") && json.len() < 20_000,
            "{json}"
        );
        assert!(std::fs::read(out.join("astronaut-mouth.overlay.png")).unwrap().starts_with(b"\x89PNG"));
        maps.push(std::fs::read(out.join("astronaut-mouth.npy")).unwrap());
    }
    assert!(maps[0] == maps[1], "in process and remote give the same bytes");
}

#[test]
fn a_preset_segments_and_an_adversarial_fill_are_told_and_the_fill_is_saved() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = unmask();
    command.args(["explain", MOUTH, "--method", "lime", "--preset", "paper", "--param", "samples=128"]);
    command.args(["--segments", "slic", "--segments-param", "segments=20", "--group", "fake"]);
    command.args(["--fill", "adversarial", "--fill-param", "max_passes=1000", "--save-fill", "--out"]);
    let output = command.arg(dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    for words in
        ["explained: fake, double softmax", "adversarial fill: flipped in", "of 255", "intercept", "R2"]
    {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    assert!(std::fs::read(dir.path().join("astronaut-mouth.fill.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn json_is_one_object_per_picture() {
    let output = run(&["predict", MOUTH, REAL, "--json"]);
    assert!(output.status.success());
    let lines: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["prediction"]["label"], "mouth");
    assert_eq!(lines[1]["prediction"]["fake"], false);
}

#[test]
fn one_bad_picture_is_named_and_the_others_are_done() {
    let output = run(&["predict", "README.md", "nowhere.png", REAL]);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(errors.contains("README.md: image: ") && errors.contains("nowhere.png: cannot read"), "{errors}");
    assert!(text(&output.stdout).contains("astronaut-real.png: real"));
}

#[test]
fn a_wrong_command_line_is_two_and_names_what_is_wrong() {
    for args in [&["explain"][..], &["explain", MOUTH, "--crop", "1,2"], &["serve", "--bogus"], &[]] {
        assert_eq!(run(args).status.code(), Some(2), "{args:?}");
    }
    let output = run(&["explain", MOUTH, "--param", "bogus=1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("its parameters are: masks, grid, keep_probability"));
}

#[test]
fn a_wrong_configuration_does_not_start() {
    let output = run(&["serve", "--set", "pool.bach=3"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("unknown field `bach`"), "{}", text(&output.stderr));
    let output = run(&["serve", "--models", "/nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nowhere"), "{}", text(&output.stderr));
}

#[test]
fn lists_say_what_there_is() {
    let models = text(&run(&["models"]).stdout);
    assert!(models.starts_with("selfblend-mobilenetv2@1 (default)"), "{models}");
    let listed = text(&run(&["methods"]).stdout);
    assert!(listed.contains("keep_probability = 0.5 (paper: 0.539827837277029)"), "{listed}");
    assert!(listed.contains("segmentation slic: "), "{listed}");
    let methods = run(&["methods", "--format", "json"]);
    let methods: serde_json::Value = serde_json::from_slice(&methods.stdout).unwrap();
    assert_eq!(methods["methods"][0]["name"], "rise");
}

#[test]
fn a_signal_ends_the_server_with_success() {
    let (mut server, _) = serve();
    let kill = Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}
