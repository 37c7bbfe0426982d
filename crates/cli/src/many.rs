//! `unmask explain` of a folder, or on a condition: all pictures through one call, each written as it is done. A run that was cut off
//! goes on where it ended: pictures whose files are there are left out.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use tokio_stream::StreamExt as _;
use tonic::Code;
use unmask_protocol::v1;
use unmask_protocol::v1::explain_many_response::Kind;

use crate::args::Explain;
use crate::client::{Client, Refused, message};
use crate::{fields, files, text};

/// Endings of files that are taken for pictures.
const PICTURES: [&str; 4] = ["jpg", "jpeg", "png", "webp"];
/// Requests of one call.
const MOST: usize = 20_000;

/// A picture, and the name of its files.
struct Picture {
    path: PathBuf,
    stem: String,
}

/// The pictures of a folder, by name.
pub(crate) fn pictures(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        std::fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut paths = read().with_context(|| format!("cannot read {}", dir.display()))?;
    let ending = |path: &Path| Some(path.extension()?.to_str()?.to_ascii_lowercase());
    paths.retain(|path| ending(path).is_some_and(|ending| PICTURES.contains(&ending.as_str())));
    // What an earlier run has written beside a picture's answer is none.
    let written = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let stem = name.strip_suffix(".overlay.png").or(name.strip_suffix(".fill.png"));
        stem.is_some_and(|stem| path.with_file_name(format!("{stem}.json")).is_file())
    };
    paths.retain(|path| !written(path));
    paths.sort();
    ensure!(
        !paths.is_empty(),
        "{} has no picture: no file that ends in {}",
        dir.display(),
        PICTURES.join(", ")
    );
    Ok(paths)
}

/// Explains the pictures of these paths and stems.
pub(crate) async fn run(
    args: &Explain,
    template: v1::ExplainRequest,
    named: impl Iterator<Item = (PathBuf, String)>,
) -> anyhow::Result<ExitCode> {
    let mut left: Vec<_> = named.map(|(path, stem)| Picture { path, stem }).collect();
    let all = left.len();
    left.retain(|picture| !files::is_done(&args.out, &picture.stem));
    let mut run = Run {
        args,
        bar: ProgressBar::new(all as u64)
            .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} pictures{msg}, {eta} left")?),
        known: all - left.len(),
        skipped: 0,
        failed: 0,
    };
    run.bar.set_position(run.known as u64);
    let client = Client::open(&args.place).await?;
    for pictures in left.chunks(MOST) {
        let mut pictures: Vec<_> = pictures.iter().collect();
        while !pictures.is_empty() {
            pictures = run.call(&client, &template, pictures).await?;
        }
    }
    run.bar.finish_and_clear();
    let Run { known, skipped, failed, .. } = run;
    // What was printed for each goes alone to whoever reads JSON.
    writeln!(
        std::io::stderr(),
        "{all} pictures, {failed} failed, {skipped} skipped, {known} known from before"
    )?;
    Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What was done so far.
struct Run<'a> {
    args: &'a Explain,
    bar: ProgressBar,
    known: usize,
    skipped: usize,
    failed: usize,
}

/// What a call has asked for.
#[derive(Default)]
struct Asked {
    /// Pictures that were read to be sent, in their order.
    sent: AtomicUsize,
    /// Those that could not be read, and why.
    unread: Mutex<Vec<(usize, String)>>,
}

/// Whether a call has ended because a message is larger than what the server receives: what is full says when to ask again.
fn is_too_large(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>();
    refused.is_some_and(|refused| refused.code == Code::ResourceExhausted && !refused.says_when)
}

