//! The summary as Markdown.

use std::fmt::Write as _;

use super::Report;
use super::table::{Table, cell};

pub(super) fn page(report: &Report<'_>) -> String {
    let mut text = format!("# How far the explanations can be trusted\n\n{}\n", report.head());
    text += "\nCells are means over items with their interval; controls have seen neither picture nor detector.\n";
    for of in report.tables() {
        table(&mut text, &of);
    }
    if !report.failures.is_empty() {
        text += "\n## Items that failed\n\n| item | why |\n|---|---|\n";
        for (item, why) in report.failures {
            let _ = writeln!(text, "| {} | {} |", plain(item), plain(why));
        }
    }
    if !report.passed_over.is_empty() {
        let names: Vec<_> = report.passed_over.iter().map(|name| plain(name)).collect();
        let _ = writeln!(text, "\nNot called fake by the detector and passed over: {}.", names.join(", "));
    }
    text
}

fn table(text: &mut String, table: &Table<'_>) {
    let _ = writeln!(text, "\n## {}\n", table.title());
    let _ = writeln!(
        text,
        "| explanation | {} |",
        table.columns.iter().map(|c| plain(c)).collect::<Vec<_>>().join(" | ")
    );
    let _ = writeln!(text, "|---|{}", "---|".repeat(table.columns.len()));
    for row in &table.rows {
        let control = if row.control { " (control)" } else { "" };
        let cells: Vec<_> = row.cells.iter().map(|mean| cell(*mean)).collect();
        let _ = writeln!(text, "| `{}`{control} | {} |", plain(row.name), cells.join(" | "));
    }
}

/// A caller's word, which may hold the sign that divides cells.
fn plain(word: &str) -> String {
    word.replace('|', "\\|").replace('\n', " ")
}
