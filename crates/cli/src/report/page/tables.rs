//! Tables of what was found and of what was tried.

use maud::{Markup, html};
use unmask_protocol::v1;

use super::number::At;
use super::words;

/// A table that scrolls within itself where it is wider than the page.
pub(super) fn scroll(name: &str, table: Markup) -> Markup {
    html! { div.scroll tabindex="0" role="group" aria-label=(name) { (table) } }
}

/// The parts of the face.
pub(super) fn parts(at: &At, answer: &v1::ExplainResponse) -> Markup {
    let what = words::reading(answer.reading());
    scroll(
        "Parts of the face",
        html! {
            table {
                caption {
                span {
                    "Parts of the face, first the one whose share of the " (what) " is the most above its share of the area; left and "
                    "right are those of the picture"
                }
            }
                thead { tr {
                    th.n scope="col" { "no." } th scope="col" { "part" } th.n scope="col" { "share of the " (what) }
                    th.n scope="col" { "share of the area" } th scope="col" { "both" } th.n scope="col" { "mean" } th scope="col" { "stands out" }
                } }
                tbody {
                    @for (i, part) in answer.parts.iter().enumerate() {
                        @let at = at.item("parts", i);
                        tr.out[part.stands_out] {
                            td.n.no { (i + 1) }
                            th scope="row" { (words::part(part.part())) }
                            td.n { (at.percent("evidence_share", part.evidence_share)) }
                            td.n { (at.percent("area_share", part.area_share)) }
                            td { (bars(part.evidence_share, part.area_share)) }
                            td.n { (at.three("mean", part.mean)) }
                            td { (yes(part.stands_out)) }
                        }
                    }
                }
            }
        },
    )
}

/// The ranked regions.
pub(super) fn regions(at: &At, answer: &v1::ExplainResponse) -> Markup {
    let what = words::reading(answer.reading());
    let has_errors = answer.regions.iter().any(|region| region.standard_error.is_some());
    scroll(
        "Ranked regions",
        html! {
            table {
                caption { span { "Regions into which the picture was cut, those that speak most for the decision first; places and sizes in pixels" } }
                thead { tr {
                    th.n scope="col" { "rank" } th.n scope="col" { "left" } th.n scope="col" { "top" }
                    th.n scope="col" { "width" } th.n scope="col" { "height" }
                    th.n scope="col" { "share of the " (what) } th.n scope="col" { "share of the area" }
                    th scope="col" { "both" } th.n scope="col" { "mean" }
                    @if has_errors { th.n scope="col" { "standard error" } }
                } }
                tbody {
                    @for (i, region) in answer.regions.iter().enumerate() {
                        @let at = at.item("regions", i);
                        @let b = region.r#box.unwrap_or_default();
                        tr {
                            th.n scope="row" { (at.count("rank", region.rank)) }
                            @for (field, value) in [("box.x", b.x), ("box.y", b.y), ("box.width", b.width), ("box.height", b.height)] {
                                td.n { (at.count(field, value)) }
                            }
                            td.n { (at.percent("evidence_share", region.evidence_share)) }
                            td.n { (at.percent("area_share", region.area_share)) }
                            td { (bars(region.evidence_share, region.area_share)) }
                            td.n { (at.three("mean", region.mean)) }
                            @if has_errors {
                                td.n { @if let Some(error) = region.standard_error { (at.three("standard_error", error)) } @else { "\u{2013}" } }
                            }
                        }
                    }
                }
            }
        },
    )
}

/// What the model says where something is replaced, between all of the picture and nothing of it.
pub(super) fn checks(at: &At, answer: &v1::ExplainResponse) -> Markup {
    let target = answer.target.clone().unwrap_or_default();
    let row =
        |what: &str, share: Option<Markup>, prediction: (&At, &v1::Prediction), value: Option<Markup>| {
            let (at, prediction) = prediction;
            html! {
                tr {
                    th scope="row" { (what) }
                    td.n { @if let Some(share) = share { (share) } @else { "\u{2013}" } }
                    td { (words::decision(prediction)) }
                    td.n { (at.percent("fake_probability", prediction.fake_probability)) }
                    td.n { @if let Some(value) = value { (value) } @else { "\u{2013}" } }
                }
            }
        };
    let (own, fill) =
        (answer.prediction.clone().unwrap_or_default(), answer.fill_prediction.clone().unwrap_or_default());
    let at_target = at.field("target");
    scroll(
        "What was tried",
        html! {
            table {
                caption { span { "What the model says when something of what it sees is replaced by the fill" } }
                thead { tr {
                    th scope="col" { "replaced" } th.n scope="col" { "share of the area" }
                    th scope="col" { "decision" } th.n scope="col" { "manipulated" }
                    th.n scope="col" { (target.label) " (" (crate::text::scale(target.scale())) ")" }
                } }
                tbody {
                    (row("nothing", None, (&at.field("prediction"), &own), Some(at_target.three("value", target.value))))
                    @for (i, check) in answer.checks.iter().enumerate() {
                        @let at = at.item("checks", i);
                        (row(
                            words::check(check.kind()),
                            Some(at.percent("area_share", check.area_share)),
                            (&at.field("prediction"), &check.prediction.clone().unwrap_or_default()),
                            Some(at.three("value", check.value)),
                        ))
                    }
                    @if answer.fill_prediction.is_some() {
                        (row("everything", None, (&at.field("fill_prediction"), &fill), target.fill_value.map(|value| at_target.three("fill_value", value))))
                    }
                }
            }
        },
    )
}

/// All class scores.
pub(super) fn scores(at: &At, prediction: &v1::Prediction) -> Markup {
    scroll(
        "Class scores",
        html! {
            table {
                caption { span { "All classes of the model" } }
                thead { tr { th scope="col" { "class" } th.n scope="col" { "probability" } th.n scope="col" { "logit" } } }
                tbody {
                    @for (i, score) in prediction.scores.iter().enumerate() {
                        @let at = at.item("scores", i);
                        tr {
                            th scope="row" { (score.label) }
                            td.n { (at.percent("probability", score.probability)) }
                            td.n { (at.three("logit", f64::from(score.logit))) }
                        }
                    }
                }
            }
        },
    )
}

/// One share above the other: the first is filled, the second is what it would be if evidence were everywhere the same.
fn bars(share: f64, area: f64) -> Markup {
    let wide = |share: f64| (share.clamp(0.0, 1.0) * 100.0).to_string();
    html! {
        svg.bars viewBox="0 0 100 14" preserveAspectRatio="none" aria-hidden="true" {
            rect.share x="0" y="1" height="7" width=(wide(share)) {}
            rect.area x="0" y="9" height="4" width=(wide(area)) {}
        }
    }
}

pub(super) fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}
