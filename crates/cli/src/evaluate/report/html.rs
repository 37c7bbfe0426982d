//! The summary as a page that needs nothing else: no script, no style sheet, no picture from elsewhere.

use std::fmt::Write as _;

use super::plot::plot;
use super::table::{CELLS, Table};
use super::{Report, curves};

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:80em;padding:0 1em;color:#222}\
    table{border-collapse:collapse;margin:1em 0;display:block;overflow-x:auto}\
    td,th{border:1px solid #ccc;padding:.3em .6em;text-align:right;white-space:nowrap}\
    td:first-child,th:first-child{text-align:left}tr.control{color:#777}svg{display:block;margin:1em 0}";

pub(super) fn page(report: &Report<'_>) -> String {
    let title = "How far the explanations can be trusted";
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style></head>\n\
         <body><h1>{title}</h1>\n<pre>{}</pre>\n<p>{}</p>\n<p>Items: {}.</p>\n<p>{CELLS}</p>\n",
        escaped(report.command),
        escaped(&report.head()),
        escaped(&report.counts())
    );
    for of in report.tables() {
        table(&mut text, &of, report.metrics);
    }
    let curves: String =
        curves::curves(report.rows).iter().map(|curves| curves.svg(report.metrics)).collect();
    if !curves.is_empty() {
        text += "<h2>Curves</h2>\n";
        text += &curves;
    }
    if !report.failures.is_empty() {
        text += "<h2>Items that failed</h2>\n<table><tr><th>why</th><th>items</th><th>which</th></tr>\n";
        for (why, items) in report.reasons() {
            let (count, which) = (items.len(), escaped(&items.join(", ")));
            let _ = writeln!(text, "<tr><td>{}</td><td>{count}</td><td>{which}</td></tr>", escaped(why));
        }
        text += "</table>\n";
    }
    if !report.passed_over.is_empty() {
        let names = escaped(&report.passed_over.join(", "));
        let count = report.passed_over.len();
        let _ = writeln!(text, "<p>Not called fake by the detector and passed over ({count}): {names}.</p>");
    }
    text + "</body></html>\n"
}

fn table(text: &mut String, table: &Table<'_>, metrics: &[String]) {
    let _ = writeln!(text, "<h2>{}</h2>\n<table><tr><th>explanation</th>", escaped(&table.title(metrics)));
    for column in &table.columns {
        let _ = write!(text, "<th>{}</th>", escaped(column));
    }
    *text += "</tr>\n";
    for row in &table.rows {
        let class = if row.control { " class=\"control\"" } else { "" };
        let _ = write!(text, "<tr{class}><td>{}</td>", escaped(row.name));
        for column in 0..row.cells.len() {
            let _ = write!(text, "<td>{}</td>", table.cell(row, column));
        }
        *text += "</tr>\n";
    }
    *text += "</table>\n";
    for (figure, means) in &table.figures {
        *text += &plot(figure, means);
    }
}

/// Text of others inside a page.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for letter in text.chars() {
        match letter {
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '&' => safe += "&amp;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            other => safe.push(other),
        }
    }
    safe
}
