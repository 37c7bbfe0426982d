//! `unmask evaluate`: explanations of a folder of pictures against metrics, as rows, tables and plots.
//!
//! Rows are kept as they come. A run that was cut off goes on where it ended: what is there is sent back as known and
//! costs nothing, and the summary is the one of an unbroken run.

mod items;
mod plan;
mod report;
mod rows;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};
use tokio_stream::StreamExt as _;
use unmask_protocol::v1::{
    self, dataset_item, dataset_row, evaluate_dataset_request::Kind as Asked,
    evaluate_dataset_response::Kind as Answered,
};

use crate::args::Evaluate;
use crate::client::{Client, selector};
use crate::fields;
use items::Item;
use rows::Rows;

pub(crate) async fn run(args: Evaluate) -> anyhow::Result<ExitCode> {
    let plan = plan::plan(&args)?;
    let mut list = items::read(&args.dir, args.list.as_deref())?;
    list.retain(|item| args.families.is_empty() || args.families.contains(&item.family));
    ensure!(!list.is_empty(), "the list has no item of --family {}", args.families.join(", "));
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let client = Client::open(&args.place, None).await?;
    let model = model(&client, args.model.as_deref()).await?;
    for item in &mut list {
        // A family that the model has a class for says which class is right.
        if item.label.is_empty() && model.labels.contains(&item.family) {
            item.label.clone_from(&item.family);
        }
    }
    let passed_over = select(&client, &args, &mut list).await?;
    if args.dry_run {
        return announce(&client, &plan, &list).await;
    }
    let header = json!({ "plan": fields::json("EvaluationPlan", &plan)?, "model": version(&model) });
    let mut rows = Rows::open(&args.out.join("rows.jsonl"), &header)?;
    let known = list.iter().filter(|item| rows.get(&item.id).is_some()).count();
    let bar = ProgressBar::new(list.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} items, {msg}, {eta} left")?);
    let requests = requests(&args, plan, &list, &rows);
    let mut answers = client.dataset(requests).await?;
    let mut summary = None;
    while let Some(answer) = answers.next().await {
        match crate::client::message(answer)?.kind {
            Some(Answered::Row(row)) => rows.keep(&row)?,
            Some(Answered::Progress(progress)) => {
                bar.set_position(progress.items);
                bar.set_message(format!("{} failed, {} passes", progress.failed, progress.passes));
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
    let report = report::Report { summary: &summary, failures: &failures, passed_over: &passed_over };
    let written = report.write(&args.out, &fields::json("DatasetSummary", &summary)?)?;
    let mut out = std::io::stdout();
    let (items, failed) = (summary.items, summary.failed);
    writeln!(
        out,
        "{items} items, {failed} failed, {known} known from before, {} passed over",
        passed_over.len()
    )?;
    writeln!(out, "wrote {}", written.join(", "))?;
    // Where nothing could be evaluated, nothing was done.
    Ok(if items > 0 && failed == items { ExitCode::FAILURE } else { ExitCode::SUCCESS })
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

/// The model that will answer.
async fn model(client: &Client, wanted: Option<&str>) -> anyhow::Result<v1::Model> {
    let wanted = selector(wanted);
    let models = client.models().await?.models;
    let mut serving = models.into_iter().filter(|model| model.state() == v1::ModelState::Serving);
    let fits = |model: &v1::Model| {
        let version = model.version.clone().unwrap_or_default();
        wanted.as_ref().map_or(model.is_default, |wanted| {
            wanted.name == version.name && (wanted.version.is_empty() || wanted.version == version.version)
        })
    };
    // Versions are listed in ascending order; the latest is the one that a request gets.
    serving.rfind(fits).context("the model is not served; `unmask models` lists what is")
}

fn version(model: &v1::Model) -> Json {
    let version = model.version.clone().unwrap_or_default();
    json!(format!("{}@{} sha256:{}", version.name, version.version, version.sha256))
}

/// Leaves out what is not called fake, where that was asked for, and what is over the number of a family; gives those that
/// were passed over.
async fn select(client: &Client, args: &Evaluate, list: &mut Vec<Item>) -> anyhow::Result<Vec<String>> {
    let mut passed_over = Vec::new();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept = Vec::new();
    for item in std::mem::take(list) {
        let count = taken.entry(item.family.clone()).or_default();
        if args.per_family.is_some_and(|most| *count >= most) {
            continue;
        }
        if args.called_fake {
            let request = v1::PredictRequest {
                image: item.image()?,
                model: selector(args.model.as_deref()),
                crop: item.crop,
                ..Default::default()
            };
            let answer = client.predict(request).await.with_context(|| item.id.clone())?;
            if !answer.prediction.is_some_and(|prediction| prediction.fake) {
                passed_over.push(item.id);
                continue;
            }
        }
        *count += 1;
        kept.push(item);
    }
    *list = kept;
    Ok(passed_over)
}

/// The announced passes of the first item, which are those of each.
async fn announce(client: &Client, plan: &v1::EvaluationPlan, list: &[Item]) -> anyhow::Result<ExitCode> {
    let item = list.first().context("the list is empty")?;
    let picture = item.picture();
    let request = v1::EvaluateRequest {
        image: picture.image,
        crop: picture.crop,
        plan: Some(plan.clone()),
        mask: picture.mask,
        label: picture.label,
        dry_run: true,
        ..Default::default()
    };
    let answer = client.evaluate(request).await?;
    let each = answer.cost.unwrap_or_default().announced;
    let mut out = std::io::stdout();
    for evaluated in &answer.evaluated {
        let metrics: u64 = evaluated.results.iter().map(|result| result.announced).sum();
        let (name, own) = (&evaluated.name, evaluated.announced);
        writeln!(out, "{name}: at most {own} passes for the explanation, {metrics} for its figures")?;
    }
    writeln!(out, "at most {each} passes an item, {} for {} items", each * list.len() as u64, list.len())?;
    Ok(ExitCode::SUCCESS)
}

/// Why an item failed.
fn failure(row: &v1::DatasetRow) -> Option<&v1::DatasetFailure> {
    match &row.kind {
        Some(dataset_row::Kind::Failure(failure)) => Some(failure),
        Some(dataset_row::Kind::Answer(_)) | None => None,
    }
}
