//! The table of `cargo xtask bench`: how much of bare ONNX Runtime is left for explanations, and how fairly it is shared.
//!
//! Every figure is a ratio of two things that were timed next to each other, several times in turn; the median is told, because
//! machines are noisy. Nothing here is part of the tests.

mod deadlines;
mod load;
mod paper;
mod peers;
mod table;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use tokio::runtime::Runtime as Tokio;
use unmask_pool::{Layout, Runtime, bare_speed};
use unmask_protocol::v1;
use unmask_registry::{Candidate, Policy};
use unmask_server::Service;
use unmask_tests::{Root, from_set_up, project, sample};

use table::Table;

/// Time it.
#[derive(Parser)]
struct Args {
    /// How often each pair is timed
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// Requests of which the 99th percentile is taken, and that have a deadline
    #[arg(long, default_value_t = 200)]
    requests: usize,
    /// Interpreter with the peers; without it they are left out
    #[arg(long)]
    python: Option<PathBuf>,
    /// Time the presets against the paper's pipeline, and nothing else
    #[arg(long, requires = "python")]
    paper: bool,
    #[command(flatten)]
    which: paper::Which,
    /// Only tell how many explanations with a deadline are answered in time beside others
    #[arg(long)]
    deadlines: bool,
    /// Write the table here as well
    #[arg(long)]
    out: Option<PathBuf>,
}

/// What every part needs.
pub(crate) struct Bench {
    pub(crate) root: Root,
    pub(crate) layout: Layout,
    pub(crate) repeats: usize,
    pub(crate) requests: usize,
    pub(crate) tokio: Tokio,
    runtime: Runtime,
}

/// How long bare ONNX Runtime is timed at a time.
const SPAN: Duration = Duration::from_secs(2);

impl Bench {
    /// A service with the best layout.
    pub(crate) fn service(&self, more: &[(&str, &str)]) -> Service {
        let Layout { workers, threads, batch } = self.layout;
        let own = [workers, threads, batch].map(|n| n.to_string());
        let mut settings =
            vec![("pool.workers", &*own[0]), ("pool.threads", &*own[1]), ("pool.batch", &*own[2])];
        settings.extend(more);
        self.root.service(&settings)
    }

    /// Passes a second of ONNX Runtime alone.
    pub(crate) fn bare(&self, layout: Layout) -> anyhow::Result<f64> {
        Ok(bare_speed(&candidate()?, &self.runtime, layout, SPAN)?)
    }

    /// Ratios of `timed` passes a second to bare ONNX Runtime before and after it, the median of several.
    fn share(&self, mut timed: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<f64> {
        let mut shares = Vec::new();
        let mut before = self.bare(self.layout)?;
        for _ in 0..self.repeats {
            let own = timed()?;
            let after = self.bare(self.layout)?;
            shares.push(own / ((before + after) / 2.0));
            before = after;
        }
        Ok(median(shares))
    }
}

fn candidate() -> anyhow::Result<Candidate> {
    Ok(unmask_registry::open(&project("models/selfblend-mobilenetv2/1"), &Policy::default())?)
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A request to explain a sample.
pub(crate) fn request(method: v1::method::Kind) -> v1::ExplainRequest {
    v1::ExplainRequest {
        image: sample("astronaut-mouth.png"),
        method: Some(v1::Method { kind: Some(method), ..Default::default() }),
        outputs: vec![v1::Output::Overlay.into()],
        ..Default::default()
    }
}

pub(crate) fn rise(masks: u32) -> v1::ExplainRequest {
    request(v1::method::Kind::Rise(v1::Rise { masks: Some(masks), ..Default::default() }))
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.deadlines {
        let text = Tokio::new()?.block_on(deadlines::run(args.requests))?;
        return told(&text, args.out.as_deref());
    }
    let root = Root::new(&[]);
    let runtime = Runtime::open(&from_set_up("ORT_DYLIB_PATH"))?;
    let calibrated = root.service(&[("pool.calibration", "anew"), ("pool.cache", "/nonexistent")]);
    let tokio = Tokio::new()?;
    let model = tokio.block_on(load::model(&calibrated))?;
    drop(calibrated);
    let serving = model.serving.context("the detector serves")?;
    let own = serving.layout.context("it has a layout")?;
    let layout =
        Layout { workers: own.workers as usize, threads: own.threads as usize, batch: own.batch as usize };
    let bench = Bench { root, layout, repeats: args.repeats, requests: args.requests, tokio, runtime };
    let mut table = Table::new(&bench, &serving)?;
    if let Some(python) = args.python.as_ref().filter(|_| args.paper) {
        paper::compare(&bench, &bench.service(&[]), &args.which, python, &mut table)?;
        return told(&table.text(), args.out.as_deref());
    }

    // What sessions and batching are worth, and what is left of both.
    let one = Layout { workers: 1, threads: 1, batch: 1 };
    let many = Layout { workers: layout.workers, threads: layout.threads, batch: 1 };
    let (mut sessions, mut batching) = (Vec::new(), Vec::new());
    for _ in 0..bench.repeats {
        let [alone, beside, best] = [one, many, layout].map(|layout| bench.bare(layout));
        let (alone, beside, best) = (alone?, beside?, best?);
        sessions.push(beside / alone);
        batching.push(best / beside);
    }
    table.measured(
        "bare: the best sessions over one session of one thread, batch 1",
        &format!("{:.2}", median(sessions)),
    );
    table.measured(
        "bare: the best batch over batch 1, in the same sessions",
        &format!("{:.2}", median(batching)),
    );
    table.say("inside one RISE-4000");
    let service = bench.service(&[]);
    let inside = bench.share(|| rate(&bench, &service, rise(4000)))?;
    table.at_least("passes/s inside one RISE-4000 over bare ONNX Runtime", inside, 0.95);
    let grpc = bench.share(|| load::mixed(&bench))?;
    table.at_least("the same through gRPC with 8 concurrent mixed requests", grpc, 0.92);
    let other = bench.share(|| {
        let lime = v1::method::Kind::Lime(v1::Lime { samples: Some(1000), ..Default::default() });
        rate(&bench, &service, request(lime))
    })?;
    table.at_most(
        "share of LIME-1000 that is not forward passes (1 less its passes over bare)",
        1.0 - other,
        0.05,
    );
    table.parts(&bench, &service)?;

    if let Some(python) = &args.python {
        peers::compare(&bench, &service, python, &mut table)?;
    }
    load::search(&bench, &mut table)?;
    load::latencies(&bench, &service, &mut table)?;
    load::together(&bench, &service, &mut table)?;
    load::cancelled(&bench, &service, &mut table)?;
    drop(service);
    load::memory(&bench, &mut table)?;

    told(&table.text(), args.out.as_deref())
}

/// Prints a table, and writes it where that is wanted.
fn told(text: &str, out: Option<&Path>) -> anyhow::Result<()> {
    use std::io::Write as _;
    if let Some(out) = out {
        std::fs::write(out, text)?;
    }
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Passes a second of one request, from its picture to its answer.
pub(crate) fn rate(bench: &Bench, service: &Service, request: v1::ExplainRequest) -> anyhow::Result<f64> {
    let started = Instant::now();
    let answer = bench.tokio.block_on(load::explain(service, request))?;
    let run = answer.cost.unwrap_or_default().run;
    Ok(run as f64 / started.elapsed().as_secs_f64())
}
