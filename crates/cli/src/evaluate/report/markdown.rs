//! The summary as Markdown.

use std::fmt::Write as _;

use super::Report;
use super::table::{Table, cell};

pub(super) fn page(report: &Report<'_>) -> String {
    let mut text = format!("# How far the explanations can be trusted\n\n```sh\n{}\n```\n", report.command);
    let _ = writeln!(text, "\n{}\n\nItems: {}.", report.head(), plain(&report.counts()));
    text += "\nCells are means over items with their interval; controls have seen neither picture nor detector.\n";
    for of in report.tables() {
        table(&mut text, &of, report.metrics);
    }
    if !report.failures.is_empty() {
        text += "\n## Items that failed\n\n| why | items | which |\n|---|---|---|\n";
        for (why, items) in report.reasons() {
            let _ = writeln!(text, "| {} | {} | {} |", plain(why), items.len(), plain(&items.join(", ")));
        }
    }
    if !report.passed_over.is_empty() {
        let names: Vec<_> = report.passed_over.iter().map(|name| plain(name)).collect();
        let count = names.len();
        let _ = writeln!(
            text,
            "\nNot called fake by the detector and passed over ({count}): {}.",
            names.join(", ")
        );
    }
    text
}

fn table(text: &mut String, table: &Table<'_>, metrics: &[String]) {
    let _ = writeln!(text, "\n## {}\n", plain(&table.title(metrics)));
    let _ = writeln!(
        text,
        "| explanation | {} |",
        table.columns.iter().map(|c| plain(c)).collect::<Vec<_>>().join(" | ")
    );
    let _ = writeln!(text, "|---|{}", "---|".repeat(table.columns.len()));
    for row in &table.rows {
        let control = if row.control { " (control)" } else { "" };
        let cells: Vec<_> = row.cells.iter().map(|mean| cell(*mean)).collect();
        let _ = writeln!(text, "| `{}`{control} | {} |", code(row.name), cells.join(" | "));
    }
}

/// A caller's word inside backticks, which may hold the sign that divides cells, or a backtick.
fn code(word: &str) -> String {
    word.replace('|', "\\|").replace(['\n', '`'], " ")
}

/// A caller's word, which may hold the sign that divides cells, or a tag.
fn plain(word: &str) -> String {
    word.replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|").replace('\n', " ")
}
