//! Requests beside each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tonic::Request;
use tonic::transport::Channel;
use unmask_pool::Layout;
use unmask_protocol::v1;
use unmask_protocol::v1::explanation_service_client::ExplanationServiceClient;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::v1::method::Kind;
use unmask_protocol::v1::model_service_server::ModelService as _;
use unmask_server::{Service, serve};

use crate::table::Table;
use crate::{Bench, median, request, rise};

pub(crate) async fn explain(
    service: &Service,
    request: v1::ExplainRequest,
) -> anyhow::Result<v1::ExplainResponse> {
    Ok(service.explain(Request::new(request)).await?.into_inner())
}

pub(crate) async fn model(service: &Service) -> anyhow::Result<v1::Model> {
    let answer = service.list_models(Request::new(v1::ListModelsRequest {})).await?.into_inner();
    answer.models.into_iter().next().context("a model is served")
}

/// How long mixed requests are sent.
const MIXED: Duration = Duration::from_secs(8);

/// Passes a second while eight clients send requests of every kind over gRPC.
pub(crate) fn mixed(bench: &Bench) -> anyhow::Result<f64> {
    // One that has gone down takes nothing any more.
    let service = bench.service(&[]);
    bench.tokio.block_on(async {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = serve(&bench.root.config(&[]), service.clone(), async {
            let _ = stopped.await;
        })
        .await?;
        let url = format!("http://{}", running.address);
        let server = tokio::spawn(running.done);
        let done = Arc::new(AtomicBool::new(false));
        let kinds = [
            Kind::Rise(v1::Rise { masks: Some(1000), ..Default::default() }),
            Kind::Lime(v1::Lime { samples: Some(500), ..Default::default() }),
            Kind::Occlusion(v1::Occlusion::default()),
            Kind::Sobol(v1::Sobol { design: Some(8), ..Default::default() }),
            Kind::PartitionShap(v1::PartitionShap { evaluations: Some(500), ..Default::default() }),
            Kind::KernelShap(v1::KernelShap { samples: Some(500), ..Default::default() }),
        ];
        let mut clients = Vec::new();
        for i in 0..8usize {
            let channel = Channel::from_shared(url.clone())?.connect().await?;
            let mut client = ExplanationServiceClient::new(channel).max_decoding_message_size(64 << 20);
            let done = Arc::clone(&done);
            clients.push(tokio::spawn(async move {
                let mut turn = i;
                while !done.load(Ordering::Relaxed) {
                    client.explain(request(kinds[turn % kinds.len()])).await?;
                    turn += 1;
                }
                Ok::<(), tonic::Status>(())
            }));
        }
        // Until all of them are at work.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (before, started) = (service.passes(), Instant::now());
        tokio::time::sleep(MIXED).await;
        let rate = (service.passes() - before) as f64 / started.elapsed().as_secs_f64();
        done.store(true, Ordering::Relaxed);
        for client in clients {
            client.await??;
        }
        let _ = stop.send(());
        server.await??;
        Ok(rate)
    })
}

/// A request of 49 questions, the picture and its fill.
fn small(priority: v1::Priority) -> v1::ExplainRequest {
    let occlusion = v1::Occlusion { grid: Some(7), window: Some(1), mode: v1::OcclusionMode::Hide.into() };
    v1::ExplainRequest {
        priority: priority.into(),
        outputs: Vec::new(),
        ..request(Kind::Occlusion(occlusion))
    }
}

/// Seconds of so many small requests, one after the other.
async fn small_ones(service: &Service, count: usize, priority: v1::Priority) -> anyhow::Result<Vec<f64>> {
    let mut took = Vec::new();
    for _ in 0..count {
        let started = Instant::now();
        explain(service, small(priority)).await?;
        took.push(started.elapsed().as_secs_f64());
    }
    Ok(took)
}

