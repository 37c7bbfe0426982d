//! The study: which method over which fill finds what was manipulated, on pictures whose masks are exact.
//!
//! Run by `cargo xtask study`. Rows are kept in a file and nothing is run twice, so that a study of hours can be stopped and
//! gone on with. The report is made from the rows alone.

#![allow(clippy::print_stdout, reason = "a command tells how far it is")]

mod arms;
mod errors;
mod names;
mod report;
mod row;
mod run;
mod settings;

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Parser;
use tonic::Request;
use unmask_protocol::v1;
use unmask_protocol::v1::explanation_service_server::ExplanationService as _;
use unmask_protocol::v1::model_service_server::ModelService as _;
use unmask_server::Service;
use unmask_tests::Root;

use row::Rows;
use run::Study;
use unmask_tests::evalset::{self, FAMILIES, Item};

/// "Method" of a row of a fake that is passed over, because there is no decision to explain.
const CALLED_REAL: &str = "called real";

/// Which method over which fill finds what was manipulated.
#[derive(Parser)]
struct Args {
    /// Folder that models/training/evalset.py wrote
    #[arg(long, value_name = "DIR")]
    evalset: Option<PathBuf>,
    /// Rows, one line each; rows that are there are not run again
    #[arg(long, value_name = "FILE")]
    rows: PathBuf,
    /// Where the report goes
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
    /// Fakes of each family: the first in list order that the detector calls fake
    #[arg(long, default_value_t = 16)]
    fakes: usize,
    /// Share of the paper's passes
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Search for an adversarial sample only, on all fakes that the detector calls fake
    #[arg(long)]
    flips: bool,
    /// Compare settings of the bounded search only
    #[arg(long, conflicts_with = "flips")]
    settings: bool,
    /// Hold standard errors against what happens over seeds, and write docs/errors.md; needs no evaluation set
    #[arg(long, conflicts_with_all = ["flips", "settings", "report_only"])]
    errors: bool,
    /// Tell how often sentences name the part that was manipulated first, and write docs/names.md
    #[arg(long, conflicts_with_all = ["flips", "settings", "report_only", "errors"])]
    names: bool,
    /// With --names: the folder of untouched portraits, to see whether faces of a crowd are found and kept
    #[arg(long, value_name = "DIR", requires = "names")]
    faces: Option<PathBuf>,
    /// Write the report from the rows that are there
    #[arg(long)]
    report_only: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.errors {
        let service = Root::new(&[]).service(&[("log.filter", "warn")]);
        let model = model(&service).await?;
        let (kept, report) =
            (args.rows.with_file_name("errors.jsonl"), args.report.with_file_name("errors.md"));
        return errors::study(&service, &model, &kept, &report).await;
    }
    if args.names {
        let dir = args.evalset.context("--evalset DIR is needed")?;
        let service = Root::new(&[]).with_faces().service(&[("log.filter", "warn")]);
        let model = model(&service).await?;
        let files = (args.rows.with_file_name("names.jsonl"), args.report.with_file_name("names.md"));
        let mut items = Vec::new();
        for item in evalset::read(&dir)? {
            let request = v1::PredictRequest { image: item.image.clone(), ..Default::default() };
            let answer = service.predict(Request::new(request)).await.map_err(|e| anyhow!(e))?;
            items.extend(answer.into_inner().prediction.is_some_and(|p| p.fake).then_some(item));
        }
        return names::study(&service, &model, &items, (&files.0, &files.1), args.faces.as_deref()).await;
    }
    let mut rows = Rows::open(&args.rows)?;
    if !args.report_only {
        let dir = args.evalset.context("--evalset DIR is needed, unless with --report-only")?;
        let root = Root::new(&[]);
        let service = root.service(&[("log.filter", "warn")]);
        let mut study = Study { model: model(&service).await?, service: &service, rows };
        study.rows.are_of(&study.model)?;
        let most = if args.flips { usize::MAX } else { args.fakes };
        let chosen = choose(&mut study, evalset::read(&dir)?, most).await?;
        let arms = arms::arms(args.share);
        for (number, item) in chosen.iter().enumerate() {
            println!("{} of {}: {}", number + 1, chosen.len(), item.id);
            if args.flips {
                study.flip(item).await?;
            } else if args.settings {
                study.judge(item).await?;
            } else {
                study.picture(item, &arms).await?;
            }
        }
        rows = study.rows;
    }
    std::fs::write(&args.report, report::report(&rows.rows))
        .with_context(|| format!("cannot write {}", args.report.display()))
}

/// Name, version and digest of the only model of the root.
async fn model(service: &Service) -> anyhow::Result<String> {
    let request = Request::new(v1::GetModelRequest::default());
    let answer = service.get_model(request).await.map_err(|e| anyhow!(e))?.into_inner();
    let version = answer.model.and_then(|m| m.version).context("the default model has no version")?;
    Ok(format!("{}@{} sha256:{}", version.name, version.version, version.sha256))
}

/// Of each family the first fakes in list order that the detector calls fake, one of each family in turn, so that a study that
/// is not finished is balanced. Those before the last that it calls real are noted.
async fn choose(study: &mut Study<'_>, all: Vec<Item>, most: usize) -> anyhow::Result<Vec<Item>> {
    let mut families = Vec::new();
    for family in FAMILIES {
        let (mut found, mut passed_over) = (Vec::new(), 0);
        for item in all.iter().filter(|item| item.family == family) {
            if found.len() == most {
                break;
            }
            let request = v1::PredictRequest { image: item.image.clone(), ..Default::default() };
            let answer = study.service.predict(Request::new(request)).await.map_err(|e| anyhow!(e))?;
            if answer.into_inner().prediction.is_some_and(|p| p.fake) {
                found.push(item.clone());
            } else {
                study.pass_over(item)?;
                passed_over += 1;
            }
        }
        println!("{family}: {} fakes; {passed_over} are called real and passed over", found.len());
        families.push(found);
    }
    let longest = families.iter().map(Vec::len).max().unwrap_or(0);
    Ok((0..longest).flat_map(|i| families.iter().filter_map(move |f| f.get(i).cloned())).collect())
}
