//! `unmask faces`, and the faces that other commands work on.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use unmask_protocol::v1;

use crate::args::{Faces, Subject, Which, priority};
use crate::client::{Client, crop, selector};
use crate::fields;

pub(crate) async fn run(args: Faces) -> anyhow::Result<ExitCode> {
    let client = Client::open(&args.place).await?;
    let (mut out, mut failed) = (std::io::stdout(), false);
    for path in &args.images {
        let name = path.display().to_string();
        let found = async {
            let request = v1::DetectFacesRequest {
                image: std::fs::read(path).context("cannot read the picture")?,
                model: selector(args.model.as_deref()),
                face_model: selector(args.face_model.as_deref()),
                priority: priority(args.priority),
                ..v1::DetectFacesRequest::default()
            };
            client.faces(request).await
        };
        match found.await {
            Ok(answer) if args.json => writeln!(out, "{}", fields::json("DetectFacesResponse", &answer)?)?,
            Ok(answer) => write!(out, "{}", told(&name, &answer))?,
            Err(error) => {
                failed = true;
                writeln!(std::io::stderr(), "unmask: {name}: {error:#}")?;
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A line for each face.
fn told(name: &str, answer: &v1::DetectFacesResponse) -> String {
    let count = match answer.faces.len() {
        0 => "no face was found".to_owned(),
        1 => "1 face".to_owned(),
        n => format!("{n} faces"),
    };
    let mut text = format!("{name}: {count}\n");
    for (face, number) in answer.faces.iter().zip(1..) {
        let v1::Box { x, y, width, height } = face.crop.unwrap_or_default();
        let (across, down) = (face.right - face.left, face.bottom - face.top);
        text += &format!(
            "  {number}. {across:.0} x {down:.0} pixels at ({:.0}, {:.0}), score {:.3}, --crop {x},{y},{width},{height}\n",
            face.left, face.top, face.score
        );
        text.extend(face.warnings.iter().map(|warning| format!("     note: {warning}\n")));
    }
    text
}

/// A part of a picture that a command works on.
pub(crate) struct Seen {
    pub(crate) crop: Option<v1::Box>,
    landmarks: Option<v1::Landmarks>,
    /// Which of all faces it is, from 1.
    number: Option<usize>,
}

impl Seen {
    /// The file name without its ending.
    pub(crate) fn stem(&self, stem: &str) -> String {
        self.number.map_or_else(|| stem.to_owned(), |number| format!("{stem}-{number}"))
    }

    /// Which face it is, where that is known.
    pub(crate) fn face(&self) -> Option<v1::FaceChoice> {
        let kind = v1::face_choice::Kind::Landmarks(self.landmarks?);
        Some(v1::FaceChoice { kind: Some(kind) })
    }

    /// What is told of the picture of this name.
    pub(crate) fn told(&self, name: &str) -> String {
        self.number.map_or_else(|| name.to_owned(), |number| format!("{name}, face {number}"))
    }
}

/// A picture's file, and the parts of it that are meant: what the caller says, or what the model wants to see of its faces.
pub(crate) async fn seen(
    client: &Client,
    subject: &Subject,
    path: &Path,
) -> anyhow::Result<(Vec<u8>, Vec<Seen>)> {
    let image = std::fs::read(path).context("cannot read the picture")?;
    let Some(which) = subject.face else {
        return Ok((image, vec![Seen { crop: crop(subject.crop), landmarks: None, number: None }]));
    };
    let request = v1::DetectFacesRequest {
        image: image.clone(),
        model: selector(subject.model.as_deref()),
        face_model: selector(subject.face_model.as_deref()),
        priority: priority(subject.priority),
        ..v1::DetectFacesRequest::default()
    };
    let found = client.faces(request).await?;
    if found.faces.is_empty() {
        bail!("no face was found; say --crop, or leave --face out for the whole picture");
    }
    let faces = found.faces.into_iter().zip(1..);
    let seen = |(face, number): (v1::Face, _)| Seen { crop: face.crop, landmarks: face.landmarks, number };
    let seen = match which {
        Which::Largest => faces.take(1).map(|(face, _)| seen((face, None))).collect(),
        Which::All => faces.map(|(face, i)| seen((face, Some(i)))).collect(),
    };
    Ok((image, seen))
}
