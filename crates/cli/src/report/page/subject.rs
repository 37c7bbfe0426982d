//! A face, or another part of a picture: first what was said, then why, then how far to trust it, then how it was made.

use maud::{Markup, html};
use unmask_protocol::v1;

use super::figures::{Heat, Mark, Shown};
use super::number::At;
use super::{Page, comparison, counterfactual, figures, provenance, tables, words};
use crate::report::{Picture, Subject};

/// Regions that are outlined where no parts of a face are known.
const OUTLINED: usize = 3;

/// Where in the page a subject stands.
pub(super) struct Place {
    /// What tells it from all others: `1-2`.
    id: String,
    at: At,
}

impl Place {
    pub(super) fn new(picture: usize, subject: usize) -> Self {
        let at = At::picture(picture).item("subjects", subject);
        Self { id: format!("{}-{}", picture + 1, subject + 1), at }
    }
}

/// What it is called.
fn name(subject: &Subject, args: &crate::args::Report) -> String {
    match (subject.number, args.crop) {
        (Some(number), _) => format!("Face {number}"),
        (None, Some(_)) => "Part of the picture".to_owned(),
        (None, None) => "The whole picture".to_owned(),
    }
}

/// The lines of a picture in the list of decisions.
pub(super) fn lines(i: usize, picture: &Picture) -> Vec<Markup> {
    let failed = |why: &str| html! { td colspan="3" { "failed: " (why) } };
    let line = |j: usize, subject: &Subject| {
        let place = Place::new(i, j);
        let label = subject.number.map_or_else(|| "all of it".to_owned(), |number| format!("face {number}"));
        html! {
            tr {
                th scope="row" { (picture.name) }
                td { a href=(format!("#subject-{}", place.id)) { (label) } }
                @match &subject.explained {
                    Err(why) => { (failed(why)) }
                    Ok(answer) => {
                        @let prediction = answer.prediction.clone().unwrap_or_default();
                        td { (words::decision(&prediction)) }
                        td.n { (place.at.field("explanation.prediction").percent("fake_probability", prediction.fake_probability)) }
                        td { (out_in_words(answer)) }
                    }
                }
            }
        }
    };
    let failure = picture
        .failure
        .iter()
        .map(|why| html! { tr { th scope="row" { (picture.name) } td { "\u{2013}" } (failed(why)) } });
    failure.chain(picture.subjects.iter().enumerate().map(|(j, subject)| line(j, subject))).collect()
}

pub(super) fn section(
    page: &Page<'_>,
    picture: &Picture,
    subject: &Subject,
    place: &Place,
    shown: Option<&Shown<'_>>,
) -> anyhow::Result<Markup> {
    let id = format!("subject-{}", place.id);
    let answer = match &subject.explained {
        Ok(answer) => answer,
        Err(why) => {
            return Ok(html! {
                section.subject {
                    h3 id=(id) { (name(subject, page.args)) }
                    p.failure { strong { "Not explained: " } (why) }
                }
            });
        }
    };
    let at = place.at.field("explanation");
    let prediction = answer.prediction.clone().unwrap_or_default();
    let warnings: Vec<_> =
        subject.face.iter().flat_map(|face| &face.warnings).chain(&answer.warnings).collect();
    Ok(html! {
        section.subject {
            h3 id=(id) { (name(subject, page.args)) }
            p.verdict.fake[prediction.fake] {
                "The detector calls it " strong { (words::decision(&prediction)) } ". Probability of a manipulation: "
                (at.field("prediction").percent("fake_probability", prediction.fake_probability)) "."
            }
            (sentences(answer))
            @if !warnings.is_empty() {
                div.note { h4 { "To be known first" } ul { @for warning in &warnings { li { (warning) } } } }
            }
            (seen(answer, place, shown))
            h4 { "Where the " (words::reading(answer.reading())) " is" }
            @if !answer.parts.is_empty() { (tables::parts(&at, answer)) }
            @if !answer.regions.is_empty() { (tables::regions(&at, answer)) }
            h4 { "What was tried" }
            (tables::checks(&at, answer))
            (counterfactual::section(&at, answer))
            (comparison::section(&place.at, subject, answer)?)
            (limits(answer))
            h4 { "How it was made" }
            (provenance::section(page, picture, subject, answer, &place.at)?)
            (tables::scores(&at.field("prediction"), &prediction))
        }
    })
}

