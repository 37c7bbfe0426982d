//! A long day: good requests, cancelled ones and bad ones, and what the process holds meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tonic::Code;
use unmask_protocol::v1;
use unmask_protocol::v1::method::Kind;

use crate::process::Process;
use crate::sigterm::explain;
use crate::{Args, Row};

/// Requests that are sent beside each other.
const BESIDE: usize = 16;

pub(crate) async fn run(args: &Args) -> anyhow::Result<Vec<Row>> {
    let count = if args.short { 500 } else { 50_000 };
    let models = tempfile::tempdir()?;
    let name = "planted-linear";
    std::os::unix::fs::symlink(args.fixtures.join(name).canonicalize()?, models.path().join(name))?;
    let server = Arc::new(Process::start(&args.unmask, models.path(), &[])?);
    let (turn, good, bad, left, wrong) =
        <(AtomicUsize, AtomicUsize, AtomicUsize, AtomicUsize, AtomicUsize)>::default();
    let tally = Arc::new((turn, good, bad, left, wrong));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..BESIDE {
        let (mut client, tally) = (server.client().await?, Arc::clone(&tally));
        clients.spawn(async move {
            let (turn, good, bad, left, wrong) = &*tally;
            loop {
                let i = turn.fetch_add(1, Ordering::Relaxed);
                if i >= count {
                    return;
                }
                let seen = match i % 10 {
                    8 => {
                        // Gone before there can be an answer, at one moment or another.
                        let pause = Duration::from_micros(137 * (i as u64 / 10 % 20));
                        let _ = tokio::time::timeout(pause, client.explain(small())).await;
                        left
                    }
                    9 => {
                        let image = b"\x89PNG\r\n\x1a\nno more".to_vec();
                        match client.explain(v1::ExplainRequest { image, ..small() }).await {
                            Err(status) if status.code() == Code::InvalidArgument => bad,
                            Ok(_) | Err(_) => wrong,
                        }
                    }
                    _ => match client.explain(small()).await {
                        Ok(_) => good,
                        Err(_) => wrong,
                    },
                };
                seen.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    // The first tenth fills what is kept on purpose.
    let mut samples = Vec::new();
    let mut descriptors = 0;
    let next = |at: usize| count / 10 + at * count / 50;
    loop {
        let done = tally.0.load(Ordering::Relaxed);
        if done >= next(samples.len()) {
            if samples.is_empty() {
                descriptors = server.descriptors()?;
            }
            samples.push((done as f64, server.rss()?));
        }
        if done >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    while let Some(done) = clients.join_next().await {
        done?;
    }
    let grown = server.descriptors()? as i64 - descriptors as i64;
    let slope = slope(&samples) * 10_000.0;
    let (_, good, bad, left, wrong) = &*tally;
    let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
    let (first, last) = (samples.first().map_or(0.0, |s| s.1), samples.last().map_or(0.0, |s| s.1));
    Ok(vec![
        Row {
            promise: "soak: requests of 18 passes, 80 % good, 10 % cancelled, 10 % bad: each is answered as it should be",
            measured: format!(
                "{} good, {} cancelled, {} refused, {} otherwise",
                count(good),
                count(left),
                count(bad),
                count(wrong)
            ),
            holds: count(wrong) == 0 && server.panics() == 0,
        },
        Row {
            promise: "soak: memory stays (slope of at most 1 MiB in 10 000 requests)",
            measured: format!(
                "{first:.1} to {last:.1} MiB, {slope:+.2} MiB in 10 000 requests over {} samples",
                samples.len()
            ),
            holds: slope <= 1.0,
        },
        Row {
            promise: "soak: no file descriptor more",
            measured: format!("{descriptors} and {grown:+}"),
            holds: grown <= 0,
        },
    ])
}

/// Sixteen windows, the picture and the fill.
fn small() -> v1::ExplainRequest {
    let kind = Kind::Occlusion(v1::Occlusion { grid: Some(4), ..v1::Occlusion::default() });
    v1::ExplainRequest { method: Some(v1::Method { kind: Some(kind), preset: String::new() }), ..explain() }
}

/// Of a line through the points (least squares).
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |sum, p| (sum.0 + p.0 / n, sum.1 + p.1 / n));
    let (above, below) =
        points.iter().fold((0.0, 0.0), |sum, p| (sum.0 + (p.0 - x) * (p.1 - y), sum.1 + (p.0 - x).powi(2)));
    if below > 0.0 { above / below } else { 0.0 }
}
