//! Ten times as many requests as can be answered, sent without regard for the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tonic::Code;
use unmask_protocol::v1;
use unmask_tests::{project, request, rise};

use crate::process::Process;
use crate::{Args, Row};

/// 130 passes each.
fn explain() -> v1::ExplainRequest {
    v1::ExplainRequest { method: Some(rise(128)), ..request() }
}

#[derive(Default)]
struct Tally {
    answered: AtomicUsize,
    refused: AtomicUsize,
    otherwise: AtomicUsize,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<Vec<Row>> {
    let models = tempfile::tempdir()?;
    let name = "selfblend-mobilenetv2";
    std::os::unix::fs::symlink(project("models").join(name).canonicalize()?, models.path().join(name))?;
    let server = Process::start(&args.unmask, models.path(), &["server.max_jobs=16"])?;
    let share = if args.short { 0.1 } else { 1.0 };
    let peak = peak(&server, Duration::from_secs_f64(20.0 * share)).await?;
    let before = server.rss()?;
    let (tally, span) = (Arc::new(Tally::default()), Duration::from_secs_f64(60.0 * share));
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(server.client().await?);
    }
    let (mut calls, mut sent) = (tokio::task::JoinSet::new(), 0usize);
    let (started, pause) = (Instant::now(), Duration::from_secs_f64(0.1 / peak));
    while started.elapsed() < span {
        tokio::time::sleep_until((started + pause * sent as u32).into()).await;
        let (mut client, tally) = (clients[sent % clients.len()].clone(), Arc::clone(&tally));
        calls.spawn(async move {
            let count = match client.explain(explain()).await {
                Ok(_) => &tally.answered,
                Err(status) if status.code() == Code::ResourceExhausted => &tally.refused,
                Err(_) => &tally.otherwise,
            };
            count.fetch_add(1, Ordering::Relaxed);
        });
        sent += 1;
    }
    let within = tally.answered.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64();
    while calls.join_next().await.is_some() {}
    let grown = server.rss()? - before;
    let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
    let (answered, refused, otherwise) =
        (count(&tally.answered), count(&tally.refused), count(&tally.otherwise));
    let p99 = server.refusal(99).unwrap_or_default();
    let seconds = span.as_secs();
    Ok(vec![
        Row {
            promise: "10x overload, open loop: every request is answered once, nothing but RESOURCE_EXHAUSTED fails, no panic",
            measured: format!(
                "{seconds} s: {sent} sent, {answered} answered, {refused} refused, {otherwise} otherwise, {} panics",
                server.panics()
            ),
            holds: answered + refused == sent && otherwise == 0 && server.panics() == 0,
        },
        Row {
            promise: "10x overload: goodput of at least 90 % of the peak",
            measured: format!("{within:.2} answers/s of {peak:.2} ({:.0} %)", 100.0 * within / peak),
            holds: within >= 0.9 * peak,
        },
        Row {
            promise: "10x overload: refusals within 5 ms in the server (p99)",
            measured: format!("p50 {} us, p99 {p99} us", server.refusal(50).unwrap_or_default()),
            holds: p99 < 5000,
        },
        Row {
            promise: "10x overload: memory grows by at most 50 MiB",
            measured: format!("{before:.1} MiB and {grown:+.1}"),
            holds: grown <= 50.0,
        },
    ])
}

/// Answers a second while eight clients ask one after the other.
async fn peak(server: &Process, span: Duration) -> anyhow::Result<f64> {
    let answered = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (mut client, answered) = (server.client().await?, Arc::clone(&answered));
        clients.spawn(async move {
            while started.elapsed() < span {
                client.explain(explain()).await?;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), tonic::Status>(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    Ok(answered.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64())
}
