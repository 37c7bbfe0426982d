//! The binary, its samples, and a server of it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub(crate) const MOUTH: &str = "models/samples/astronaut-mouth.png";
pub(crate) const REAL: &str = "models/samples/astronaut-real.png";

pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn unmask() -> Command {
    assert!(std::env::var_os("ORT_DYLIB_PATH").is_some(), "run these tests with `cargo xtask test`");
    let mut command = Command::new(env!("CARGO_BIN_EXE_unmask"));
    // Nothing is read from where the user keeps things, nor left there.
    command.current_dir(project()).env("UNMASK_POOL__CALIBRATION", "off");
    command
}

pub(crate) fn run(args: &[&str]) -> Output {
    unmask().args(args).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ends with the test, however the test ends.
pub(crate) struct Server(pub(crate) Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn serve(args: &[&str]) -> (Server, String) {
    logging(args, Stdio::null())
}

/// A server whose log goes somewhere.
pub(crate) fn logging(args: &[&str], log: Stdio) -> (Server, String) {
    let mut command = unmask();
    command.args(["serve", "--insecure", "--listen", "127.0.0.1:0"]).args(args);
    command.stdout(Stdio::piped()).stderr(log);
    let mut server = Server(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (server, line.trim().strip_prefix("listening on ").unwrap().to_owned())
}
