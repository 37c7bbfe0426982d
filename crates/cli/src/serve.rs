//! `unmask serve`: loads, listens, and shuts down on a signal. A second signal ends the process at once. SIGHUP looks for
//! models that are new, changed or gone.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use unmask_server::{Service, Telemetry, check, serve};

use crate::args::Serve;
use crate::client::config;

/// What a shell reports for a process that SIGINT has ended.
const INTERRUPTED: u8 = 130;

pub(crate) async fn run(args: Serve) -> anyhow::Result<ExitCode> {
    // Handlers stand before models load, so that a signal during a long load is heard.
    let signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let hangup = signal(SignalKind::hangup())?;
    let stop = watched(signals);
    let config = config(&args.engine, &flags(&args), false)?.serving();
    check(&config)?;

    // The admin port answers while models load.
    let telemetry = Telemetry::open(&config).await?;
    let loading = config.clone();
    let mut stopped = stop.clone();
    let service = tokio::select! {
        service = tokio::task::spawn_blocking(move || Service::observed(&loading, &telemetry)) => service.context("loading panicked")??,
        _ = stopped.wait_for(|stop| *stop) => end(0),
    };
    on_hangup(hangup, service.clone());
    let mut stopped = stop.clone();
    let shutdown = async move {
        // An error means that the watcher is gone, which only happens when the process ends.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let running = serve(&config, service, shutdown).await?;
    tracing::info!(address = %running.address, "listening");
    writeln!(std::io::stdout(), "listening on {}", running.address)?;
    std::io::stdout().flush()?;
    running.done.await?;
    end(0)
}

/// Ends the process where it stands. Destructors of native libraries do not run: work that was cut off may be in the middle of a
/// pass, and a library that goes away under it crashes.
fn end(code: u8) -> ! {
    let _ = std::io::stdout().flush();
    signal_hook::low_level::exit(code.into())
}

/// What flags say in place of keys.
pub(crate) fn flags(args: &Serve) -> Vec<(String, String)> {
    let mut flags: Vec<_> = args.listen.iter().map(|l| ("server.listen".to_owned(), l.clone())).collect();
    flags.extend(args.insecure.then(|| ("server.insecure".to_owned(), "true".to_owned())));
    flags.extend(args.ui.then(|| ("server.ui".to_owned(), "true".to_owned())));
    flags
}

/// SIGHUP looks at the directory of models at once.
fn on_hangup(mut hangup: Signal, service: Service) {
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let service = service.clone();
            tracing::info!("looking at the directory of models, as asked");
            // It logs what it finds; a panic in it is told by the runtime.
            let _ = tokio::task::spawn_blocking(move || service.rescan()).await;
        }
    });
}

/// Becomes true at the first signal; the second ends the process.
fn watched((mut terminate, mut interrupt): (Signal, Signal)) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        sender.send_replace(true);
        either(&mut terminate, &mut interrupt).await;
        end(INTERRUPTED)
    });
    receiver
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
