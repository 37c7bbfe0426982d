//! The explanation beside other methods and beside controls.

use maud::{Markup, html};
use unmask_protocol::v1;

use super::number::At;
use super::{tables, words};
use crate::fields;
use crate::report::Subject;
use crate::report::compare::OWN;

/// Figures of one table: more are not to be read side by side on paper.
const COLUMNS: usize = 6;

/// A column: a figure of one of the plan's metrics.
struct Column {
    metric: usize,
    name: String,
    better: v1::Better,
}

pub(super) fn section(at: &At, subject: &Subject, explained: &v1::ExplainResponse) -> anyhow::Result<Markup> {
    let answer = match &subject.evaluated {
        Some(Ok(answer)) => answer,
        Some(Err(why)) => {
            return Ok(html! {
                h4 { "Compared with other methods and with controls" }
                p.failure { strong { "Not compared: " } (why) }
            });
        }
        None => {
            return Ok(html! {
                h4 { "Compared with other methods and with controls" }
                p { "It was not compared: nothing here says whether another map would do better." }
            });
        }
    };
    let columns = columns(answer);
    let metrics: Vec<_> = answer
        .resolved
        .iter()
        .flat_map(|plan| &plan.metrics)
        .map(|metric| fields::word("Metric", metric))
        .collect::<Result<_, _>>()?;
    Ok(html! {
        h4 { "Compared with other methods and with controls" }
        @for line in verdict(answer, &columns) { p { (line) } }
        @for columns in columns.chunks(COLUMNS) { (table(at, explained, answer, columns)) }
        p.small {
            "Measured: " (metrics.join("; ")) ". \u{2020} a control does as well or better. A control has seen neither picture nor "
            "detector. Passes are those of which a map is made"
            @if answer.evaluated.iter().any(is_own_map) { "; in those of this explanation are its checks and its search" }
            "."
            @if columns.iter().any(|column| column.name == "deletion") {
                " A random map strews its pixels over the whole face, which undoes the traces that a detector of manipulation looks "
                "for at once: by deletion it may do best whatever it knows."
            }
        }
        @let missing = missing(answer);
        @if !missing.is_empty() { ul.small { @for reason in &missing { li { (reason) } } } }
        @if !answer.warnings.is_empty() { ul.small { @for warning in &answer.warnings { li { (warning) } } } }
    })
}

fn table(
    at: &At,
    explained: &v1::ExplainResponse,
    answer: &v1::EvaluateResponse,
    columns: &[Column],
) -> Markup {
    let evaluation = at.field("evaluation");
    let own = at.field("explanation.cost").count("used", explained.cost.as_ref().map_or(0, |cost| cost.used));
    tables::scroll(
        "Comparison",
        html! {
            table {
                caption { span { "Figures of this explanation, of other methods and of controls" } }
                thead { tr {
                    th scope="col" { "explanation" }
                    @for column in columns {
                        th.n scope="col" {
                            (column.name.replace('_', " "))
                            @if let Some((arrow, said)) = words::better(column.better) { " " span.better { (arrow) " " (said) } }
                        }
                    }
                    th.n scope="col" { "passes" }
                } }
                tbody {
                    @for (i, evaluated) in answer.evaluated.iter().enumerate() {
                        @let at = evaluation.item("evaluated", i);
                        tr.control[evaluated.control].out[evaluated.name == OWN] {
                            th scope="row" { (evaluated.name) @if evaluated.control { " (control)" } }
                            @for column in columns { td.n { (cell(&at, answer, evaluated, column)) } }
                            td.n {
                                @if is_own_map(evaluated) { (own) } @else { (at.count("used", evaluated.used)) }
                            }
                        }
                    }
                }
            }
        },
    )
}

/// Whether it is the very map of the explanation: its passes stand in its own answer.
fn is_own_map(evaluated: &v1::Evaluated) -> bool {
    evaluated.name == OWN && evaluated.used == 0
}

/// All figures that somebody has, in the order of the metrics.
fn columns(answer: &v1::EvaluateResponse) -> Vec<Column> {
    let metrics = answer.evaluated.iter().map(|evaluated| evaluated.results.len()).max().unwrap_or_default();
    let mut columns: Vec<Column> = Vec::new();
    for metric in 0..metrics {
        let results = answer.evaluated.iter().filter_map(|evaluated| evaluated.results.get(metric));
        for figure in results.flat_map(|result| &result.figures) {
            if !columns.iter().any(|column| column.metric == metric && column.name == figure.name) {
                columns.push(Column { metric, name: figure.name.clone(), better: figure.better() });
            }
        }
    }
    columns
}

/// The figure of that column, with its place.
fn figure<'a>(evaluated: &'a v1::Evaluated, column: &Column) -> Option<(usize, &'a v1::Figure)> {
    let figures = &evaluated.results.get(column.metric)?.figures;
    figures.iter().enumerate().find(|(_, figure)| figure.name == column.name)
}

fn value(evaluated: &v1::Evaluated, column: &Column) -> Option<f64> {
    figure(evaluated, column)?.1.value
}

fn cell(at: &At, answer: &v1::EvaluateResponse, evaluated: &v1::Evaluated, column: &Column) -> Markup {
    let Some((i, value)) = figure(evaluated, column).and_then(|(i, figure)| Some((i, figure.value?))) else {
        return html! { "\u{2013}" };
    };
    let at = at.item("results", column.metric).item("figures", i);
    html! {
        (at.three("value", value))
        @if !evaluated.control && !beaten_by(answer, evaluated, column).is_empty() {
            span.mark title="a control does as well or better" { "\u{a0}\u{2020}" }
        }
    }
}

