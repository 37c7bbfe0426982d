//! `unmask explain`.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use unmask_protocol::v1;
use unmask_protocol::v1::explain_stream_response::Kind;

use crate::args::Explain;
use crate::client::{Client, crop, selector};
use crate::{faces, files, how, many, text};

pub(crate) async fn run(args: Explain) -> anyhow::Result<ExitCode> {
    let (paths, together) = match args.subject.images.as_slice() {
        [dir] if dir.is_dir() => (many::pictures(dir)?, true),
        images => (images.to_vec(), args.only_if.is_some()),
    };
    if together && args.subject.face.is_some() {
        bail!("--face is for pictures that are named one by one, without --only-if");
    }
    let stems = stems(&paths)?;
    let template = request(&args)?;
    spared(&paths, &stems, &args.out)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    if together {
        return many::run(&args, template, paths.into_iter().zip(stems)).await;
    }
    // Drawn on standard error, and only where that is a terminal.
    let bar =
        ProgressBar::new(0).with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} passes{msg}")?);
    let client = Client::open(&args.place).await?;
    let (mut out, mut failed) = (std::io::stdout(), false);
    for (path, stem) in paths.iter().zip(&stems) {
        let mut fail = |name: &str, error: anyhow::Error| {
            failed = true;
            writeln!(std::io::stderr(), "unmask: {name}: {error:#}")
        };
        let name = path.display().to_string();
        let (image, parts) = match faces::seen(&client, &args.subject, path).await {
            Ok(parts) => parts,
            Err(error) => {
                fail(&name, error)?;
                continue;
            }
        };
        for seen in parts {
            let (name, stem) = (seen.told(&name), seen.stem(stem));
            let request = v1::ExplainRequest {
                image: image.clone(),
                crop: seen.crop,
                face: seen.face(),
                ..template.clone()
            };
            bar.reset();
            let done = one(&client, &args, request, (&name, &stem), &bar).await;
            bar.finish_and_clear();
            match done {
                Ok(printed) => out.write_all(printed.as_bytes())?,
                Err(error) => fail(&name, error)?,
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Explains a picture, writes its files and gives what is to be printed.
async fn one(
    client: &Client,
    args: &Explain,
    request: v1::ExplainRequest,
    (name, stem): (&str, &str),
    bar: &ProgressBar,
) -> anyhow::Result<String> {
    let answer = client.explain_live(request, |news| show(bar, news)).await?;
    let written = files::write(&args.out, stem, &answer)?;
    if args.json {
        return Ok(serde_json::to_string(&files::summary(&answer)?)? + "\n");
    }
    let names: Vec<_> = written.iter().map(|p| p.display().to_string()).collect();
    Ok(format!("{}  wrote {}\n", text::explanation(name, &answer)?, names.join(", ")))
}

/// How far it is, and how sure of what it has found so far.
pub(crate) fn show(bar: &ProgressBar, news: Kind) {
    match news {
        Kind::Progress(progress) => {
            bar.set_length(progress.expected);
            bar.set_position(progress.used);
        }
        Kind::Partial(partial) => {
            let error = partial.error.map(|error| format!(", error {:.1} % of the range", 100.0 * error));
            bar.set_message(error.unwrap_or_default());
        }
        Kind::Answer(_) => {}
    }
}

/// Everything of the request but the picture.
fn request(args: &Explain) -> anyhow::Result<v1::ExplainRequest> {
    let mut outputs = vec![v1::Output::Overlay.into()];
    outputs.extend(args.save_errors.then_some(i32::from(v1::Output::StandardErrors)));
    outputs.extend((!args.no_sentences).then_some(i32::from(v1::Output::Sentences)));
    outputs.extend(args.steadiness.then_some(i32::from(v1::Output::Steadiness)));
    outputs.extend(args.save_fill.then_some(i32::from(v1::Output::Fill)));
    Ok(v1::ExplainRequest {
        model: selector(args.subject.model.as_deref()),
        crop: crop(args.subject.crop),
        priority: crate::args::priority(args.subject.priority),
        outputs,
        counterfactual: args.counterfactual.then(v1::CounterfactualSearch::default),
        ..how::request(&args.how)?
    })
}

/// Looks that no picture has the name of what is written for another.
fn spared(paths: &[PathBuf], stems: &[String], out: &Path) -> anyhow::Result<()> {
    let Ok(out) = out.canonicalize() else { return Ok(()) };
    for path in paths.iter().filter_map(|path| path.canonicalize().ok()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_written = stems.iter().any(|stem| files::is_written(&name, stem));
        if is_written && path.parent() == Some(&*out) {
            bail!("{} would be written over by an answer; name another folder with --out", path.display());
        }
    }
    Ok(())
}

/// File names without their endings; two pictures must not write over each other.
pub(crate) fn stems(paths: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    paths
        .iter()
        .map(|path| {
            // Paths without a last name, such as "." and "..", are of folders.
            let stem = path.file_stem().with_context(|| {
                format!("{} is a folder; name the pictures that are in it, or it alone", path.display())
            })?;
            let stem = stem.to_string_lossy().into_owned();
            if !seen.insert(stem.clone()) {
                bail!("two pictures are named {stem}, their files would overwrite each other; explain them one by one");
            }
            Ok(stem)
        })
        .collect()
}
