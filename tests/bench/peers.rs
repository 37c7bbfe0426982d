//! The same methods by their Python peers, on the same model file and with the same number of passes.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use unmask_protocol::v1;
use unmask_protocol::v1::method::Kind;
use unmask_server::Service;
use unmask_tests::project;

use crate::table::Table;
use crate::{Bench, load, median, request};

/// What a peer has done.
#[derive(Deserialize)]
struct Timed {
    passes: f64,
    seconds: f64,
    /// Of onnxruntime alone, before and after it in the same process.
    bare: f64,
    settings: String,
}

/// A method of ours with its peer's name.
fn methods() -> [(&'static str, Kind); 4] {
    [
        ("lime", Kind::Lime(v1::Lime { samples: Some(1000), ..Default::default() })),
        ("shap", Kind::PartitionShap(v1::PartitionShap { evaluations: Some(1000), ..Default::default() })),
        ("rise", Kind::Rise(v1::Rise { masks: Some(4000), ..Default::default() })),
        ("sobol", Kind::Sobol(v1::Sobol { design: Some(32), ..Default::default() })),
    ]
}

pub(crate) fn compare(
    bench: &Bench,
    service: &Service,
    python: &Path,
    table: &mut Table,
) -> anyhow::Result<()> {
    for (name, kind) in methods() {
        let (mut ratios, mut shares, mut settings) = (Vec::new(), Vec::new(), String::new());
        for _ in 0..bench.repeats.min(3) {
            let peer = peer(python, name)?;
            let started = Instant::now();
            let answer = bench.tokio.block_on(load::explain(service, request(kind)))?;
            let own = answer.cost.unwrap_or_default().run as f64 / started.elapsed().as_secs_f64();
            // Per pass, as one of the two may need one more than the other.
            ratios.push(own / (peer.passes / peer.seconds));
            shares.push(peer.passes / peer.seconds / peer.bare);
            settings = peer.settings;
        }
        let (ratio, share) = (median(ratios), median(shares));
        table.at_least(&format!("passes/s of {name} over its Python peer"), ratio, 0.92 / share);
        table.note(format!(
            "Peer of {name}: {settings}; {share:.2} of onnxruntime alone in the same process."
        ));
    }
    Ok(())
}

fn peer(python: &Path, name: &str) -> anyhow::Result<Timed> {
    let output = Command::new(python)
        .arg(project("tests/bench/peers.py"))
        .arg(name)
        .arg(project("models/selfblend-mobilenetv2/1/model.onnx"))
        .arg(project("models/samples/astronaut-mouth.png"))
        .output()
        .with_context(|| format!("cannot run {}", python.display()))?;
    ensure!(
        output.status.success(),
        "the peer of {name} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().context("the peer prints a line")?;
    Ok(serde_json::from_str(last)?)
}
