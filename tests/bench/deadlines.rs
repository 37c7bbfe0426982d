//! Explanations with a deadline beside others without: whether they are answered before it, and with how much.

use std::time::{Duration, Instant};

use tonic::{Code, Request};
use unmask_protocol::v1;
use unmask_tests::started::Started;

use crate::load::p99;
use crate::{median, rise};

/// Clients that always have a bulk request open.
const BULK: usize = 4;
/// Masks of every request: far more than there is time for.
const MASKS: u32 = 4000;
/// What a client waits.
const TIME: Duration = Duration::from_millis(500);
/// Of the requests that are not refused, answered before their deadline.
const WANTED: f64 = 0.99;

/// What came of the requests.
#[derive(Default)]
struct Seen {
    /// Milliseconds until each answer that came in time.
    in_time: Vec<f64>,
    passes: u64,
    cut: usize,
    refused: usize,
    late: usize,
}

/// Sends so many requests, one after the other, to a server that others keep busy, and tells what came of them.
pub(crate) async fn run(requests: usize) -> anyhow::Result<String> {
    let server = Started::with(&[]).await;
    let mut busy = Vec::new();
    for seed in 0..BULK as u64 {
        let mut client = server.client().await.max_decoding_message_size(64 << 20);
        busy.push(tokio::spawn(async move {
            let request = v1::ExplainRequest { priority: v1::Priority::Bulk.into(), seed, ..rise(MASKS) };
            while client.explain(request.clone()).await.is_ok() {}
        }));
    }
    while server.service.waiting().1 < BULK {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut client = server.client().await.max_decoding_message_size(64 << 20);
    let mut seen = Seen::default();
    for seed in 0..requests as u64 {
        let message = v1::ExplainRequest { priority: v1::Priority::Interactive.into(), seed, ..rise(MASKS) };
        let mut request = Request::new(message);
        request.set_timeout(TIME);
        let sent = Instant::now();
        let answer = client.explain(request).await;
        let took = sent.elapsed();
        match answer {
            Ok(answer) if took <= TIME => {
                let answer = answer.into_inner();
                seen.in_time.push(1e3 * took.as_secs_f64());
                seen.passes += answer.cost.as_ref().map_or(0, |cost| cost.used);
                seen.cut += usize::from(answer.truncated_by() == v1::Truncation::Deadline);
            }
            Ok(_) => seen.late += 1,
            Err(status) if status.code() == Code::ResourceExhausted => seen.refused += 1,
            // tonic's client calls its own deadline a cancel.
            Err(status) if matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled) => {
                seen.late += 1;
            }
            Err(status) => return Err(status.into()),
        }
    }
    busy.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(seen.table(requests))
}

impl Seen {
    fn table(&self, requests: usize) -> String {
        let answered = self.in_time.len();
        let share = answered as f64 / (requests - self.refused).max(1) as f64;
        let passes = self.passes as f64 / answered.max(1) as f64;
        let mark = if share >= WANTED { "yes" } else { "**no**" };
        let (half, most) = (median(self.in_time.clone()), p99(self.in_time.clone()));
        let rows = [
            format!(
                "| answered before the deadline, of those not refused | {share:.3} | at least {WANTED:.2} | {mark} |"
            ),
            format!(
                "| of them flagged as cut by the deadline | {} of {answered} | as measured | |",
                self.cut
            ),
            format!("| passes in an answer, on average | {passes:.0} | as measured | |"),
            format!("| refused | {} | as measured | |", self.refused),
            format!("| DEADLINE_EXCEEDED, by the server or by the client | {} | as measured | |", self.late),
            format!("| milliseconds until an answer, p50 and p99 | {half:.0}, {most:.0} | as measured | |"),
        ];
        format!(
            "{requests} interactive explanations by RISE with {MASKS} masks, one after the other, each with a deadline of {} ms, beside \
             {BULK} bulk ones without.\n\n| what | got | wanted | |\n|---|---|---|---|\n{}\n",
            TIME.as_millis(),
            rows.join("\n")
        )
    }
}
