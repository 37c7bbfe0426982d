//! What was sent and answered, as a table and as docs/load.md.

use std::collections::BTreeMap;

use super::bare::Layout;
use super::ghz::Report;
use super::server::Counted;

const OK: &str = "OK";
const EXHAUSTED: &str = "ResourceExhausted";

/// One scenario.
pub(super) struct Row {
    scenario: String,
    codes: BTreeMap<String, usize>,
    /// Milliseconds of the answers that are OK, ascending.
    took: Vec<f64>,
    /// Answers that are OK a second, from the first call to the last answer.
    goodput: f64,
    passes: f64,
    fill: f64,
    /// Passes a second of ONNX Runtime alone, the mean of before and after.
    bare: f64,
    rejects: Vec<(String, f64)>,
    errors: Vec<String>,
}

/// All of them, and what they are held against.
pub(super) struct Run {
    pub(super) rows: Vec<Row>,
    pub(super) layout: Layout,
    pub(super) versions: Vec<String>,
    pub(super) machine: String,
}

impl Row {
    pub(super) fn new(scenario: &str, report: &Report, counted: &Counted, bare: f64) -> Self {
        let mut codes = BTreeMap::new();
        for call in &report.details {
            *codes.entry(call.status.clone()).or_default() += 1;
        }
        let fine = report.details.iter().filter(|call| call.status == OK);
        let mut took: Vec<_> = fine.map(|call| call.latency as f64 / 1e6).collect();
        took.sort_by(f64::total_cmp);
        let seconds = report.total as f64 / 1e9;
        let sum = |name| counted.sum(name);
        Self {
            scenario: scenario.to_owned(),
            goodput: took.len() as f64 / seconds,
            passes: sum("unmask_passes_total") / counted.seconds,
            fill: sum("unmask_batch_fill_ratio_sum") / sum("unmask_batch_fill_ratio_count"),
            rejects: counted.by("unmask_rejects_total", "reason"),
            errors: report.errors.keys().cloned().collect(),
            bare,
            codes,
            took,
        }
    }

    fn count(&self, code: &str) -> usize {
        self.codes.get(code).copied().unwrap_or_default()
    }

    fn sent(&self) -> usize {
        self.codes.values().sum()
    }

    /// Codes that are neither an answer nor a refusal.
    fn others(&self) -> Vec<String> {
        let others = self.codes.iter().filter(|(code, _)| ![OK, EXHAUSTED].contains(&code.as_str()));
        others.map(|(code, count)| format!("{count} {code}")).collect()
    }

    /// Milliseconds below which so many of a hundred answers were (nearest rank).
    fn percentile(&self, percent: usize) -> String {
        let rank = (self.took.len() * percent).div_ceil(100).max(1);
        self.took.get(rank - 1).map_or_else(|| "-".into(), |ms| format!("{ms:.0}"))
    }

    fn cells(&self) -> String {
        let rejects: Vec<_> =
            self.rejects.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        [
            self.scenario.clone(),
            self.sent().to_string(),
            self.count(OK).to_string(),
            self.count(EXHAUSTED).to_string(),
            or_none(&self.others()),
            [50, 90, 99].map(|percent| self.percentile(percent)).join(" / "),
            format!("{:.1}", self.goodput),
            format!("{:.0}", self.passes),
            format!("{:.2}", self.fill),
            or_none(&rejects),
            format!("{:.0}", self.bare),
            format!("{:.2}", self.passes / self.bare),
        ]
        .join(" | ")
    }
}

impl Run {
    pub(super) fn table(&self) -> String {
        let mut text = String::from(
            "| scenario | sent | OK | RESOURCE_EXHAUSTED | other | p50 / p90 / p99 of OK, ms | OK/s | passes/s | batch fill | rejects by reason | bare passes/s | passes/s over bare |\n\
             |---|---|---|---|---|---|---|---|---|---|---|---|\n",
        );
        self.rows.iter().for_each(|row| text += &format!("| {} |\n", row.cells()));
        let Layout { workers, threads, batch } = self.layout;
        text += &format!(
            "\nServer and bare ONNX Runtime: sessions {workers}, threads of each {threads}, pictures in a batch at most {batch}.\n"
        );
        text
    }

    pub(super) fn page(&self, seconds: Option<u32>) -> String {
        let seconds = seconds.map_or_else(String::new, |seconds| format!(" --seconds {seconds}"));
        let tools: Vec<_> = self.versions.iter().map(|tool| format!("* {tool}\n")).collect();
        let tools = tools.concat();
        format!(
            "# Load\n\nWritten by `cargo xtask load{seconds}`. Client and server share one machine: {machine}.\n\n{table}\n{READING}\n## Made with\n\n{tools}",
            machine = self.machine,
            table = self.table(),
        )
    }

