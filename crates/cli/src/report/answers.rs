//! Answers as a page keeps them: without what differs from run to run, and as JSON.

use serde_json::{Value as Json, json};
use unmask_protocol::v1;
use unmask_registry::sha256;

use super::{Picture, Subject};
use crate::{fields, files};

/// Of what was paid, what a request comes to whoever paid for it.
fn cost(cost: Option<v1::Cost>) -> Option<v1::Cost> {
    cost.map(|cost| v1::Cost { announced: cost.announced, used: cost.used, ..v1::Cost::default() })
}

pub(super) fn faces(answer: v1::DetectFacesResponse) -> v1::DetectFacesResponse {
    v1::DetectFacesResponse { request_id: String::new(), cost: cost(answer.cost), timings: None, ..answer }
}

pub(super) fn explanation(answer: v1::ExplainResponse) -> v1::ExplainResponse {
    v1::ExplainResponse { request_id: String::new(), cost: cost(answer.cost), timings: None, ..answer }
}

pub(super) fn evaluation(mut answer: v1::EvaluateResponse) -> v1::EvaluateResponse {
    answer
        .evaluated
        .iter_mut()
        .flat_map(|evaluated| &mut evaluated.results)
        .for_each(|result| result.run = 0);
    v1::EvaluateResponse { request_id: String::new(), cost: cost(answer.cost), timings: None, ..answer }
}

/// All answers of a page, pictures and maps replaced by their SHA-256: `pictures[0].subjects[1].explanation` and so on.
pub(super) fn json(pictures: &[Picture]) -> anyhow::Result<Json> {
    let pictures: Vec<_> = pictures.iter().map(picture).collect::<Result<_, _>>()?;
    Ok(json!({ "unmask": env!("CARGO_PKG_VERSION"), "pictures": pictures }))
}

fn picture(picture: &Picture) -> anyhow::Result<Json> {
    let found = picture.found.as_ref().map(|found| fields::json("DetectFacesResponse", found));
    let subjects: Vec<_> = picture.subjects.iter().map(subject).collect::<Result<_, _>>()?;
    Ok(json!({
        "name": picture.name,
        "sha256": sha256(&picture.file),
        "failure": picture.failure,
        "faces": found.transpose()?,
        "subjects": subjects,
    }))
}

fn subject(subject: &Subject) -> anyhow::Result<Json> {
    let explained = subject.explained.as_ref();
    let evaluated = subject.evaluated.as_ref();
    let evaluation = evaluated.and_then(|evaluated| evaluated.as_ref().ok());
    Ok(json!({
        "face": subject.number,
        "explanation": explained.ok().map(files::summary).transpose()?,
        "failure": explained.err(),
        "evaluation": evaluation.map(|answer| fields::json("EvaluateResponse", answer)).transpose()?,
        "not_compared": evaluated.and_then(|evaluated| evaluated.as_ref().err()),
    }))
}