impl Run<'_> {
    /// Explains these pictures through one call. Those that are left were to come after one that the server does not receive.
    async fn call<'a>(
        &mut self,
        client: &Client,
        template: &v1::ExplainRequest,
        pictures: Vec<&'a Picture>,
    ) -> anyhow::Result<Vec<&'a Picture>> {
        let asked = Arc::new(Asked::default());
        let mut answers = client.many(self.requests(template, &pictures, &asked)).await?;
        let mut waiting: BTreeMap<usize, &Picture> = (0..).zip(pictures).collect();
        let mut too_large = None;
        while let Some(answer) = answers.next().await {
            let v1::ExplainManyResponse { request_id, kind } = match message(answer) {
                Err(error) if is_too_large(&error) => {
                    too_large = Some(error);
                    break;
                }
                answer => answer?,
            };
            let Some(picture) = request_id.parse().ok().and_then(|id| waiting.remove(&id)) else {
                bail!("the server has answered what was not asked: {request_id}")
            };
            self.bar.inc(1);
            if let Err(error) = self.keep(picture, kind) {
                self.fail(&picture.path, &format!("{error:#}"))?;
            }
        }
        let unread = std::mem::take(&mut *asked.unread.lock().unwrap_or_else(PoisonError::into_inner));
        for (id, why) in unread {
            if let Some(picture) = waiting.remove(&id) {
                self.fail(&picture.path, &why)?;
            }
        }
        if let Some(error) = too_large {
            // Of those that were sent, the largest cannot have been received; the others are sent again.
            let sent = asked.sent.load(Ordering::Relaxed);
            let size = |picture: &Picture| std::fs::metadata(&picture.path).map_or(0, |file| file.len());
            let largest = waiting.range(..sent).max_by_key(|(_, picture)| size(picture)).map(|(id, _)| *id);
            let Some(picture) = largest.and_then(|id| waiting.remove(&id)) else { return Err(error) };
            self.bar.inc(1);
            self.fail(&picture.path, &format!("{error:#}"))?;
            return Ok(waiting.into_values().collect());
        }
        ensure!(
            waiting.is_empty(),
            "the server has left {} pictures without an answer; run the same command again to go on",
            waiting.len()
        );
        Ok(Vec::new())
    }

    /// The requests, each read when it is asked for; of those that cannot be read it is said why.
    fn requests(
        &self,
        template: &v1::ExplainRequest,
        pictures: &[&Picture],
        asked: &Arc<Asked>,
    ) -> impl Iterator<Item = v1::ExplainManyRequest> + Send + use<> {
        let only_if = self.args.only_if.map(|least| v1::OnlyIf { fake_probability: Some(least) });
        let paths: Vec<_> = pictures.iter().map(|picture| picture.path.clone()).collect();
        let (template, asked) = (template.clone(), Arc::clone(asked));
        paths.into_iter().enumerate().filter_map(move |(i, path)| {
            let request_id = i.to_string();
            asked.sent.store(i + 1, Ordering::Relaxed);
            match std::fs::read(&path) {
                Ok(image) => {
                    let request = v1::ExplainRequest { request_id, image, ..template.clone() };
                    Some(v1::ExplainManyRequest { request: Some(request), only_if })
                }
                Err(error) => {
                    let why = format!("cannot read the picture: {error}");
                    asked.unread.lock().unwrap_or_else(PoisonError::into_inner).push((i, why));
                    None
                }
            }
        })
    }

    /// Writes what came of a picture, and prints it.
    fn keep(&mut self, picture: &Picture, kind: Option<Kind>) -> anyhow::Result<()> {
        let (name, out) = (picture.path.display().to_string(), &self.args.out);
        let is_json = self.args.json;
        let printed = match kind {
            Some(Kind::Answer(answer)) => {
                files::write(out, &picture.stem, &answer)?;
                match is_json {
                    true => serde_json::to_string(&files::summary(&answer)?)? + "\n",
                    false => text::explanation(&name, &answer)?,
                }
            }
            Some(Kind::Skipped(skipped)) => {
                self.skipped += 1;
                let json = fields::json("SkippedExplanation", &skipped)?;
                files::write_skipped(out, &picture.stem, &json)?;
                match is_json {
                    true => format!("{json}\n"),
                    false => {
                        format!(
                            "{name}: {}, skipped\n",
                            text::verdict(&skipped.prediction.unwrap_or_default())
                        )
                    }
                }
            }
            Some(Kind::Failure(failure)) => bail!("{} ({})", failure.message, failure.code),
            None => bail!("the server sent an answer that this version does not know"),
        };
        let mut written = Ok(());
        self.bar.suspend(|| written = std::io::stdout().write_all(printed.as_bytes()));
        Ok(written?)
    }

    fn fail(&mut self, path: &Path, why: &str) -> std::io::Result<()> {
        self.failed += 1;
        self.bar.suspend(|| writeln!(std::io::stderr(), "unmask: {}: {why}", path.display()))
    }
}
