//! Whether a device answers as the processor does, how fast, and whether its memory stays.

use std::time::{Duration, Instant};

use unmask_registry::Candidate;

use crate::backend::{Backend, BackendError, Device, Runtime};
use crate::calibrate::{Layout, Plan, Point, SPAN, calibrate, layouts};
use crate::probe::{Batching, LoadError, probe};

/// What a device has shown with one model.
#[derive(Clone, Debug)]
pub struct Checkup {
    /// How pictures stand together on it.
    pub batching: Batching,
    /// Whether the same picture gets the same bits every time.
    pub deterministic: bool,
    /// Largest difference of a raw score from the processor's, over the golden pictures and shades of them.
    pub largest_difference: f32,
    /// Largest raw score of the processor, which the difference is read beside.
    pub largest_score: f32,
    /// Largest difference that the manifest allows.
    pub tolerance: f32,
    /// The fastest layout of the device, and of the processor.
    pub fastest: [Point; 2],
    /// Growth of the process's resident memory in MiB, from the end of the first tenth of a run of many batches to its end.
    pub growth_mib: f64,
}

/// Shades of the golden pictures that are compared.
const SHADES: usize = 32;
/// How long batches are run for the look at memory.
const LONG: Duration = Duration::from_secs(10);

/// Runs the model on the device and on the processor.
///
/// # Errors
/// [`LoadError`] where the device is not there, or refuses the model.
pub fn checkup(candidate: &Candidate, runtime: &Runtime, device: Device) -> Result<Checkup, LoadError> {
    let Candidate { spec, model, external, golden, print: _ } = candidate;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let open = |device, threads| runtime.session(spec, model, external, device, threads);
    let mut own = open(device, 1)?;
    let mut processor = open(Device::Cpu, 1)?;
    let shown = probe(spec, golden, own.as_mut(), 8)?;
    let (mut largest_difference, mut largest_score) = (0.0f32, 0.0f32);
    for shade in 0..SHADES {
        let factor = 1.0 - shade as f32 / SHADES as f32;
        let input: Vec<f32> = golden.input.iter().map(|v| v * factor).collect();
        let (a, b) = (own.run(golden.rows, &input)?, processor.run(golden.rows, &input)?);
        for (a, b) in a.iter().zip(&b) {
            largest_difference = largest_difference.max((a - b).abs());
            largest_score = largest_score.max(b.abs());
        }
    }
    drop(processor);
    let fastest = |device: Device| -> Result<Point, LoadError> {
        let layouts = layouts(device, cores, [None; 3]);
        let plan = Plan { layouts: &layouts, batch: 8, span: SPAN };
        let found = calibrate(spec, golden, &plan, &mut |threads| open(device, threads))?;
        let chosen = found.and_then(|found| found.points.iter().find(|p| p.layout == found.chosen).copied());
        let layout = Layout { workers: 1, threads: 1, batch: 1 };
        Ok(chosen.unwrap_or(Point { layout, passes_per_second: 0.0 }))
    };
    let fastest = [fastest(device)?, fastest(Device::Cpu)?];
    let growth_mib = growth(candidate, own.as_mut(), fastest[0].layout)?;
    Ok(Checkup {
        batching: shown.batching,
        deterministic: shown.deterministic,
        largest_difference,
        largest_score,
        tolerance: golden.tolerance,
        fastest,
        growth_mib,
    })
}

/// The first look at a model that nobody trusts: one session on the processor with one thread, the golden scores, and as many
/// pictures together as will be.
///
/// # Errors
/// [`LoadError`] where the model is refused.
pub fn first_probe(candidate: &Candidate, runtime: &Runtime, batch: usize) -> Result<(), LoadError> {
    let Candidate { spec, model, external, golden, print: _ } = candidate;
    let mut session = runtime.session(spec, model, external, Device::Cpu, 1)?;
    probe(spec, golden, session.as_mut(), batch).map(|_| ())
}

fn growth(candidate: &Candidate, session: &mut dyn Backend, layout: Layout) -> Result<f64, BackendError> {
    let batch = layout.batch;
    let picture = candidate.spec.picture_len();
    let input: Vec<f32> = candidate.golden.input.iter().copied().cycle().take(batch * picture).collect();
    let started = Instant::now();
    let mut early = None;
    while started.elapsed() < LONG {
        session.run(batch, &input)?;
        if early.is_none() && started.elapsed() > LONG / 10 {
            early = Some(resident_mib());
        }
    }
    Ok(early.map_or(0.0, |early| resident_mib() - early))
}

/// What of this process is in memory; 0 where the system does not tell.
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap_or_default() / 1024.0
}
