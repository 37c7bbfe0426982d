//! `unmask models`, `unmask methods` and `unmask metrics`.

use std::io::Write as _;
use std::process::ExitCode;

use unmask_protocol::v1;

use crate::args::{Format, List};
use crate::client::Client;
use crate::fields;

pub(crate) async fn models(args: List) -> anyhow::Result<ExitCode> {
    let answer = Client::open(&args.place, None).await?.models().await?;
    let mut out = std::io::stdout();
    if args.format == Format::Json {
        writeln!(out, "{:#}", fields::json("ListModelsResponse", &answer)?)?;
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
        writeln!(out, "  classes {} (real: {})", model.labels.join(", "), model.real_label)?;
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
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn methods(args: List) -> anyhow::Result<ExitCode> {
    let answer = Client::open(&args.place, None).await?.methods().await?;
    let mut out = std::io::stdout();
    if args.format == Format::Json {
        writeln!(out, "{:#}", fields::json("ListMethodsResponse", &answer)?)?;
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
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn metrics(args: List) -> anyhow::Result<ExitCode> {
    let answer = Client::open(&args.place, None).await?.metrics().await?;
    let mut out = std::io::stdout();
    if args.format == Format::Json {
        writeln!(out, "{:#}", fields::json("ListMetricsResponse", &answer)?)?;
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
