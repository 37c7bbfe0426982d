//! How a server ends that has work in the middle of a pass.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "other tests use the rest")]
mod common;

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{MOUTH, logging, text, unmask};

/// What is left of a server.
struct Ended {
    code: Option<i32>,
    log: String,
    /// Whether its client has an answer, with the map so far.
    answered: bool,
    /// What its client was told.
    told: String,
}

/// Sends so many signals to a server that explains and has no time for it.
fn ended(signals: usize) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let file = std::fs::File::create(&log).unwrap();
    let (mut server, address) = logging(&["--set", "drain.grace_seconds=1"], file.into());
    let mut client = unmask();
    client.args([
        "explain",
        MOUTH,
        "--method",
        "rise",
        "--param",
        "masks=100000",
        "--server",
        &format!("http://{address}"),
        "--out",
    ]);
    let client = client.arg(dir.path()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // It has begun by then; where it has not, there is less to see.
    thread::sleep(Duration::from_millis(1500));
    for _ in 0..signals {
        // One that is gone already needs no more.
        let _ = Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status();
    }
    let code = server.0.wait().unwrap().code();
    let client = client.wait_with_output().unwrap();
    let (answered, told) = (client.status.success(), text(&client.stderr));
    Ended { code, log: std::fs::read_to_string(log).unwrap(), answered, told }
}

#[test]
fn a_server_that_cuts_work_off_ends_with_success_and_nothing_runs_on_without_its_library() {
    let servers: Vec<_> = (0..4).map(|_| thread::spawn(|| ended(1))).collect();
    for server in servers {
        let Ended { code, log, answered, told } = server.join().unwrap();
        assert_eq!(code, Some(0), "{log}{told}");
        assert!(answered || told.contains("shutting down"), "{told}");
        assert!(!log.contains("a batch failed"), "{log}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let servers: Vec<_> = (0..4).map(|_| thread::spawn(|| ended(2))).collect();
    for server in servers {
        let Ended { code, log, .. } = server.join().unwrap();
        // Two that come together are one.
        assert!(matches!(code, Some(0 | 130)), "{code:?} {log}");
        assert!(!log.contains("a batch failed"), "{log}");
    }
}
