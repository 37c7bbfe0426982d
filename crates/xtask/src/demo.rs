//! `cargo xtask demo`: the main job on a real picture, over gRPC.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use crate::onnxruntime;
use crate::tools::{self, cargo, root, say, target};

/// The manipulated sample. Its untouched original would be the best fill, but whoever is asked about an upload has none.
const FAKE: &str = "models/samples/astronaut-mouth.png";

/// Ends the server with the demo, however the demo ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended on its own; either way it is gone afterwards.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn run() -> anyhow::Result<()> {
    let library = onnxruntime::library()?;
    say("building unmask");
    tools::run(cargo().args(["build", "--release", "--locked", "-p", "unmask-cli"]))?;
    let unmask = target().join("release/unmask");

    let mut server = Command::new(&unmask)
        .current_dir(root())
        .args([
            "serve",
            "--insecure",
            "--listen",
            "127.0.0.1:0",
            "--models",
            "models",
            "--set",
            "log.filter=warn",
            "--onnxruntime",
        ])
        .arg(&library)
        .stdout(Stdio::piped())
        .spawn()
        .map(Server)
        .context("cannot start the server")?;
    let mut line = String::new();
    let output = server.0.stdout.take().context("the server has no output")?;
    BufReader::new(output).read_line(&mut line)?;
    let address =
        line.trim().strip_prefix("listening on ").context("the server did not start; its reason is above")?;
    say(&format!("server listens on {address}; sending {FAKE}"));

    let out = target().join("demo");
    let url = format!("http://{address}");
    tools::run(
        Command::new(&unmask)
            .current_dir(root())
            .args([
                "explain",
                FAKE,
                "--server",
                &url,
                "--method",
                "rise",
                "--fill",
                "adversarial",
                "--save-fill",
                "--out",
            ])
            .arg(&out),
    )?;
    say(&format!("open {}", out.join("astronaut-mouth.overlay.png").display()));
    Ok(())
}
