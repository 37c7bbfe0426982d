//! `cargo xtask demo`: the main job on a real picture, over gRPC, and the page for whoever decides.

use std::process::Command;

use crate::onnxruntime;
use crate::running::Running;
use crate::tools::{self, cargo, root, say, target};

/// The manipulated sample. Its untouched original would be the best fill, but whoever is asked about an upload has none.
const FAKE: &str = "models/samples/astronaut-mouth.png";

pub(crate) fn run() -> anyhow::Result<()> {
    let library = onnxruntime::library()?;
    say("building unmask");
    tools::run(cargo().args(["build", "--release", "--locked", "-p", "unmask-cli"]))?;
    let unmask = target().join("release/unmask");

    let server = Running::start(&unmask, &library, &["log.filter=warn".into()])?;
    let address = &server.address;
    say(&format!("server listens on {address}; sending {FAKE}"));

    let out = target().join("demo");
    let url = format!("http://{address}");
    tools::run(
        Command::new(&unmask)
            .current_dir(root())
            .args(["explain", FAKE, "--server", &url, "--save-fill", "--out"])
            .arg(&out),
    )?;
    let page = out.join("report.html");
    tools::run(
        Command::new(&unmask).current_dir(root()).args(["report", FAKE, "--server", &url, "-o"]).arg(&page),
    )?;
    let overlay = out.join("astronaut-mouth.overlay.png");
    say(&format!("open {} and, in a browser, {}", overlay.display(), page.display()));
    Ok(())
}
