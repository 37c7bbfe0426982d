//! What was timed, beside what is wanted.

use std::fmt::Write as _;
use std::io::Write as _;

use unmask_protocol::v1;
use unmask_server::Service;

use crate::{Bench, load, request};

pub(crate) struct Table {
    head: String,
    rows: Vec<String>,
    notes: Vec<String>,
}

impl Table {
    pub(crate) fn new(bench: &Bench, serving: &v1::Serving) -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let bare = bench.bare(bench.layout)?;
        let own = bench.layout;
        let mut head = format!(
            "ONNX Runtime alone, at its best setting: {} sessions of {} threads, batches of {}, {bare:.0} passes/s on {cores} cores.\n\n\
             | sessions x threads | batch | passes/s |\n|---|---|---|\n",
            own.workers, own.threads, own.batch
        );
        for speed in &serving.speeds {
            let layout = speed.layout.unwrap_or_default();
            let (workers, threads, batch) = (layout.workers, layout.threads, layout.batch);
            let _ = writeln!(head, "| {workers} x {threads} | {batch} | {:.0} |", speed.passes_per_second);
        }
        Ok(Self { head, rows: Vec::new(), notes: Vec::new() })
    }

    /// Progress, for whoever waits.
    pub(crate) fn say(&self, what: &str) {
        let _ = writeln!(std::io::stderr(), "{what}");
    }

    pub(crate) fn at_least(&mut self, what: &str, got: f64, wanted: f64) {
        self.row(what, &format!("{got:.3}"), &format!("at least {wanted:.2}"), got >= wanted);
    }

    pub(crate) fn at_most(&mut self, what: &str, got: f64, wanted: f64) {
        self.row(what, &format!("{got:.3}"), &format!("at most {wanted:.2}"), got <= wanted);
    }

    pub(crate) fn measured(&mut self, what: &str, got: &str) {
        self.rows.push(format!("| {what} | {got} | as measured | |"));
        self.say(&format!("{what}: {got}"));
    }

    fn row(&mut self, what: &str, got: &str, wanted: &str, holds: bool) {
        let mark = if holds { "yes" } else { "**no**" };
        self.rows.push(format!("| {what} | {got} | {wanted} | {mark} |"));
        self.say(&format!("{what}: {got}, wanted {wanted}: {mark}"));
    }

    pub(crate) fn note(&mut self, text: String) {
        self.say(&text);
        self.notes.push(text);
    }

    /// Where the time of one LIME-1000 goes, as the answer tells it.
    pub(crate) fn parts(&mut self, bench: &Bench, service: &Service) -> anyhow::Result<()> {
        let lime = v1::method::Kind::Lime(v1::Lime { samples: Some(1000), ..Default::default() });
        let answer = bench.tokio.block_on(load::explain(service, request(lime)))?;
        let t = answer.timings.unwrap_or_default();
        self.note(format!(
            "One LIME-1000: {:.0} ms in all; decode and SLIC {:.1} ms, fold and fit {:.1} ms, pictures {:.1} ms.",
            t.total_ms, t.decode_ms, t.fold_ms, t.render_ms
        ));
        Ok(())
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "# Speed and fairness\n\nWritten by `cargo xtask bench --out docs/bench.md`, on a machine that did nothing else. Ratios are medians of \
             pairs timed\nnext to each other, with the shipped detector; \"bare\" is ONNX Runtime alone on the golden pictures.\n\n{}\n\
             | what | measured | wanted | holds |\n|---|---|---|---|\n",
            self.head
        );
        self.rows.iter().for_each(|row| text += &format!("{row}\n"));
        if !self.notes.is_empty() {
            text += "\n";
            self.notes.iter().for_each(|note| text += &format!("* {note}\n"));
        }
        text
    }
}
