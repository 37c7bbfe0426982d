//! How an explanation was made, so that it can be made again and held against this one.

use maud::{Markup, html};
use unmask_protocol::v1;
use unmask_registry::sha256;

use super::Page;
use super::number::At;
use crate::report::{Picture, Subject, command};
use crate::{fields, text};

pub(super) fn section(
    page: &Page<'_>,
    picture: &Picture,
    subject: &Subject,
    answer: &v1::ExplainResponse,
    at: &At,
) -> anyhow::Result<Markup> {
    let resolved = answer.resolved.clone().unwrap_or_default();
    let method = resolved.method.unwrap_or_default();
    let at_answer = at.field("explanation");
    let at_resolved = at_answer.field("resolved");
    let cost = answer.cost.clone().unwrap_or_default();
    let target = answer.target.clone().unwrap_or_default();
    let finder =
        answer.face_model.as_ref().or(picture.found.as_ref().and_then(|found| found.face_model.as_ref()));
    let map = answer.map.as_ref().map(|map| sha256(&map.values)).unwrap_or_default();
    let word = |name: &str, word: anyhow::Result<String>| word.map(|word| (name.to_owned(), word));
    let parameters = [
        word("Method", fields::word("Method", &method))?,
        ("Preset".to_owned(), method.preset.clone()),
        word("Fill", fields::word("Fill", &resolved.fill.unwrap_or_default()))?,
        word("Regions", fields::word("Segmentation", &resolved.segmentation.unwrap_or_default()))?,
    ];
    let parameters = parameters.into_iter().filter(|(_, word)| !word.is_empty());
    Ok(html! {
        dl {
            dt { "Detector" } dd { (model(answer.model.as_ref())) }
            @if let Some(finder) = finder.filter(|_| subject.face.is_some() || answer.face.is_some()) {
                dt { "Face model" } dd { (model(Some(finder))) }
            }
            dt { "Picture" } dd { (picture.name) ", SHA-256 " code { (sha256(&picture.file)) } }
            @if let Some(crop) = resolved.crop {
                dt { "Part" }
                dd {
                    (at_resolved.count("crop.width", crop.width)) " \u{d7} " (at_resolved.count("crop.height", crop.height)) " pixels at ("
                    (at_resolved.count("crop.x", crop.x)) ", " (at_resolved.count("crop.y", crop.y)) ")"
                }
            }
            dt { "Explained" } dd { (target.label) ", as " (text::scale(target.scale())) }
            @for (name, word) in parameters { dt { (name) } dd { code { (word) } } }
            @if let Some(search) = resolved.counterfactual {
                dt { "Search for a counterfactual" }
                dd {
                    "of " (at_resolved.count("counterfactual.regions", search.regions.unwrap_or_default())) " regions, at most "
                    (at_resolved.count("counterfactual.max_passes", search.max_passes.unwrap_or_default())) " passes"
                }
            }
            dt { "Seed" } dd { (at_resolved.count("seed", resolved.seed)) }
            dt { "Passes" }
            dd {
                (at_answer.count("cost.used", cost.used)) " of at most " (at_answer.count("cost.announced", cost.announced))
                (ended(answer.truncated_by()))
            }
            @if let Some(error) = answer.error {
                dt { "Largest standard error of a region" } dd { (at_answer.percent("error", error)) " of their range" }
            }
            dt { "Map" } dd { "SHA-256 of its values " code { (map) } }
        }
        p { "The same map, as a file, is made by" }
        pre tabindex="0" role="group" aria-label="Command" { code { (command::explain(page.args, &picture.name, answer)) } }
    })
}

fn model(model: Option<&v1::ModelVersion>) -> Markup {
    let model = model.cloned().unwrap_or_default();
    html! { (model.name) "@" (model.version) ", SHA-256 " code { (model.sha256) } }
}

/// What ended it early.
fn ended(by: v1::Truncation) -> &'static str {
    match by {
        v1::Truncation::Unspecified => "",
        v1::Truncation::Deadline => "; the deadline ended it early",
        v1::Truncation::Budget => "; its budget ended it early",
    }
}