/// The controls that do as well as an explanation, or better.
fn beaten_by<'a>(answer: &'a v1::EvaluateResponse, own: &v1::Evaluated, column: &Column) -> Vec<&'a str> {
    let Some(own) = value(own, column) else { return Vec::new() };
    let as_good = |control: f64| match column.better {
        v1::Better::Higher => control >= own,
        v1::Better::Lower => control <= own,
        v1::Better::Neither | v1::Better::Unspecified => false,
    };
    let controls = answer.evaluated.iter().filter(|evaluated| evaluated.control);
    controls
        .filter(|control| value(control, column).is_some_and(as_good))
        .map(|control| control.name.as_str())
        .collect()
}

/// Whether the explanation does better than what has seen nothing, in sentences.
fn verdict(answer: &v1::EvaluateResponse, columns: &[Column]) -> Vec<String> {
    let Some(own) = answer.evaluated.iter().find(|evaluated| evaluated.name == OWN) else {
        return Vec::new();
    };
    if !own.missing.is_empty() || !answer.evaluated.iter().any(|evaluated| evaluated.control) {
        return Vec::new();
    }
    let told: Vec<_> = columns
        .iter()
        .filter(|column| words::better(column.better).is_some() && value(own, column).is_some())
        .collect();
    let beaten = told.iter().map(|column| (column.name.replace('_', " "), beaten_by(answer, own, column)));
    let (lost, won): (Vec<_>, Vec<_>) = beaten.partition(|(_, by)| !by.is_empty());
    let mut lines = Vec::new();
    if !won.is_empty() {
        let names: Vec<_> = won.into_iter().map(|(name, _)| name).collect();
        lines.push(format!("By {} this explanation does better than every control.", words::list(&names)));
    }
    // Figures that the same controls win are told together.
    let mut told: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    for (name, by) in lost {
        match told.iter_mut().find(|(winners, _)| *winners == by) {
            Some((_, names)) => names.push(name),
            None => told.push((by, vec![name])),
        }
    }
    lines.extend(told.into_iter().map(|(by, names)| {
        let by: Vec<_> = by.into_iter().map(str::to_owned).collect();
        let (who, does) = if by.len() == 1 { ("the control", "does") } else { ("the controls", "do") };
        let (names, by) = (words::list(&names), words::list(&by));
        format!("By {names} no better: {who} {by} {does} as well or better, without having seen anything.")
    }));
    lines
}

/// Why there is no figure, where there is none.
fn missing(answer: &v1::EvaluateResponse) -> Vec<String> {
    let mut reasons = Vec::new();
    for evaluated in &answer.evaluated {
        let of_results = evaluated
            .results
            .iter()
            .flat_map(|result| result.figures.iter().map(|figure| &figure.missing).chain([&result.missing]));
        for reason in [&evaluated.missing].into_iter().chain(of_results).filter(|reason| !reason.is_empty()) {
            let told = format!("{}: {reason}", evaluated.name);
            if !reasons.contains(&told) {
                reasons.push(told);
            }
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(own: f64, control: f64, better: v1::Better) -> v1::EvaluateResponse {
        let evaluated = |name: &str, control: bool, value: f64| v1::Evaluated {
            name: name.into(),
            control,
            results: vec![v1::Result {
                figures: vec![v1::Figure {
                    name: "gain_1".into(),
                    value: Some(value),
                    better: better.into(),
                    missing: String::new(),
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let evaluated = vec![
            evaluated(OWN, false, own),
            evaluated("lime", false, 0.5),
            evaluated("uniform", true, control),
        ];
        v1::EvaluateResponse { evaluated, ..Default::default() }
    }

    #[test]
    fn only_what_beats_every_control_is_said_to_be_better() {
        let (higher, lower) = (v1::Better::Higher, v1::Better::Lower);
        for (own, control, better, wins) in [
            (0.6, 0.5, higher, true),
            (0.5, 0.5, higher, false),
            (0.4, 0.5, higher, false),
            (0.4, 0.5, lower, true),
            (0.5, 0.5, lower, false),
        ] {
            let answer = answer(own, control, better);
            let lines = verdict(&answer, &columns(&answer));
            let expected = match wins {
                true => "By gain 1 this explanation does better than every control.",
                false => {
                    "By gain 1 no better: the control uniform does as well or better, without having seen anything."
                }
            };
            assert_eq!(lines, [expected]);
            let page = table(&At::picture(0), &v1::ExplainResponse::default(), &answer, &columns(&answer))
                .into_string();
            let own = page.split("this explanation").last().unwrap().split("</tr>").next().unwrap();
            assert_eq!(own.contains('\u{2020}'), !wins, "{own}");
        }
        let neither = answer(0.5, 0.6, v1::Better::Neither);
        assert!(verdict(&neither, &columns(&neither)).is_empty());
    }

    #[test]
    fn what_is_missing_is_a_dash_with_its_reason() {
        let mut answer = answer(0.5, 0.4, v1::Better::Higher);
        answer.evaluated[1].results[0].figures[0] =
            v1::Figure { name: "gain_1".into(), missing: "the map is flat".into(), ..Default::default() };
        assert_eq!(missing(&answer), ["lime: the map is flat"]);
        let page =
            table(&At::picture(0), &v1::ExplainResponse::default(), &answer, &columns(&answer)).into_string();
        assert_eq!(page.matches("\u{2013}").count(), 1, "{page}");
    }
}
