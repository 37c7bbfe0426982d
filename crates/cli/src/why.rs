//! `unmask faces --why`: why a face was seen where it was.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use unmask_protocol::v1;

use crate::args::{Faces, Why, priority};
use crate::client::{Client, selector};
use crate::{explain, files, text};

/// How often a terminal shows that the work goes on.
const TICK: Duration = Duration::from_millis(120);

pub(crate) async fn run(args: Faces) -> anyhow::Result<ExitCode> {
    let which = args.why.unwrap_or(Why::Largest);
    let dir = args.out.clone().unwrap_or_else(|| "out".into());
    let stems = explain::stems(&args.images)?;
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let client = Client::open(&args.place).await?;
    let (mut out, mut failed) = (std::io::stdout(), false);
    for (path, stem) in args.images.iter().zip(&stems) {
        let name = path.display().to_string();
        // Drawn on standard error, and only where that is a terminal.
        let spinner = ProgressBar::new_spinner().with_message(format!("{name}: the face model is asked"));
        spinner.enable_steady_tick(TICK);
        let done = one(&client, &args, which, (&dir, &name, stem), path).await;
        spinner.finish_and_clear();
        match done {
            Ok(printed) => out.write_all(printed.as_bytes())?,
            Err(error) => {
                failed = true;
                writeln!(std::io::stderr(), "unmask: {name}: {error:#}")?;
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Explains a face of a picture, writes its files and gives what is to be printed.
async fn one(
    client: &Client,
    args: &Faces,
    which: Why,
    (dir, name, stem): (&Path, &str, &str),
    path: &PathBuf,
) -> anyhow::Result<String> {
    let image = std::fs::read(path).context("cannot read the picture")?;
    let (face, stem) = match which {
        Why::Largest => (None, format!("{stem}.face")),
        Why::Number(number) => {
            (Some(place(client, args, &image, number).await?), format!("{stem}.face-{number}"))
        }
    };
    let request = v1::ExplainFaceRequest {
        request_id: String::new(),
        image,
        face_model: selector(args.face_model.as_deref()),
        face,
        masks: args.masks,
        grid: args.grid,
        keep_probability: args.keep_probability,
        seed: args.seed.unwrap_or_default(),
        overlay: true,
        priority: priority(args.priority),
    };
    let answer = client.explain_face(request).await?;
    let written = files::write_face(dir, &stem, &answer)?;
    if args.json {
        return Ok(serde_json::to_string(&files::face_summary(&answer)?)? + "\n");
    }
    let names: Vec<_> = written.iter().map(|p| p.display().to_string()).collect();
    Ok(format!("{}  wrote {}\n", text::face(name, &answer), names.join(", ")))
}

/// The box of the face of this number, as `unmask faces` lists them.
async fn place(client: &Client, args: &Faces, image: &[u8], number: usize) -> anyhow::Result<v1::FaceBox> {
    let request = v1::DetectFacesRequest {
        image: image.to_vec(),
        model: selector(args.model.as_deref()),
        face_model: selector(args.face_model.as_deref()),
        priority: priority(args.priority),
        ..v1::DetectFacesRequest::default()
    };
    let found = client.faces(request).await?.faces;
    let Some(face) = found.get(number - 1) else {
        bail!("--why {number}: there are {} faces in it", found.len());
    };
    let v1::Face { left, top, right, bottom, .. } = *face;
    Ok(v1::FaceBox { left, top, right, bottom })
}
