//! `unmask report`: pictures, their faces and what was found, as one page for the person who decides.
//!
//! The page is made of answers alone: every number in it stands in one, and the answers stand in the page. It needs nothing else, no
//! network and no other file, and the same request gives the same bytes: what differs from run to run, such as times, is left out.

mod answers;
mod ask;
mod command;
mod compare;
mod page;
mod target;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use unmask_protocol::v1;

use crate::args::Report;
use crate::client::Client;
use crate::{files, how};
use target::Target;

/// A picture of the page, and what came of it.
struct Picture {
    /// Its file name as it was typed.
    name: String,
    /// The file, where it could be read.
    file: Vec<u8>,
    /// Its faces, where they were looked for.
    found: Option<v1::DetectFacesResponse>,
    /// What the reader must know of the picture as a whole.
    note: Option<String>,
    /// Its faces, or the part of it, that were explained.
    subjects: Vec<Subject>,
    /// Why nothing was explained.
    failure: Option<String>,
}

/// A face, or another part of a picture, and what came of it.
struct Subject {
    /// The face's number, from 1.
    number: Option<usize>,
    face: Option<v1::Face>,
    explained: Result<v1::ExplainResponse, String>,
    /// Nothing where nothing is compared, or where there is nothing to compare.
    evaluated: Option<Result<v1::EvaluateResponse, String>>,
}

pub(crate) async fn run(args: Report) -> anyhow::Result<ExitCode> {
    // What is wrong with the request is told before anything is worked out.
    let target = Target::new(&args)?;
    let template = how::request(&args.how)?;
    let plan = compare::Plan::new(&args, &template)?;
    // Drawn on standard error, and only where that is a terminal.
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("{prefix} {bar:40} {pos}/{len} passes{msg}")?);
    let client = Client::open(&args.place).await?;
    let asker = ask::Asker { client: &client, args: &args, template, plan: plan.as_ref(), bar: &bar };
    let mut pictures = Vec::new();
    for path in &args.images {
        pictures.push(asker.picture(path).await);
    }
    bar.finish_and_clear();
    let failures: Vec<_> = pictures.iter().flat_map(failures).collect();
    let page = page::page(&page::Page { args: &args, pictures: &pictures })?;
    match &target {
        Target::Printed => std::io::stdout().write_all(page.as_bytes())?,
        Target::File(path) => {
            files::keep(path, page.as_bytes())?;
            writeln!(std::io::stdout(), "wrote {}", path.display())?;
        }
    }
    for failure in &failures {
        writeln!(std::io::stderr(), "unmask: {failure}").context("cannot write to standard error")?;
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What could not be done of a picture, for standard error.
fn failures(picture: &Picture) -> Vec<String> {
    let of_subjects = picture.subjects.iter().flat_map(|subject| {
        let name = match subject.number {
            Some(number) => format!("{}, face {number}", picture.name),
            None => picture.name.clone(),
        };
        let explained = subject.explained.as_ref().err().map(|why| format!("{name}: {why}"));
        let evaluated = subject.evaluated.as_ref().and_then(|evaluated| evaluated.as_ref().err());
        explained.into_iter().chain(evaluated.map(|why| format!("{name}: not compared: {why}")))
    });
    let failure = picture.failure.as_ref().map(|why| format!("{}: {why}", picture.name));
    failure.into_iter().chain(of_subjects).collect()
}
