//! A configuration that is wrong: which key, what was got, what is wanted, and the exit code of sysexits.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs the program with a file, variables of the environment and arguments, and nothing else that configures it.
fn run(file: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("unmask.toml");
    std::fs::write(&path, file).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_unmask"));
    command.env_clear().envs(variables.iter().copied()).args(arguments).arg("--config").arg(&path);
    command.output().unwrap()
}

/// Runs the program with a configuration of this name, of which nothing else is known, and this on its standard input.
fn piped(arguments: &[&str], name: &Path, input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unmask"));
    command.env_clear().args(arguments).arg("--config").arg(name);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Whoever does not read it has closed it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_wrong_configuration_is_told_by_key_before_anything_is_bound() {
    /// File, variables, arguments, what is said.
    type Case =
        (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str], &'static str);
    let cases: [Case; 38] = [
        ("[pool]\nbach = 3\n", &[], &[], "pool.bach"),
        ("[colour]\nred = 3\n", &[], &[], "there is no such key, there are server, http2, tls"),
        ("[pol]\nbatch = 3\n", &[], &[], "did you mean pool?"),
        ("[sever]\nlisten = \"x\"\n", &[], &[], "did you mean server?"),
        ("[tenant.x]\nburst = 1.0\n", &[], &[], "did you mean tenants?"),
        ("listen = \"0.0.0.0:1\"\n", &[], &[], "did you mean server.listen?"),
        ("", &[("UNMASK_POOL__BATCHES", "3")], &[], "did you mean pool.batch?"),
        ("", &[], &["--set", "http2.max_stream=3"], "did you mean http2.max_streams?"),
        ("[pool]\nbatch = \"many\"\n", &[], &[], "pool.batch (in "),
        ("[pool]\nbatch = 0\n", &[], &[], "unmask.toml) is 0, allowed is 1 to 1024"),
        (
            "",
            &[("UNMASK_POOL__BATCH", "0")],
            &[],
            "pool.batch (in the environment) is 0, allowed is 1 to 1024",
        ),
        ("pool = 3\n", &[], &[], "got 3, allowed is a section"),
        ("[pool\n", &[], &[], "TOML parse error at line 1"),
        ("", &[], &["--set", "pool.calibration=now"], "got \"now\", allowed are off, cached, load, anew"),
        ("", &[], &["--listen", "localhost"], "server.listen is \"localhost\", allowed is ADDRESS:PORT"),
        ("[log]\nfilter = \"unmask=loud\"\n", &[], &[], "log.filter is \"unmask=loud\""),
        ("[tls]\ncertificate = \"a.pem\"\n", &[], &[], "tls.key is missing, it belongs to tls.certificate"),
        ("[auth]\njwks = \"k.json\"\n", &[], &[], "auth.audience is missing"),
        ("[auth]\nalgorithms = [\"none\"]\n", &[], &[], "got \"none\", allowed are RS256"),
        ("[audit]\nrequired = true\n", &[], &[], "audit.file names no file"),
        ("[models]\npinned = [\"a\"]\n", &[], &[], "models.pinned is a, allowed is NAME@VERSION"),
        ("[tenants.a]\npriorities = [\"urgent\"]\n", &[], &[], "allowed are interactive, normal, bulk"),
        ("", &[], &["--set", "server.insecure=false"], "say --insecure"),
        ("[server]\nmax_jobs = 2.5\n", &[], &[], "got 2.5, allowed is a whole number, 1 to 400"),
        ("[drain]\ngrace_seconds = -5\n", &[], &[], "got -5, allowed is a whole number, 0 to 86400"),
        ("[pool]\nbatch = true\n", &[], &[], "got true, allowed is a whole number"),
        ("", &[("UNMASK_POOL__THREADS", "on")], &[], "got \"on\", allowed is a whole number"),
        ("[models]\nwatch = 1\n", &[], &[], "models.watch"),
        ("[tls]\nkey = false\n", &[], &[], "got false, allowed is a word"),
        ("[auth]\njwks = \"\"\naudience = \"a\"\n", &[], &[], "auth.jwks is empty"),
        ("[admin]\nlisten = \"127.0.0.1:50051\"\n", &[], &[], "each needs a port of its own"),
        ("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://me:secret@h:1")], &[], "is \"grpc://***@h:1\""),
        ("[models.workers]\na = 0\n", &[], &[], "unmask.toml) is 0, allowed is 1 to 256"),
        ("[server]\nlisten = 50051\n", &[], &[], "got 50051, allowed is ADDRESS:PORT"),
        ("[admin]\nlisten = 9464\n", &[], &[], "got 9464, allowed is ADDRESS:PORT"),
        ("[server]\nmax_bytes = 1048576\n", &[], &[], "it must hold at least two messages"),
        ("[tenants.a]\npasses_per_second = 1.0\n", &[], &[], "set auth.jwks or tls.client_ca"),
        (
            "[tls]\n[auth]\n[tenants.a]\n[tenants.b]\n",
            &[],
            &[],
            "tenants has a, b, and nothing tells who asks",
        ),
    ];
    for (file, variables, arguments, said) in cases {
        for command in [&["serve"][..], &["config", "check"]] {
            let output = run(file, variables, &[command, arguments].concat());
            let told = text(&output.stderr);
            assert!(told.contains(said), "{file}{arguments:?}: {told}");
            assert_eq!(output.status.code(), Some(78), "{told}");
            assert!(output.stdout.is_empty());
        }
    }
    // What is said in the environment is not made a number of.
    let shown = run("", &[("UNMASK_AUTH__AUDIENCE", "1.10")], &["config", "show", "--insecure"]);
    assert!(text(&shown.stdout).contains("audience = \"1.10\""), "{}", text(&shown.stdout));
    let tls = "[server]\ninsecure = true\n[tls]\ncertificate = \"/none.pem\"\nkey = \"/none.pem\"\n";
    // What it names is opened by whoever serves.
    let output = run(tls, &[], &["serve"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("tls: /none.pem: "), "{}", text(&output.stderr));
    let output = run(tls, &[], &["config", "check"]);
    assert_eq!(
        (output.status.code(), text(&output.stdout).as_str()),
        (Some(0), "the configuration is right\n")
    );
}

