//! Whether standard errors hold on the real detector: over many seeds, the picture and its fill held fixed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};
use unmask_protocol::v1::{self, method::Kind};
use unmask_server::Service;
use unmask_tests::{explain, image_fill, sample};

const SEEDS: u64 = 300;
/// Passes of the method, few and many.
const PASSES: [u32; 2] = [256, 512];
const METHODS: [&str; 3] = ["rise", "lime", "kernel_shap"];
const PICTURE: &str = "astronaut-mouth.png";
/// What stands where a region is hidden: the untouched original, which is the same for every seed.
const FILL: &str = "astronaut-real.png";

/// One explanation's regions, in the order of their labels.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Run {
    model: String,
    method: String,
    passes: u32,
    seed: u64,
    means: Vec<f64>,
    errors: Vec<f64>,
}

/// Runs what is not there yet, and writes the page.
pub(crate) async fn study(service: &Service, model: &str, kept: &Path, report: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(kept).unwrap_or_default();
    // A last line that was cut off is run again.
    let mut runs: Vec<Run> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    runs.retain(|run| run.model == model);
    let done: BTreeSet<_> = runs.iter().map(|run| (run.method.clone(), run.passes, run.seed)).collect();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(kept)?;
    if !text.is_empty() && !text.ends_with('\n') {
        writeln!(file)?;
    }
    for method in METHODS {
        for passes in PASSES {
            println!("{method}, {passes} passes");
            for seed in (0..SEEDS).filter(|seed| !done.contains(&(method.to_owned(), passes, *seed))) {
                let run = run(service, model, method, passes, seed).await?;
                writeln!(file, "{}", serde_json::to_string(&run)?)?;
                runs.push(run);
            }
        }
    }
    std::fs::write(report, page(&runs)).with_context(|| format!("cannot write {}", report.display()))
}

async fn run(service: &Service, model: &str, method: &str, passes: u32, seed: u64) -> anyhow::Result<Run> {
    let kind = match method {
        "rise" => Kind::Rise(v1::Rise { masks: Some(passes), ..Default::default() }),
        // A ridge pulls values to 0 by a share that falls with the samples, which is no error of drawing.
        "lime" => Kind::Lime(v1::Lime { samples: Some(passes), ridge: Some(0.0), ..Default::default() }),
        _ => Kind::KernelShap(v1::KernelShap { samples: Some(passes), ..Default::default() }),
    };
    let request = v1::ExplainRequest {
        image: sample(PICTURE),
        method: Some(v1::Method { kind: Some(kind), preset: String::new() }),
        fill: Some(image_fill(sample(FILL))),
        seed,
        top_regions: Some(64),
        ..Default::default()
    };
    let mut regions = explain(service, request).await.map_err(|e| anyhow!(e))?.regions;
    regions.sort_by_key(|region| region.label);
    let errors = regions.iter().map(|region| region.standard_error.context("a region without an error"));
    Ok(Run {
        model: model.to_owned(),
        method: method.to_owned(),
        passes,
        seed,
        means: regions.iter().map(|region| region.mean).collect(),
        errors: errors.collect::<Result<_, _>>()?,
    })
}

/// What is told of one method at one number of passes.
#[derive(Debug, PartialEq)]
struct Held {
    /// Share of the intervals that hold the mean of all seeds at the most passes.
    covered: f64,
    /// Mean standard error.
    error: f64,
    /// Mean over the regions of the standard deviation over the seeds.
    spread: f64,
}

fn held(runs: &[&Run], exact: &[f64]) -> Held {
    let count = runs.len() as f64;
    let (mut covered, mut error, mut squares) = (0.0, 0.0, vec![0.0; exact.len()]);
    let own = means(runs, exact.len());
    for run in runs {
        for (i, (mean, known)) in run.means.iter().zip(&run.errors).enumerate() {
            covered += f64::from(u8::from((mean - exact[i]).abs() <= 1.96 * known));
            error += known;
            squares[i] += (mean - own[i]).powi(2);
        }
    }
    let cells = count * exact.len() as f64;
    let spread = squares.iter().map(|sum| (sum / (count - 1.0)).sqrt()).sum::<f64>() / exact.len() as f64;
    Held { covered: covered / cells, error: error / cells, spread }
}

fn means(runs: &[&Run], regions: usize) -> Vec<f64> {
    (0..regions).map(|i| runs.iter().map(|run| run.means[i]).sum::<f64>() / runs.len() as f64).collect()
}

fn page(runs: &[Run]) -> String {
    let mut text = format!(
        "# Whether standard errors hold\n\nWritten by `cargo xtask study --errors`, which keeps every run and goes on where it was stopped.\n\n\
         The sample `{PICTURE}` is explained with {SEEDS} seeds over its untouched original, which is the same fill every time. An interval of \
         1.96 standard errors around a region's mean is to hold the mean of infinitely many draws 95 times of 100; that mean is taken from \
         all {SEEDS} runs at {} passes, {} draws in all. \"spread\" is the standard deviation over the seeds, which the mean standard error is to \
         equal. With twice the passes both are to fall to 0.707. The same on a planted detector, whose regions work together, is a test: \
         `crates/explainer/src/methods/error_checks.rs`.\n\n\
         | method | passes | regions | held of 0.95 | mean error | spread | error over that of half the passes |\n\
         |---|---|---|---|---|---|---|\n",
        PASSES[1],
        SEEDS * u64::from(PASSES[1])
    );
    for method in METHODS {
        let mut by: BTreeMap<u32, Vec<&Run>> = BTreeMap::new();
        runs.iter()
            .filter(|run| run.method == method)
            .for_each(|run| by.entry(run.passes).or_default().push(run));
        let Some((_, most)) = by.last_key_value() else { continue };
        let exact = means(most, most[0].means.len());
        let mut before = None;
        for (passes, runs) in &by {
            let Held { covered, error, spread } = held(runs, &exact);
            let ratio = before.map(|before: f64| format!("{:.3}", error / before)).unwrap_or_default();
            let _ = writeln!(
                text,
                "| {method} | {passes} | {} | {covered:.3} | {error:.4} | {spread:.4} | {ratio} |",
                exact.len()
            );
            before = Some(error);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_that_hold_are_counted() {
        let run = |mean: f64, error: f64| Run {
            model: String::new(),
            method: "rise".into(),
            passes: 256,
            seed: 0,
            means: vec![mean, 5.0],
            errors: vec![error, 1.0],
        };
        let runs = [run(0.0, 0.1), run(0.0, 1.0), run(1.5, 1.0)];
        let held = held(&runs.iter().collect::<Vec<_>>(), &[1.0, 5.0]);
        assert!(
            (held.covered - 5.0 / 6.0).abs() < 1e-12 && (held.error - 5.1 / 6.0).abs() < 1e-12,
            "{held:?}"
        );
        assert!((held.spread - 0.75f64.sqrt() / 2.0).abs() < 1e-12, "{held:?}");
        let page = page(&runs);
        assert!(page.contains("| rise | 256 | 2 | "), "{page}");
    }
}
