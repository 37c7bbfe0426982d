//! Whole explanations: the presets from picture to answer, beside the pipeline of arXiv 2502.03957 as its authors run it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tonic::Request;
use unmask_protocol::v1;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_server::Service;
use unmask_tests::{evalset, project};

use crate::table::Table;
use crate::{Bench, load};

/// The manipulated samples, of which all three are taken where there is no evaluation set.
const SAMPLES: [&str; 3] = ["astronaut-mouth.png", "astronaut-eyes.png", "astronaut-blend.png"];
/// Presets, each with how many times faster than the paper's RISE it is to be.
const PRESETS: [(&str, f64); 2] = [("balanced", 30.0), ("fast", 60.0)];

/// What was timed of one picture.
#[derive(Deserialize)]
struct Paper {
    search: Timed,
    rise: Timed,
    lime: Timed,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Timed {
    passes: f64,
    seconds: f64,
}

/// Which pictures.
#[derive(clap::Args)]
pub(crate) struct Which {
    /// With --paper: folder that models/training/evalset.py wrote; without it the samples are explained
    #[arg(long, value_name = "DIR", requires = "paper")]
    evalset: Option<PathBuf>,
    /// With --evalset: fakes of each family, the first in its list that the detector calls fake
    #[arg(long, default_value_t = 5)]
    fakes: usize,
}

/// Every picture is explained by the paper's pipeline and then by each preset; times are of all of them together.
pub(crate) fn compare(
    bench: &Bench,
    service: &Service,
    which: &Which,
    python: &Path,
    table: &mut Table,
) -> anyhow::Result<()> {
    let files = match &which.evalset {
        None => SAMPLES.map(|file| project(&format!("models/samples/{file}"))).to_vec(),
        Some(dir) => fakes(bench, service, dir, which.fakes)?,
    };
    let (mut rise, mut lime, mut own) = (0.0, 0.0, [Vec::new(), Vec::new()]);
    for repeat in 0..bench.repeats.min(3) {
        for file in &files {
            let Paper { search, rise: masks, lime: sets } = pipeline(python, file)?;
            rise += search.seconds + masks.seconds;
            lime += search.seconds + sets.seconds;
            for (own, (preset, _)) in own.iter_mut().zip(PRESETS) {
                // A seed of its own, so that no fill is known from before.
                own.push(explained(bench, service, file, preset, repeat as u64)?);
            }
            let [balanced, fast] = [0, 1].map(|i| own[i].last().copied().unwrap_or_default());
            table.note(format!(
                "{}: the paper's search {:.0} passes in {:.1} s, its RISE {:.0} in {:.1} s, its LIME {:.0} in {:.1} s; \
                 balanced {:.0} in {:.2} s, fast {:.0} in {:.2} s",
                file.file_stem().unwrap_or_default().to_string_lossy(),
                search.passes,
                search.seconds,
                masks.passes,
                masks.seconds,
                sets.passes,
                sets.seconds,
                balanced.passes,
                balanced.seconds,
                fast.passes,
                fast.seconds,
            ));
        }
    }
    let pictures = own[0].len() as f64;
    let mean = |i: usize, of: fn(&Timed) -> f64| own[i].iter().map(of).sum::<f64>() / pictures;
    for (i, (preset, wanted)) in PRESETS.iter().enumerate() {
        let (seconds, passes) = (mean(i, |own| own.seconds), mean(i, |own| own.passes));
        let what = format!("the paper's RISE over an adversarial fill, whole, over {preset}, whole");
        table.at_least(&what, rise / pictures / seconds, *wanted);
        table.note(format!(
            "{preset}: {seconds:.3} s and {passes:.0} passes, from the picture to the answer with an overlay."
        ));
    }
    table.note(format!(
        "The paper's, a picture: RISE {:.1} s, LIME {:.1} s, each with its search. Means of {pictures} explanations.",
        rise / pictures,
        lime / pictures
    ));
    let what = "the paper's LIME over an adversarial fill, whole, over balanced, whole";
    table.measured(what, &format!("{:.1}", lime / pictures / mean(0, |own| own.seconds)));
    Ok(())
}

/// The first fakes of each family of an evaluation set that the detector calls fake.
fn fakes(bench: &Bench, service: &Service, dir: &Path, most: usize) -> anyhow::Result<Vec<PathBuf>> {
    let items = evalset::read(dir)?;
    let mut files = Vec::new();
    for family in evalset::FAMILIES {
        let mut found = 0;
        for item in items.iter().filter(|item| item.family == family) {
            if found == most {
                break;
            }
            let request = v1::PredictRequest { image: item.image.clone(), ..Default::default() };
            let answer = bench.tokio.block_on(service.predict(Request::new(request)))?.into_inner();
            if answer.prediction.unwrap_or_default().fake {
                files.push(item.file.clone());
                found += 1;
            }
        }
        ensure!(found == most, "{} has {found} fakes of {family} that are called fake", dir.display());
    }
    Ok(files)
}

/// Seconds and passes of a preset, nothing of it known from before.
fn explained(
    bench: &Bench,
    service: &Service,
    file: &Path,
    preset: &str,
    seed: u64,
) -> anyhow::Result<Timed> {
    let request = v1::ExplainRequest {
        image: std::fs::read(file)?,
        method: Some(v1::Method { kind: None, preset: preset.to_owned() }),
        outputs: vec![v1::Output::Overlay.into()],
        seed,
        ..Default::default()
    };
    let started = Instant::now();
    let answer = bench.tokio.block_on(load::explain(service, request))?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(Timed { seconds, passes: answer.cost.unwrap_or_default().run as f64 })
}

fn pipeline(python: &Path, file: &Path) -> anyhow::Result<Paper> {
    let mut command = Command::new(python);
    command.arg(project("tests/bench/paper.py")).arg(project("models/selfblend-mobilenetv2/1/model.onnx"));
    let output = command.arg(file).output().with_context(|| format!("cannot run {}", python.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the paper's pipeline failed: {said}");
    serde_json::from_slice(&output.stdout).context("a line of figures")
}
