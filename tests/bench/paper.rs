//! Whole explanations: the presets from picture to answer, beside the pipeline of arXiv 2502.03957 as its authors run it.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use unmask_protocol::v1;
use unmask_server::Service;
use unmask_tests::{project, sample};

use crate::table::Table;
use crate::{Bench, load, median};

/// The manipulated samples.
const FAKES: [&str; 3] = ["astronaut-mouth.png", "astronaut-eyes.png", "astronaut-blend.png"];
/// Presets, each with how many times faster than the paper's RISE it is to be.
const PRESETS: [(&str, f64); 2] = [("balanced", 30.0), ("fast", 60.0)];

/// What was timed of one picture.
#[derive(Deserialize)]
struct Paper {
    search: Timed,
    rise: Timed,
    lime: Timed,
}

#[derive(Deserialize)]
struct Timed {
    passes: f64,
    seconds: f64,
}

pub(crate) fn compare(
    bench: &Bench,
    service: &Service,
    python: &Path,
    table: &mut Table,
) -> anyhow::Result<()> {
    let (mut rise, mut lime) = ([Vec::new(), Vec::new()], Vec::new());
    let mut notes = [const { Vec::new() }; PRESETS.len()];
    for repeat in 0..bench.repeats.min(3) {
        let papers = pipeline(python)?;
        for (file, paper) in FAKES.iter().zip(&papers) {
            let whole = paper.search.seconds + paper.rise.seconds;
            for (i, (preset, _)) in PRESETS.iter().enumerate() {
                // A seed of its own, so that no fill is known from before.
                let (seconds, passes) = own(bench, service, file, preset, repeat as u64)?;
                rise[i].push(whole / seconds);
                notes[i].push((seconds, passes));
                if i == 0 {
                    lime.push((paper.search.seconds + paper.lime.seconds) / seconds);
                }
            }
        }
        if repeat == 0 {
            for (file, Paper { search, rise, lime }) in FAKES.iter().zip(&papers) {
                table.note(format!(
                    "{file}: the paper's search {:.0} passes in {:.1} s, its RISE {:.0} in {:.1} s, its LIME {:.0} in {:.1} s.",
                    search.passes, search.seconds, rise.passes, rise.seconds, lime.passes, lime.seconds
                ));
            }
        }
    }
    for (i, (preset, wanted)) in PRESETS.iter().enumerate() {
        let faster = median(rise[i].clone());
        table.at_least(
            &format!("the paper's RISE over an adversarial fill, whole, over {preset}, whole"),
            faster,
            *wanted,
        );
        let seconds = median(notes[i].iter().map(|(seconds, _)| *seconds).collect());
        let passes = median(notes[i].iter().map(|(_, passes)| *passes).collect());
        table.note(format!(
            "{preset}: {seconds:.3} s and {passes:.0} passes, from the picture to the answer with an overlay."
        ));
    }
    table.measured(
        "the paper's LIME over an adversarial fill, whole, over balanced, whole",
        &format!("{:.1}", median(lime)),
    );
    Ok(())
}

/// Seconds and passes of a preset, nothing of it known from before.
fn own(bench: &Bench, service: &Service, file: &str, preset: &str, seed: u64) -> anyhow::Result<(f64, f64)> {
    let request = v1::ExplainRequest {
        image: sample(file),
        method: Some(v1::Method { kind: None, preset: preset.to_owned() }),
        outputs: vec![v1::Output::Overlay.into()],
        seed,
        ..Default::default()
    };
    let started = Instant::now();
    let answer = bench.tokio.block_on(load::explain(service, request))?;
    Ok((started.elapsed().as_secs_f64(), answer.cost.unwrap_or_default().run as f64))
}

fn pipeline(python: &Path) -> anyhow::Result<Vec<Paper>> {
    let mut command = Command::new(python);
    command.arg(project("tests/bench/paper.py")).arg(project("models/selfblend-mobilenetv2/1/model.onnx"));
    command.args(FAKES.map(|file| project(&format!("models/samples/{file}"))));
    let output = command.output().with_context(|| format!("cannot run {}", python.display()))?;
    ensure!(
        output.status.success(),
        "the paper's pipeline failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).context("a line of figures")).collect()
}