#[test]
fn a_configuration_may_come_through_a_pipe_or_standard_input() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let through = |name: &Path, command: &[&str], file: &'static str| {
        if name != fifo {
            return piped(command, name, file);
        }
        let (to, (opened, done)) = (fifo.clone(), std::sync::mpsc::channel());
        std::thread::spawn(move || opened.send(std::fs::write(to, file)));
        let output = piped(command, name, "");
        // Were it not opened, the writer would wait for ever.
        assert!(done.recv_timeout(std::time::Duration::from_secs(60)).is_ok(), "{}", text(&output.stderr));
        output
    };
    for (name, told) in [
        (Path::new("-"), "standard input"),
        (Path::new("/dev/stdin"), "/dev/stdin"),
        (&fifo, &*fifo.to_string_lossy()),
    ] {
        let output = through(name, &["config", "check"], "[server]\ninsecure = true\n");
        let right = (Some(0), "the configuration is right\n".to_owned());
        assert_eq!((output.status.code(), text(&output.stdout)), right, "{}", text(&output.stderr));
        for command in [&["serve"][..], &["config", "check"]] {
            for (file, said) in [
                ("[pool]\nbach = 3\n", format!("pool.bach (in {told}): there is no such key")),
                ("[pool\n", format!("in {told}")),
                ("", format!("{told} is empty")),
            ] {
                let output = through(name, command, file);
                assert!(text(&output.stderr).contains(&said), "{}", text(&output.stderr));
                assert_eq!(output.status.code(), Some(78));
            }
        }
    }
}

#[test]
fn a_configuration_that_is_no_file_or_no_text_is_told_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bytes.toml"), [0xff, 0xfe]).unwrap();
    for (name, said) in [
        ("", "Is a directory"),
        ("none.toml", "No such file"),
        ("bytes.toml", "stream did not contain valid UTF-8"),
    ] {
        let path = dir.path().join(name);
        let output = piped(&["config", "check"], &path, "");
        let (told, whole) = (text(&output.stderr), format!("{} cannot be read: {said}", path.display()));
        assert!(told.contains(&whole), "{told}");
        assert_eq!(output.status.code(), Some(78));
    }
}

#[test]
fn devices_that_this_binary_was_not_built_for_are_told_by_the_check() {
    let file = "[pool]\ndevices = [\"cpu\", \"cuda:1\", \"tensorrt:0\"]\n";
    let output = run(file, &[], &["config", "check", "--insecure"]);
    assert_eq!(text(&output.stdout), "the configuration is right\n");
    let needed = |device: &str, feature: &str| {
        format!("device {device} needs a binary built with the cargo feature \"{feature}\"")
    };
    let told = text(&output.stderr);
    assert!(!told.contains("device cpu"), "{told}");
    assert_eq!(told.contains(&needed("cuda:1", "cuda")), !cfg!(feature = "cuda"), "{told}");
    assert_eq!(told.contains(&needed("tensorrt:0", "tensorrt")), !cfg!(feature = "tensorrt"), "{told}");
}

#[test]
fn a_command_in_process_is_not_stopped_by_the_collector_of_another_program() {
    let library = std::env::var("ORT_DYLIB_PATH").expect("set by `cargo xtask test`");
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://h:1"), ("ORT_DYLIB_PATH", library.as_str())];
    let output = run("", &variables, &["models", "--models", models]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn a_right_configuration_is_shown_as_a_server_has_it_and_the_schema_knows_its_keys() {
    let shown = run("[pool]\nbatch = 3\n", &[("UNMASK_POOL__BATCH", "5")], &["config", "show", "--insecure"]);
    let told = text(&shown.stdout);
    let table: toml::Table = told.parse().unwrap();
    assert_eq!(table["pool"]["batch"].as_integer(), Some(5));
    assert_eq!(table["server"]["insecure"].as_bool(), Some(true));
    assert_eq!(table["server"]["max_passes"].as_integer(), Some(1_000_000), "{told}");
    assert_eq!(table["server"]["ui"].as_bool(), Some(false), "the page is off by default");
    let page = run("", &[], &["config", "show", "--insecure", "--ui"]);
    let table: toml::Table = text(&page.stdout).parse().unwrap();
    assert_eq!(table["server"]["ui"].as_bool(), Some(true));
    let schema = Command::new(env!("CARGO_BIN_EXE_unmask")).args(["config", "schema"]).output().unwrap();
    let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).unwrap();
    assert_eq!(schema["properties"]["pool"]["properties"]["batch"]["maximum"], 1024);
}
