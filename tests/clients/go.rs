//! The Go client, built where there is a Go: modules come from Go's own proxy, each with the sum that go.sum has, and everything
//! that is made stays below the target directory.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use unmask_tests::{from_set_up, project};

const SOURCES: [&str; 4] = ["go.mod", "go.sum", "main.go", "stubs.sh"];

/// The program; nothing where there is no Go.
pub(super) fn client() -> &'static Option<PathBuf> {
    static CLIENT: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let go = go();
        if go.is_none() {
            // Past the test harness, which shows what a test says only where the test fails.
            let mut told = std::io::stderr();
            writeln!(told, "NO GO: the Go client is neither built nor run; install Go, or put it on PATH")
                .unwrap();
        }
        go.map(|go| build(&go))
    });
    &CLIENT
}

/// The directory that holds Go.
fn go() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = PathBuf::from("/usr/local/go/bin");
    std::env::split_paths(&path).chain([usual]).find(|dir| dir.join("go").is_file())
}

fn build(go: &Path) -> PathBuf {
    let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("clients/go");
    let sources = home.join("sources");
    std::fs::create_dir_all(&sources).unwrap();
    for file in SOURCES {
        std::fs::copy(project("tests/clients/go").join(file), sources.join(file)).unwrap();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([go.to_owned()].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&sources).env("PATH", &path);
        command.env("GOCACHE", home.join("cache")).env("GOMODCACHE", home.join("modules"));
        command.env("GOFLAGS", "-modcacherw").env("GOWORK", "off");
        command.env("PROTOC", format!("{} -m grpc_tools.protoc", from_set_up("TEST_PYTHON").display()));
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {told}");
    };
    run("sh", &["stubs.sh", project("proto").to_str().unwrap()]);
    run("go", &["vet", "."]);
    run("go", &["build", "-o", "explain", "."]);
    sources.join("explain")
}