/// What is to be read, in its order, but for what an explanation does not show.
fn sentences(answer: &v1::ExplainResponse) -> Markup {
    html! {
        div.said {
            @for sentence in &answer.sentences {
                @match sentence.kind() {
                    v1::SentenceKind::Limit => {}
                    v1::SentenceKind::Unspecified | v1::SentenceKind::Decision | v1::SentenceKind::Evidence | v1::SentenceKind::Effect
                    | v1::SentenceKind::Control | v1::SentenceKind::Counterfactual | v1::SentenceKind::Certainty => { p { (sentence.text) } }
                }
            }
        }
    }
}

/// What it does not show, as the server says it.
fn limits(answer: &v1::ExplainResponse) -> Markup {
    let limits: Vec<_> =
        answer.sentences.iter().filter(|sentence| sentence.kind() == v1::SentenceKind::Limit).collect();
    html! {
        @if !limits.is_empty() {
            h4 { "What this does not show" }
            @for limit in &limits { p { (limit.text) } }
        }
    }
}

/// The part that the model saw, and the map over it.
fn seen(answer: &v1::ExplainResponse, place: &Place, shown: Option<&Shown<'_>>) -> Markup {
    let resolved = answer.resolved.clone().unwrap_or_default();
    let (Some(shown), Some(crop)) = (shown, resolved.crop) else { return html! {} };
    let target = answer.target.clone().unwrap_or_default();
    figures::pair(&Heat {
        shown,
        id: &place.id,
        png: &answer.heat_map_png,
        crop,
        reading: answer.reading(),
        target: &target.label,
        marks: &marks(answer),
        told: &told(answer),
    })
}

/// Parts that stand out, with their places among all; where no parts are known, regions.
fn out(answer: &v1::ExplainResponse) -> Vec<(usize, String, v1::Box, f64, f64)> {
    let parts = answer.parts.iter().zip(1..).filter(|(part, _)| part.stands_out);
    if !answer.parts.is_empty() {
        let of = |(p, n): (&v1::Part, usize)| {
            (n, words::part(p.part()).to_owned(), p.r#box.unwrap_or_default(), p.evidence_share, p.area_share)
        };
        return parts.map(of).collect();
    }
    let regions = answer.regions.iter().zip(1..).filter(|(region, _)| region.stands_out);
    let of = |(r, n): (&v1::Region, usize)| {
        (n, format!("region {n}"), r.r#box.unwrap_or_default(), r.evidence_share, r.area_share)
    };
    regions.take(OUTLINED).map(of).collect()
}

/// Outlines of what stands out. The background is around the face, and has none.
fn marks(answer: &v1::ExplainResponse) -> Vec<Mark> {
    let background = words::part(v1::FacePart::Background);
    let outlined = out(answer).into_iter().filter(|(_, name, ..)| name != background);
    outlined.map(|(number, _, b, ..)| Mark::of_box(number.to_string(), b)).collect()
}

fn out_in_words(answer: &v1::ExplainResponse) -> String {
    let names: Vec<_> = out(answer).into_iter().map(|(_, name, ..)| name).collect();
    if names.is_empty() { "nothing".to_owned() } else { words::list(&names) }
}

/// What the map shows, for whoever does not see it.
fn told(answer: &v1::ExplainResponse) -> String {
    let what = words::reading(answer.reading());
    let one = |(_, name, _, share, area)| {
        format!(
            "{name} holds {} of the {what} in {} of the area",
            super::number::percent(share),
            super::number::percent(area)
        )
    };
    let all: Vec<_> = out(answer).into_iter().map(one).collect();
    if all.is_empty() {
        "Nothing stands out.".to_owned()
    } else {
        format!("What stands out: {}.", words::list(&all))
    }
}
