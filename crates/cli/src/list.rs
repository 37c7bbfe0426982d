//! `unmask models`, `unmask methods` and `unmask metrics`.

use std::io::Write as _;
use std::process::ExitCode;

use prost::Message;
use unmask_protocol::v1;
use unmask_server::{CalibrationWord, Service};

use crate::args::{Calibrate, Format, List};
use crate::client::{Client, config};
use crate::fields;

pub(crate) async fn models(args: List) -> anyhow::Result<ExitCode> {
    let answer = Client::open(&args.place).await?.models().await?;
    let mut out = std::io::stdout();
    if as_json(&mut out, args.format, "ListModelsResponse", &answer)? {
        return Ok(ExitCode::SUCCESS);
    }
    for model in &answer.models {
        let version = model.version.clone().unwrap_or_default();
        let id = format!("{}@{}", version.name, version.version);
        if model.state() == v1::ModelState::Refused {
            writeln!(out, "{id}: refused: {}", model.reason)?;
            continue;
        }
        let default = if model.is_default { " (default)" } else { "" };
        writeln!(out, "{id}{default}: {}", model.summary)?;
        if model.task() != v1::ModelTask::Faces {
            writeln!(out, "  classes {} (real: {})", model.labels.join(", "), model.real_label)?;
        }
        for group in &model.groups {
            writeln!(out, "  group {}: {}", group.name, group.labels.join(", "))?;
        }
        let expects = match model.expected_picture() {
            v1::ExpectedPicture::Face => {
                format!("a square face crop, {} x the face's box", model.face_factor)
            }
            v1::ExpectedPicture::Whole | v1::ExpectedPicture::Unspecified => "any picture".to_owned(),
        };
        writeln!(out, "  expects {expects}, seen at {} x {} pixels", model.width, model.height)?;
        writeln!(out, "  licence {}, sha256 {}", model.licence, version.sha256)?;
        match &model.serving {
            Some(own) => writeln!(out, "  {}", serving(own))?,
            None => writeln!(out, "  not loaded: the first request that asks for it waits until it is")?,
        }
        if !model.reason.is_empty() {
            writeln!(out, "  its files were replaced and refused: {}", model.reason)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints an answer as JSON, where that was asked for.
fn as_json<T: Message>(
    out: &mut impl std::io::Write,
    format: Format,
    name: &str,
    answer: &T,
) -> anyhow::Result<bool> {
    if format == Format::Json {
        writeln!(out, "{:#}", fields::json(name, answer)?)?;
    }
    Ok(format == Format::Json)
}

/// How a model runs here, in one line.
fn serving(serving: &v1::Serving) -> String {
    let layout = serving.layout.unwrap_or_default();
    let together = match serving.batching() {
        v1::Batching::Any | v1::Batching::Unspecified => "",
        v1::Batching::Fixed => ", all batches of this size",
        v1::Batching::Single => ", because scores depend on who else is in a batch",
    };
    let steady = if serving.deterministic { "" } else { "; scores are not the same every time" };
    format!("{}{together}{steady}", sized(&layout))
}

fn sized(layout: &v1::Layout) -> String {
    let many = |count: u32, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (sessions, threads) = (many(layout.workers, "session"), many(layout.threads, "thread"));
    format!("{sessions} of {threads}, batches of up to {}", layout.batch)
}

/// Times every model that serves, and keeps what is best.
pub(crate) async fn calibrate(args: Calibrate) -> anyhow::Result<ExitCode> {
    let mut config = config(&args.engine, &[], true)?;
    config.pool.calibration = Some(CalibrationWord::Anew);
    // Every model is timed, whether or not all of them may be loaded together.
    config.models.memory_bytes = None;
    let service = tokio::task::spawn_blocking(move || Service::open(&config)).await??;
    let answer = Client::InProcess(service).models().await?;
    let mut out = std::io::stdout();
    if as_json(&mut out, args.format, "ListModelsResponse", &answer)? {
        return Ok(ExitCode::SUCCESS);
    }
    for model in &answer.models {
        let version = model.version.clone().unwrap_or_default();
        let Some(own) = &model.serving else {
            writeln!(out, "{}@{}: refused: {}", version.name, version.version, model.reason)?;
            continue;
        };
        writeln!(out, "{}@{}: {}", version.name, version.version, serving(own))?;
        for speed in &own.speeds {
            let layout = speed.layout.unwrap_or_default();
            let chosen = if Some(layout) == own.layout { "  <- in use" } else { "" };
            let v1::Layout { workers, threads, batch } = layout;
            let rate = speed.passes_per_second;
            writeln!(
                out,
                "  {workers:>3} x {threads:>2} threads  batch {batch:>4}  {rate:>9.0} passes/s{chosen}"
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn methods(args: List) -> anyhow::Result<ExitCode> {
    let answer = Client::open(&args.place).await?.methods().await?;
    let mut out = std::io::stdout();
    if as_json(&mut out, args.format, "ListMethodsResponse", &answer)? {
        return Ok(ExitCode::SUCCESS);
    }
    for (title, entries) in
        [("method", &answer.methods), ("fill", &answer.fills), ("segmentation", &answer.segmentations)]
    {
        for entry in entries {
            writeln!(out, "{title} {}: {}", entry.name, entry.summary)?;
            details(&mut out, entry)?;
        }
    }
    for preset in &answer.presets {
        let default = if preset.is_default { " (default)" } else { "" };
        writeln!(out, "preset {}{default}: {}", preset.name, preset.summary)?;
        let method = fields::word("Method", &preset.method.clone().unwrap_or_default())?;
        let fill = fields::word("Fill", &preset.fill.clone().unwrap_or_default())?;
        writeln!(out, "  {method} over {fill}")?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn metrics(args: List) -> anyhow::Result<ExitCode> {
    let answer = Client::open(&args.place).await?.metrics().await?;
    let mut out = std::io::stdout();
    if as_json(&mut out, args.format, "ListMetricsResponse", &answer)? {
        return Ok(ExitCode::SUCCESS);
    }
    for metric in &answer.metrics {
        let entry = metric.entry.clone().unwrap_or_default();
        writeln!(out, "metric {}: {}", entry.name, entry.summary)?;
        let figure = |f: &v1::FigureEntry| match f.better() {
            v1::Better::Higher => format!("{} (higher is better)", f.name),
            v1::Better::Lower => format!("{} (lower is better)", f.name),
            v1::Better::Neither | v1::Better::Unspecified => format!("{} (it describes)", f.name),
        };
        let figures: Vec<_> = metric.figures.iter().map(figure).collect();
        writeln!(out, "  figures: {}", figures.join(", "))?;
        for (title, list) in [("needs", &metric.needs), ("tells", &metric.tells)] {
            if !list.is_empty() {
                writeln!(out, "  {title}: {}", list.join(", "))?;
            }
        }
        details(&mut out, &entry)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Source, cost and parameters of an entry.
fn details(out: &mut impl std::io::Write, entry: &v1::CatalogueEntry) -> std::io::Result<()> {
    if !entry.citation.is_empty() {
        writeln!(out, "  {}", entry.citation)?;
    }
    if entry.passes != "0" {
        writeln!(out, "  passes: {}", entry.passes)?;
    }
    for p in &entry.parameters {
        let unit = if p.unit.is_empty() { String::new() } else { format!(" {}", p.unit) };
        let default = if p.default_value.is_empty() { "required" } else { &p.default_value };
        let paper =
            if p.paper_value.is_empty() { String::new() } else { format!(" (paper: {})", p.paper_value) };
        writeln!(out, "  {} = {default}{paper} [{}{unit}] {}", p.name, p.allowed, p.help)?;
    }
    Ok(())
}
