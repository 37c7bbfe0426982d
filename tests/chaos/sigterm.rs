//! SIGTERM while requests are open, again and again.

use std::time::Duration;

use anyhow::{Context as _, bail};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use unmask_protocol::v1;
use unmask_tests::{black_fill, model, png, rise};

use crate::process::Process;
use crate::{Args, Row};

/// Requests that are open when the signal comes.
const OPEN: usize = 50;

pub(crate) async fn run(args: &Args) -> anyhow::Result<Vec<Row>> {
    let times = if args.short { 2 } else { 100 };
    let (mut lost, mut answered, mut not_zero, mut late) = (0, 0, 0, 0);
    for _ in 0..times {
        let seen = once(args).await?;
        answered += seen.answered;
        lost += OPEN - seen.answered;
        not_zero += usize::from(!seen.zero);
        late += usize::from(!seen.readiness_first);
    }
    Ok(vec![Row {
        promise: "SIGTERM with 50 open requests: nothing accepted is lost, exit code 0, readiness falls first",
        measured: format!(
            "{times} times: {answered} answered, {lost} lost, {not_zero} exit codes other than 0, {late} times readiness fell late"
        ),
        holds: lost == 0 && not_zero == 0 && late == 0,
    }])
}

struct Seen {
    answered: usize,
    zero: bool,
    readiness_first: bool,
}

async fn once(args: &Args) -> anyhow::Result<Seen> {
    let models = tempfile::tempdir()?;
    let name = "planted-linear";
    std::os::unix::fs::symlink(args.fixtures.join(name).canonicalize()?, models.path().join(name))?;
    let server = Process::start(&args.unmask, models.path(), &[])?;
    let mut health = HealthClient::new(server.channel().await?);
    let mut watch = health.watch(HealthCheckRequest::default()).await?.into_inner();
    let serving = watch.message().await?.context("a state")?;
    if serving.status() != ServingStatus::Serving {
        bail!("it does not serve");
    }
    let before = server.arrived();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..OPEN {
        let mut client = server.client().await?;
        calls.spawn(async move { client.explain(explain()).await });
    }
    while server.arrived() < before + OPEN {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.signal("TERM")?;
    let fallen = watch.message().await?.context("a change")?;
    let address = server.url.trim_start_matches("http://").to_owned();
    let readiness_first = fallen.status() == ServingStatus::NotServing;
    let mut answered = 0;
    while let Some(call) = calls.join_next().await {
        answered += usize::from(call?.is_ok());
    }
    let zero = server.wait()?.code() == Some(0);
    if tokio::net::TcpStream::connect(&address).await.is_ok() {
        bail!("somebody still listens");
    }
    Ok(Seen { answered, zero, readiness_first })
}

/// Many passes of a small model, so that all are at work when the signal comes.
pub(crate) fn explain() -> v1::ExplainRequest {
    v1::ExplainRequest {
        image: png(32, 32, |x, y| [(x * 8) as u8, (y * 8) as u8, 128]),
        model: model("planted-linear"),
        method: Some(rise(2000)),
        fill: Some(black_fill()),
        ..v1::ExplainRequest::default()
    }
}