/// The 99th percentile; none of nothing.
pub(crate) fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get((values.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// Eight jobs of 4 000 passes that never end, while `timed` runs.
async fn beside_eight<T>(
    service: &Service,
    priority: v1::Priority,
    timed: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let jobs: Vec<_> = (0..8)
        .map(|_| {
            let service = service.clone();
            let request = v1::ExplainRequest { priority: priority.into(), ..rise(4000) };
            tokio::spawn(async move {
                loop {
                    if explain(&service, request.clone()).await.is_err() {
                        return;
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let result = timed.await;
    jobs.iter().for_each(|job| job.abort());
    while service.waiting().1 > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    result
}

/// Small requests on an idle server and beside eight large jobs.
pub(crate) fn latencies(bench: &Bench, service: &Service, table: &mut Table) -> anyhow::Result<()> {
    let (count, normal, bulk) = (bench.requests, v1::Priority::Normal, v1::Priority::Bulk);
    bench.tokio.block_on(async {
        let idle = small_ones(service, count, v1::Priority::Interactive).await?;
        let beside =
            beside_eight(service, bulk, small_ones(service, count, v1::Priority::Interactive)).await?;
        let again = small_ones(service, count, normal).await?;
        let alone = median(idle.iter().chain(&again).copied().collect());
        let equal = beside_eight(service, normal, small_ones(service, count.div_ceil(2), normal)).await?;
        let (idle99, beside99, equal99) = (p99(idle), p99(beside.clone()), p99(equal.clone()));
        table.at_most(
            "p99 of an interactive 51-pass request beside eight bulk jobs of 4 000 over its p99 on an idle server",
            beside99 / idle99,
            4.0,
        );
        table.at_most(
            "the same with equal classes, over its fair-share time (9 times its median alone)",
            equal99 / (9.0 * alone),
            1.2,
        );
        table.note(format!(
            "The 51-pass request: alone median {:.1} ms, p99 {:.1} ms; interactive beside bulk median {:.1} ms, p99 {:.1} ms; \
             equal classes median {:.1} ms, p99 {:.1} ms.",
            1e3 * alone,
            1e3 * idle99,
            1e3 * median(beside),
            1e3 * beside99,
            1e3 * median(equal),
            1e3 * equal99
        ));
        Ok(())
    })
}

/// Two equal jobs that start together.
pub(crate) fn together(bench: &Bench, service: &Service, table: &mut Table) -> anyhow::Result<()> {
    let timed = |seed| {
        let service = service.clone();
        async move {
            let started = Instant::now();
            explain(&service, v1::ExplainRequest { seed, ..rise(4000) }).await?;
            Ok::<f64, anyhow::Error>(started.elapsed().as_secs_f64())
        }
    };
    let mut apart = Vec::new();
    for _ in 0..bench.repeats {
        let (a, b) =
            bench.tokio.block_on(async { tokio::join!(tokio::spawn(timed(1)), tokio::spawn(timed(2))) });
        let (a, b) = (a??, b??);
        apart.push((a - b).abs() / a.max(b));
    }
    let most = apart.iter().copied().fold(0.0, f64::max);
    table.at_most("two equal jobs that start together end within (the worst of all repeats)", most, 0.05);
    Ok(())
}

/// The paper's search at the best layout, and at batch 1 in one session as its authors run it.
pub(crate) fn search(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let alone = Layout { workers: 1, threads: cores, batch: 1 };
    let one = bench.root.service(&[
        ("pool.workers", "1"),
        ("pool.threads", &cores.to_string()),
        ("pool.batch", "1"),
        ("fills.max_bytes", "0"),
    ]);
    let best = bench.service(&[("fills.max_bytes", "0")]);
    let searched = |service: &Service| -> anyhow::Result<f64> {
        let fill = v1::fill::Kind::AdversarialPaper(v1::AdversarialPaperFill {
            steps: Some(20),
            ..Default::default()
        });
        let request = v1::ExplainRequest {
            fill: Some(v1::Fill { kind: Some(fill) }),
            image: unmask_tests::sample("astronaut-blend.png"),
            ..small(v1::Priority::Normal)
        };
        crate::rate(bench, service, request)
    };
    let (mut ratios, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..bench.repeats {
        ratios.push(searched(&best)? / searched(&one)?);
        bare.push(bench.bare(bench.layout)? / bench.bare(alone)?);
    }
    table.measured(
        "passes/s of the paper's search over the same at batch 1 in one session",
        &format!("{:.2}, bare ONNX Runtime {:.2}", median(ratios), median(bare)),
    );
    Ok(())
}

/// Passes that are run after a client has gone.
pub(crate) fn cancelled(bench: &Bench, service: &Service, table: &mut Table) -> anyhow::Result<()> {
    let mut most = 0;
    for _ in 0..bench.repeats {
        let after = bench.tokio.block_on(async {
            let own = service.clone();
            let job = tokio::spawn(async move { explain(&own, rise(20_000)).await });
            tokio::time::sleep(Duration::from_millis(700)).await;
            job.abort();
            // The future is dropped at once; what was taken by workers by then is still run.
            let _ = job.await;
            let before = service.passes();
            while service.waiting().1 > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            service.passes() - before
        });
        most = most.max(after);
    }
    let allowed = 2 * bench.layout.workers * bench.layout.batch;
    table.at_most("passes run after a cancel, of those allowed", most as f64 / allowed as f64, 1.0);
    table.note(format!("After a cancel at most {most} passes were run, {allowed} are allowed."));
    Ok(())
}

/// Peak resident memory of RISE-20000 over that of RISE-200.
pub(crate) fn memory(bench: &Bench, table: &mut Table) -> anyhow::Result<()> {
    let service = bench.service(&[]);
    let peak = |masks: u32| -> anyhow::Result<f64> {
        // 5 sets the peak back to what is resident now.
        std::fs::write("/proc/self/clear_refs", "5")?;
        bench.tokio.block_on(explain(&service, rise(masks)))?;
        let status = std::fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("a peak")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024.0)
    };
    peak(200)?;
    let (few, many) = (peak(200)?, peak(20_000)?);
    table.at_most("peak resident memory of RISE-20000 less that of RISE-200, in MiB", many - few, 20.0);
    Ok(())
}
