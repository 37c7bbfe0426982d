//! The page: one file, without a request to anywhere, that reads with and without a script, on paper, and to a screen reader.
//!
//! Text of others is escaped where it is put in: nothing but the page's own style and script stands in it as it is.

mod comparison;
mod counterfactual;
mod figures;
mod number;
mod picture;
mod provenance;
mod reading;
mod subject;
mod tables;
mod words;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use unmask_registry::sha256;

use super::{Picture, answers, command};
use crate::args::Report;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("fade.js");

/// What a page is made of.
pub(super) struct Page<'a> {
    pub(super) args: &'a Report,
    pub(super) pictures: &'a [Picture],
}

/// The whole file.
pub(super) fn page(page: &Page<'_>) -> anyhow::Result<String> {
    let title = page.args.title.as_deref().unwrap_or("Why the detector decided so");
    let pictures = page.pictures.iter().enumerate();
    let pictures: Vec<_> =
        pictures.map(|(i, picture)| picture::section(page, i, picture)).collect::<Result<_, _>>()?;
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    (summary(page))
                }
                (figures::pale())
                main {
                    @for picture in &pictures { (picture) }
                    (reading::section())
                    (again(page))
                }
                script type="application/json" id="answers" { (PreEscaped(data(&answers::json(page.pictures)?))) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(html.into_string() + "\n")
}

/// Nothing is loaded, and no style or script runs but those of this program, whatever a name or an answer holds.
fn policy() -> String {
    format!(
        "default-src 'none'; img-src data:; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        source(STYLE),
        source(SCRIPT)
    )
}

/// A text as a policy names it.
fn source(text: &str) -> String {
    let digest = sha256(text.as_bytes());
    let bytes: Vec<u8> = digest
        .as_bytes()
        .chunks(2)
        .filter_map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok())
        .collect();
    format!("sha256-{}", BASE64.encode(bytes))
}

/// JSON that cannot end the element that it stands in.
fn data(json: &serde_json::Value) -> String {
    json.to_string().replace('<', "\\u003c")
}

/// Bytes as an address that holds them.
fn address(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", BASE64.encode(bytes))
}

/// Verdicts at a glance; with one alone it stands below anyway.
fn summary(page: &Page<'_>) -> Markup {
    let rows: Vec<_> =
        page.pictures.iter().enumerate().flat_map(|(i, picture)| subject::lines(i, picture)).collect();
    html! {
        @if rows.len() > 1 {
            (tables::scroll("Decisions", html! {
                table {
                    caption { span { "What the detector says" } }
                    thead { tr {
                        th scope="col" { "picture" } th scope="col" { "part" } th scope="col" { "decision" }
                        th.n scope="col" { "manipulated" } th scope="col" { "what stands out" }
                    } }
                    tbody { @for row in &rows { (row) } }
                }
            }))
        }
    }
}

