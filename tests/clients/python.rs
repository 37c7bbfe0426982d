//! The Python client, and stubs that grpcio-tools makes for it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use unmask_tests::{from_set_up, project};

/// The script, and where its stubs lie.
pub(super) fn client() -> (PathBuf, PathBuf) {
    static STUBS: LazyLock<PathBuf> = LazyLock::new(stubs);
    (project("tests/clients/python/explain.py"), STUBS.clone())
}

fn stubs() -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("clients/python");
    // What is no longer in the protocol must not linger.
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let proto = project("proto");
    let files = std::fs::read_dir(proto.join("unmask/v1")).unwrap().map(|file| file.unwrap().path());
    let option = |name: &str, path: &PathBuf| format!("{name}{}", path.display());
    let status = Command::new(from_set_up("TEST_PYTHON"))
        .args(["-m", "grpc_tools.protoc", &option("-I", &proto)])
        .args([option("--python_out=", &dir), option("--grpc_python_out=", &dir)])
        .args(files)
        .status();
    assert!(status.unwrap().success(), "protoc refuses the protocol");
    dir
}
