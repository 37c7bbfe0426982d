//! `unmask doctor`: whether this machine can serve what is configured, and with `--gpu`, whether its GPUs answer as the
//! processor does.

use std::io::Write as _;
use std::process::{Command, ExitCode};

use unmask_server::{Checkup, diagnose};

use crate::args::Doctor;
use crate::client::config;

/// Growth of memory over a long run that counts as a leak.
const LEAK_MIB: f64 = 16.0;

pub(crate) async fn run(args: Doctor) -> anyhow::Result<ExitCode> {
    let config = config(&args.engine, &[], true)?;
    let mut out = std::io::stdout();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    writeln!(out, "processor: {cores} cores")?;
    if args.gpu {
        writeln!(out, "GPUs: {}", gpus())?;
    }
    let library = config.onnxruntime.library.display().to_string();
    let found = tokio::task::spawn_blocking(move || diagnose(&config, args.gpu)).await??;
    writeln!(out, "library: {library}, {}", found.library)?;
    let mut sound = !found.findings.is_empty();
    for finding in &found.findings {
        let on = if finding.device.is_empty() { "" } else { " on " };
        let what = format!("{}{on}{}", finding.model, finding.device);
        match &finding.outcome {
            Ok(checkup) => sound &= tell(&mut out, &what, checkup)?,
            Err(error) => {
                writeln!(out, "{what}: no: {error}")?;
                sound = false;
            }
        }
    }
    writeln!(out, "verdict: {}", if sound { "sound" } else { "not everything is as it should be" })?;
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One device and model; whether it can serve.
fn tell(out: &mut impl std::io::Write, what: &str, found: &Checkup) -> std::io::Result<bool> {
    let near = found.largest_difference <= found.tolerance;
    let steady = found.growth_mib < LEAK_MIB;
    let [own, processor] = &found.fastest;
    let yes = |holds: bool| if holds { "yes" } else { "NO" };
    writeln!(out, "{what}:")?;
    writeln!(
        out,
        "  scores as the processor's within {}: {} (largest difference {:.2e} of scores up to {:.2})",
        found.tolerance,
        yes(near),
        found.largest_difference,
        found.largest_score
    )?;
    writeln!(
        out,
        "  the same bits every time: {}; pictures together: {:?}",
        yes(found.deterministic),
        found.batching
    )?;
    writeln!(
        out,
        "  fastest: {:.0} passes/s with {} x {} threads, batches of {}; {:.2} times the processor",
        own.passes_per_second,
        own.layout.workers,
        own.layout.threads,
        own.layout.batch,
        own.passes_per_second / processor.passes_per_second.max(f64::MIN_POSITIVE)
    )?;
    writeln!(
        out,
        "  memory of this process stays: {} ({:+.1} MiB over 10 s of batches; a device's own is not looked at)",
        yes(steady),
        found.growth_mib
    )?;
    Ok(near && steady && found.deterministic)
}

/// What the driver's own tool says, if there is one.
fn gpus() -> String {
    let asked = Command::new("nvidia-smi")
        .args(["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"])
        .output();
    match asked {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            text.trim().lines().collect::<Vec<_>>().join("; ")
        }
        Ok(_) | Err(_) => "nvidia-smi tells of none".to_owned(),
    }
}
