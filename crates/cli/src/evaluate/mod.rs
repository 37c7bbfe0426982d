//! `unmask evaluate`: explanations of a picture, or of a folder of them, against metrics, as rows, tables and plots.
//!
//! Rows are kept as they come. A run that was cut off goes on where it ended: what is there is sent back as known and
//! costs nothing, and the summary is the one of an unbroken run.

mod command;
mod cost;
mod differs;
mod items;
mod one;
mod plan;
mod report;
mod rows;
mod select;

pub(crate) use plan::method;

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};
use tokio_stream::StreamExt as _;
use unmask_protocol::v1::{
    self, dataset_item, dataset_row, evaluate_dataset_request::Kind as Asked,
    evaluate_dataset_response::Kind as Answered,
};

use crate::args::Evaluate;
use crate::client::Client;
use crate::fields;
use items::Item;
use rows::Rows;

pub(crate) async fn run(args: Evaluate) -> anyhow::Result<ExitCode> {
    let plan = plan::plan(&args)?;
    if args.path.is_file() {
        return one::run(&args, plan).await;
    }
    let of_pictures = [
        ("--mask", args.mask.is_some()),
        ("--label", args.label.is_some()),
        ("--crop", args.crop.is_some()),
        ("--json", args.json),
    ];
    for (flag, given) in of_pictures {
        ensure!(!given, "{flag} is for one picture, and {} is a folder", args.path.display());
    }
    let mut list = items::read(&args.path, args.list.as_deref())?;
    list.retain(|item| args.families.is_empty() || args.families.contains(&item.family));
    ensure!(!list.is_empty(), "the list has no item of --family {}", args.families.join(", "));
    let client = Client::open(&args.place).await?;
    let model = select::model(&client, plan.model.clone()).await?;
    let passed_over = select::select(&client, &args, plan.model.as_ref(), &model, &mut list).await?;
    if args.dry_run {
        let item = list.first().context("the list is empty")?.picture();
        let v1::DatasetPicture { image, crop, mask, label, .. } = item;
        let plan = Some(plan);
        let request = v1::EvaluateRequest { image, crop, plan, mask, label, ..Default::default() };
        return cost::announce(&client, request, list.len() as u64).await;
    }
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let header = json!({
        "plan": fields::json("EvaluationPlan", &plan)?,
        "model": version(&model),
        "unmask": env!("CARGO_PKG_VERSION"),
    });
    let mut rows = Rows::open(&args.out.join("rows.jsonl"), &header, &list)?;
    let known = list.iter().filter(|item| rows.get(&item.id).is_some()).count();
    let bar = ProgressBar::new(list.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} items, {msg}, {eta} left")?)
        .with_message("0 failed");
    let mut log = Log { every: Duration::from_secs(30), last: None };
    let items: BTreeMap<&str, &Item> = list.iter().map(|item| (item.id.as_str(), item)).collect();
    let metrics: Vec<_> =
        plan.metrics.iter().map(|metric| fields::word("Metric", metric)).collect::<Result<_, _>>()?;
    let requests = requests(&args, plan, &list, &rows);
    let mut answers = client.dataset(requests).await?;
    let mut summary = None;
    while let Some(answer) = answers.next().await {
        match crate::client::message(answer)?.kind {
            Some(Answered::Row(row)) => {
                rows.keep(&row, || items.get(row.id.as_str()).map(|item| item.input()).unwrap_or_default())?;
            }
            Some(Answered::Progress(progress)) => {
                bar.set_position(progress.items);
                let told = format!("{} failed, {} passes", progress.failed, progress.passes);
                log.tell(&format!("{}/{} items, {told}", progress.items, list.len()));
                bar.set_message(told);
            }
            Some(Answered::Summary(last)) => summary = Some(last),
            None => bail!("the server sent an answer that this version does not know"),
        }
    }
    bar.finish_and_clear();
    let summary =
        summary.context("the server ended without a summary; run the same command again to go on")?;
    let failures = rows.failures(&list);
    rows.finish(&header, &list)?;
    let listed: Vec<_> = list.iter().filter_map(|item| rows.get(&item.id)).collect();
    let report = report::Report {
        summary: &summary,
        metrics: &metrics,
        command: &command::command(&args),
        rows: &listed,
        failures: &failures,
        passed_over: &passed_over,
    };
    let written = report.write(&args.out, &fields::json("DatasetSummary", &summary)?)?;
    let mut out = std::io::stdout();
    let (items, failed) = (summary.items, summary.failed);
    writeln!(
        out,
        "{items} items, {failed} failed, {known} known from before, {} passed over",
        passed_over.len()
    )?;
    writeln!(out, "wrote {}", written.join(", "))?;
    // As of any command that could not do all that it was asked to; the report says what.
    Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// How far the work is, now and then, where nobody sees the bar.
struct Log {
    every: Duration,
    last: Option<Instant>,
}

impl Log {
    fn tell(&mut self, line: &str) {
        let due = self.last.is_none_or(|last| last.elapsed() >= self.every);
        if due && !std::io::stderr().is_terminal() {
            self.last = Some(Instant::now());
            // Nobody reads it: the work goes on.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

/// The plan, then every item: as the row that is known, or as its picture, read when it is asked for.
fn requests(
    args: &Evaluate,
    plan: v1::EvaluationPlan,
    list: &[Item],
    rows: &Rows,
) -> impl Iterator<Item = v1::EvaluateDatasetRequest> + Send + 'static {
    let first = v1::DatasetPlan {
        request_id: String::new(),
        plan: Some(plan),
        resamples: args.resamples,
        confidence: args.confidence,
        priority: crate::args::priority(args.priority),
    };
    let items: Vec<_> = list.iter().map(|item| (item.clone(), rows.get(&item.id).cloned())).collect();
    let items = items.into_iter().map(|(item, known)| {
        let kind = match known {
            Some(row) => dataset_item::Kind::Row(row),
            None => dataset_item::Kind::Picture(item.picture()),
        };
        let item = v1::DatasetItem { id: item.id, kind: Some(kind) };
        v1::EvaluateDatasetRequest { kind: Some(Asked::Item(item)) }
    });
    std::iter::once(v1::EvaluateDatasetRequest { kind: Some(Asked::Plan(first)) }).chain(items)
}

fn version(model: &v1::Model) -> Json {
    let version = model.version.clone().unwrap_or_default();
    json!(format!("{}@{} sha256:{}", version.name, version.version, version.sha256))
}

/// Why an item failed.
fn failure(row: &v1::DatasetRow) -> Option<&v1::DatasetFailure> {
    match &row.kind {
        Some(dataset_row::Kind::Failure(failure)) => Some(failure),
        Some(dataset_row::Kind::Answer(_)) | None => None,
    }
}
