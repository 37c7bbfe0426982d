//! One connection, from its handshake to its end.

use std::os::fd::{AsFd as _, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::rt::{Read, Write};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::door::{Door, House, Streams};
use super::front::Front;
use super::tls::{Tls, names};
use crate::config::Http2;
use crate::identity::Names;

/// Serves a connection until it ends, grows old, is idle for too long, or the server goes down.
pub(super) async fn serve(stream: TcpStream, tls: Option<Arc<Tls>>, house: Arc<House>, settings: Arc<Http2>) {
    // Small answers must not wait for the acknowledgement of their headers.
    let _ = stream.set_nodelay(true);
    // hyper does not see that a client of HTTP/1.1 has left while it holds bytes that come after a request.
    let left = left(house.page.as_ref().and_then(|_| stream.as_fd().try_clone_to_owned().ok()));
    tokio::select! {
        () = shaken(stream, tls, house, settings) => {}
        () = left => tracing::debug!("a client has left"),
    }
}

/// How often it is looked whether a client has left.
const LOOK: Duration = Duration::from_millis(500);

/// When the other side of a socket has closed it; never where there is none to look at.
async fn left(socket: Option<OwnedFd>) {
    let Some(socket) = socket else { return std::future::pending().await };
    loop {
        sleep(LOOK).await;
        let mut look = [PollFd::new(&socket, PollFlags::RDHUP)];
        let seen = poll(&mut look, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
        if seen.is_ok() && look[0].revents().intersects(gone) {
            return;
        }
    }
}

async fn shaken(stream: TcpStream, tls: Option<Arc<Tls>>, house: Arc<House>, settings: Arc<Http2>) {
    let Some(tls) = tls else {
        return drive(TokioIo::new(stream), Names::default(), house, &settings).await;
    };
    let handshake = TlsAcceptor::from(tls.current()).accept(stream);
    match timeout(Duration::from_secs(settings.handshake_seconds), handshake).await {
        Ok(Ok(stream)) => {
            let chain = stream.get_ref().1.peer_certificates();
            let names = chain.and_then(<[_]>::first).map_or_else(Names::default, |own| names(own));
            drive(TokioIo::new(stream), names, house, &settings).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
        Err(_) => tracing::debug!("a handshake took too long"),
    }
}

async fn drive<I>(io: I, names: Names, house: Arc<House>, settings: &Http2)
where
    I: Read + Write + Unpin + Send + 'static,
{
    let streams = Streams::default();
    let drain = house.drain.clone();
    let builder = builder(settings, house.page.is_some());
    let front = Front(Door { house, names, streams: streams.clone() });
    let mut connection = pin!(builder.serve_connection(io, front));
    let ends = async {
        tokio::select! {
            () = drain.begun() => End::Down,
            () = old(settings) => End::Old,
            () = idle(streams.clone(), settings) => End::Idle,
        }
    };
    let end = tokio::select! {
        done = &mut connection => return ended(done),
        end = ends => end,
    };
    // Streams that are open go on; a server that goes down ends what is left itself.
    connection.as_mut().graceful_shutdown();
    let over = async {
        match end {
            End::Down => std::future::pending().await,
            End::Old => sleep(Duration::from_secs(settings.age_grace_seconds)).await,
            // A client that does not even say goodbye is not waited for, unless it has asked for something meanwhile.
            End::Idle => {
                sleep(Duration::from_secs(settings.handshake_seconds)).await;
                streams.none().await;
            }
        }
    };
    tokio::select! {
        done = &mut connection => ended(done),
        () = over => tracing::debug!("a connection is cut off"),
    }
}

/// Why a connection takes no further streams.
enum End {
    Down,
    Old,
    Idle,
}

fn ended(done: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = done {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Least memory that hyper wants for what it reads of HTTP/1.1.
const LEAST_BUFFER: usize = 8 << 10;

/// HTTP/2, and where browsers come HTTP/1.1 as well, which they speak without TLS.
fn builder(settings: &Http2, browsers: bool) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    if !browsers {
        builder = builder.http2_only();
    }
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(settings.handshake_seconds))
        .max_buf_size(LEAST_BUFFER.max(settings.max_header_bytes as usize));
    let keepalive = settings.keepalive_seconds;
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.max_streams)
        .max_frame_size(settings.max_frame_bytes)
        .max_header_list_size(settings.max_header_bytes)
        .initial_stream_window_size(settings.stream_window_bytes)
        .initial_connection_window_size(settings.connection_window_bytes)
        .max_pending_accept_reset_streams(settings.max_pending_resets)
        .max_local_error_reset_streams(settings.max_local_resets)
        .keep_alive_interval((keepalive > 0).then(|| Duration::from_secs(keepalive)))
        .keep_alive_timeout(Duration::from_secs(settings.keepalive_timeout_seconds));
    builder
}

/// When a connection is old. Each is old at an age of its own, a tenth about the one that is configured, so that clients which
/// came together do not come again together.
async fn old(settings: &Http2) {
    match settings.age_seconds {
        0 => std::future::pending().await,
        seconds => {
            let chance = uuid::Uuid::new_v4().as_u128() % 201;
            let share = 0.9 + chance as f64 / 1000.0;
            sleep(Duration::from_secs(seconds).mul_f64(share)).await;
        }
    }
}

/// When a connection has had no stream for too long.
async fn idle(streams: Streams, settings: &Http2) {
    match settings.idle() {
        None => std::future::pending().await,
        Some(long) => streams.quiet(long).await,
    }
}