/// The command that makes the page again.
fn again(page: &Page<'_>) -> Markup {
    let explained = page.pictures.iter().flat_map(|picture| &picture.subjects);
    let model = explained.filter_map(|subject| subject.explained.as_ref().ok()?.model.as_ref()).next();
    let finder = page.pictures.iter().find_map(|picture| picture.found.as_ref()?.face_model.as_ref());
    html! {
        section aria-labelledby="again" {
            h2 id="again" { "How to make this page again" }
            pre tabindex="0" role="group" aria-label="Command" { code { (command::report(page.args, model, finder)) } }
            p {
                "With unmask " (env!("CARGO_PKG_VERSION")) ", the same pictures and models of the same SHA-256, the same binary on the "
                "same kind of processor writes the same bytes."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use unmask_protocol::v1;

    use super::*;
    use crate::args::{Args, Command};
    use crate::report::Subject;

    fn prediction(label: &str, fake_probability: f64) -> Option<v1::Prediction> {
        Some(v1::Prediction {
            label: label.into(),
            fake: fake_probability > 0.5,
            fake_probability,
            scores: Vec::new(),
        })
    }

    fn explanation() -> v1::ExplainResponse {
        let place = v1::Box { x: 1, y: 2, width: 30, height: 40 };
        let sentence = |kind: v1::SentenceKind, text: &str| v1::Sentence {
            kind: kind.into(),
            text: text.into(),
            numbers: Vec::new(),
        };
        let check = |kind: v1::CheckKind, area_share, fake| v1::Check {
            kind: kind.into(),
            area_share,
            value: -1.25,
            prediction: prediction(if fake > 0.5 { "mouth" } else { "real" }, fake),
        };
        let part = |part: v1::FacePart, evidence_share, stands_out| v1::Part {
            part: part.into(),
            r#box: Some(place),
            mean: 0.5,
            evidence_share,
            area_share: 0.1,
            stands_out,
        };
        v1::ExplainResponse {
            prediction: prediction("mouth", 0.998),
            fill_prediction: prediction("real", 0.25),
            reading: v1::Reading::Evidence.into(),
            target: Some(v1::ExplainedTarget {
                label: "mouth".into(),
                value: 6.5,
                fill_value: Some(-1.0),
                ..Default::default()
            }),
            resolved: Some(v1::Resolved { crop: Some(place), ..Default::default() }),
            parts: vec![part(v1::FacePart::Mouth, 0.71, true), part(v1::FacePart::Chin, 0.2, false)],
            checks: vec![
                check(v1::CheckKind::FoundHidden, 0.11, 0.1),
                check(v1::CheckKind::MiddleHidden, 0.12, 0.9),
            ],
            sentences: vec![
                sentence(v1::SentenceKind::Limit, "It proves nothing of <others>."),
                sentence(v1::SentenceKind::Evidence, "Most of it lies in the mouth."),
            ],
            counterfactual: Some(v1::Counterfactual {
                end: v1::CounterfactualEnd::Found.into(),
                candidates: 12,
                passes: 40,
                parts: vec![v1::FacePart::Mouth.into(), v1::FacePart::LeftCheek.into()],
                area_share: 0.2,
                smallest: true,
                prediction: prediction("real", 0.3),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn of(explained: Result<v1::ExplainResponse, String>) -> String {
        let Command::Report(args) = Args::parse_from(["unmask", "report", "a.png"]).command else {
            unreachable!("it was typed")
        };
        let subject = Subject { number: Some(1), face: None, explained, evaluated: None };
        let picture = Picture {
            name: "a.png".into(),
            file: Vec::new(),
            found: None,
            note: None,
            subjects: vec![subject],
            failure: None,
        };
        page(&Page { args: &args, pictures: &[picture] }).unwrap()
    }

    #[test]
    fn findings_stand_in_the_order_in_which_they_are_to_be_read() {
        let page = of(Ok(explanation()));
        let found = "pictures[0].subjects[0].explanation.counterfactual";
        let mut from = 0;
        for words in [
            "The detector calls it <strong>manipulated (mouth)</strong>",
            "<p>Most of it lies in the mouth.</p>",
            "<th scope=\"row\">mouth</th>",
            "71.0\u{a0}%",
            "<td>yes</td>",
            "<th scope=\"row\">chin</th>",
            "<td>no</td>",
            "<th scope=\"row\">nothing</th>",
            "<th scope=\"row\">what stands out</th>",
            "<td>not manipulated (real)</td>",
            "as much in the middle, whatever is there (control)",
            "<th scope=\"row\">everything</th>",
            "With <strong>mouth and left cheek</strong> replaced",
            &format!("data-field=\"{found}.area_share\">20.0\u{a0}%"),
            "none of them changes the decision",
            "It was not compared",
            "<p>It proves nothing of &lt;others&gt;.</p>",
            "unmask explain --crop 1,2,30,40 --seed 0 a.png",
        ] {
            from += page[from..]
                .find(words)
                .unwrap_or_else(|| panic!("{words} is not behind the one before in {page}"));
        }
    }

    #[test]
    fn a_search_that_found_nothing_is_told_as_such() {
        for (end, words) in [
            (v1::CounterfactualEnd::None, "There is none: "),
            (v1::CounterfactualEnd::Passes, "None was found in the passes that there were"),
            (v1::CounterfactualEnd::Deadline, "The deadline came before one was found."),
        ] {
            let found =
                v1::Counterfactual { end: end.into(), candidates: 12, passes: 40, ..Default::default() };
            let page = of(Ok(v1::ExplainResponse { counterfactual: Some(found), ..explanation() }));
            assert!(page.contains(words) && !page.contains(" replaced, "), "{page}");
        }
        let page = of(Ok(v1::ExplainResponse { counterfactual: None, ..explanation() }));
        assert!(!page.contains("The smallest change"));
    }

    #[test]
    fn an_explanation_that_failed_is_told_in_its_place() {
        let page = of(Err("crop: <too small>".into()));
        assert!(page.contains("<strong>Not explained: </strong>crop: &lt;too small&gt;"), "{page}");
    }

    #[test]
    fn an_answer_cannot_end_the_element_that_it_stands_in() {
        let text = data(&serde_json::json!({ "name": "</script><script>alert(1)</script><!--" }));
        assert!(!text.contains('<'), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["name"], "</script><script>alert(1)</script><!--");
    }

    #[test]
    fn a_text_is_named_by_its_digest_in_base64() {
        // As `printf abc | openssl dgst -sha256 -binary | base64` has it.
        assert_eq!(source("abc"), "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    }
}