    /// What must not be: a failure that is no refusal under `saturation`, and a scenario without a single answer.
    pub(super) fn faults(&self, saturation: &str) -> Vec<String> {
        let mut faults = Vec::new();
        for row in &self.rows {
            if row.count(OK) == 0 {
                faults.push(format!("{}: nothing was answered: {}", row.scenario, or_none(&row.errors)));
            }
            let others = row.others();
            if row.scenario == saturation && !others.is_empty() {
                let (others, errors) = (others.join(", "), row.errors.join("; "));
                faults.push(format!("{saturation}: not only RESOURCE_EXHAUSTED failed: {others}: {errors}"));
            }
        }
        faults
    }
}

fn or_none(words: &[String]) -> String {
    if words.is_empty() { "none".into() } else { words.join(", ") }
}

const READING: &str = "\
Sent, codes, percentiles and OK/s (goodput) are ghz's, from each of its calls; OK/s is over the time from the first call to the last answer.
Passes/s, batch fill (the histogram's sum over its count) and rejects are differences of the server's `/metrics` around the run of ghz, its
start and end included. Bare ONNX Runtime is what `unmask models calibrate` times, the mean of before and after the scenario, while the server
waits. The ratio to it tells of the server only where more is asked for than there is: in `mixed` and `saturation`. The client takes its
share of the cores. A ratio above 1 says that the machine had other work while ONNX Runtime was timed. `cargo xtask bench` measures the ratio in
pairs. A batch of at most 1 is always full; `--batch 8` shows how batches fill where they are larger.

## Scenarios

The files are in [`deploy/load`](../deploy/load), for ghz 0.120. All call `Explain`.

| file | asks |
|---|---|
| `steady.json` | 3 occlusions a second, 51 passes each |
| `ramp.json` | the same from 1 a second to 20, one more every second |
| `mixed.json` | all six methods in turn, always 8 requests open, at three priorities |
| `saturation.json` | 100 occlusions a second, with at most 128 open: more than there are places (`server.max_jobs`) |

The task fails where under `saturation` anything but RESOURCE_EXHAUSTED fails, or where a scenario gets no answer at all.

A configuration of ghz has one `call`, so that one run cannot mix calls; its `binary-file` holds any number of that call's requests, each
behind its length, and they are sent in turn. That mixes methods. What is in these files is written in `requests.json` as the
contract's JSON, without the picture, which is `models/samples/astronaut-mouth.png`. The task makes them and `unmask.protoset`
below `target/load`. By hand, against a server of one's own:

```sh
cargo run -p unmask-tests --bin load -- target/load
cd target/load && ghz --config ../../deploy/load/steady.json 127.0.0.1:50051
```
";

#[cfg(test)]
mod tests {
    use super::*;

    fn run(scenario: &str, calls: &[(&str, u64)]) -> Run {
        let calls: Vec<_> = calls
            .iter()
            .map(|(status, ms)| serde_json::json!({"status": status, "latency": ms * 1_000_000}))
            .collect();
        let report = serde_json::json!({"total": 2_000_000_000u64, "details": calls});
        let values = [
            ("unmask_passes_total{model=\"m\"}", 100.0),
            ("unmask_batch_fill_ratio_sum{model=\"m\"}", 3.0),
            ("unmask_batch_fill_ratio_count{model=\"m\"}", 4.0),
            ("unmask_rejects_total{reason=\"places\"}", 1.0),
        ];
        let values = values.map(|(name, value)| (name.to_owned(), value)).into();
        let row = Row::new(
            scenario,
            &serde_json::from_value(report).unwrap(),
            &Counted { seconds: 2.0, values },
            100.0,
        );
        let layout = Layout { workers: 2, threads: 1, batch: 4 };
        Run { rows: vec![row], layout, versions: vec!["ghz".into()], machine: "a".into() }
    }

    #[test]
    fn a_row_tells_answers_refusals_and_shares() {
        let calls = [(OK, 30), (OK, 10), (EXHAUSTED, 1), (OK, 20), ("Internal", 5)];
        let row =
            "| steady | 5 | 3 | 1 | 1 Internal | 20 / 30 / 30 | 1.5 | 50 | 0.75 | 1 places | 100 | 0.50 |\n";
        let run = run("steady", &calls);
        assert!(run.table().contains(row), "{}", run.table());
        assert!(run.page(Some(5)).starts_with("# Load\n\nWritten by `cargo xtask load --seconds 5`. "));
    }

    #[test]
    fn under_saturation_only_refusals_may_fail_and_nothing_answered_is_a_fault_anywhere() {
        assert!(run("saturation", &[(OK, 1), (EXHAUSTED, 1)]).faults("saturation").is_empty());
        assert!(run("mixed", &[(OK, 1), ("Internal", 1)]).faults("saturation").is_empty());
        let [fault] = &run("saturation", &[(OK, 1), ("Unavailable", 1)]).faults("saturation")[..] else {
            panic!()
        };
        assert!(fault.contains("1 Unavailable"), "{fault}");
        assert_eq!(run("mixed", &[]).faults("saturation"), ["mixed: nothing was answered: none"]);
    }
}
