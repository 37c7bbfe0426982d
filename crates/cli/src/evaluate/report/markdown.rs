//! The summary as Markdown.

use std::fmt::Write as _;

use super::Report;
use super::table::{CELLS, Table};

pub(super) fn page(report: &Report<'_>) -> String {
    let fence = fence(report.command);
    let mut text =
        format!("# How far the explanations can be trusted\n\n{fence}sh\n{}\n{fence}\n", report.command);
    let _ = writeln!(text, "\n{}\n\nItems: {}.", report.head(), plain(&report.counts()));
    let _ = writeln!(text, "\n{CELLS}");
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
        let cells: Vec<_> = (0..row.cells.len()).map(|column| table.cell(row, column)).collect();
        let _ = writeln!(text, "| `{}`{control} | {} |", code(row.name), cells.join(" | "));
    }
}

/// A fence that nothing inside can end.
fn fence(inside: &str) -> String {
    let longest = inside.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(3.max(longest + 1))
}

/// A caller's word inside backticks, which may hold the sign that divides cells, or a backtick.
fn code(word: &str) -> String {
    word.replace('|', "\\|").replace(|letter: char| letter == '`' || letter.is_control(), " ")
}

/// A caller's word as it stands, whatever Markdown makes of its letters: tags, links, pictures, cells.
fn plain(word: &str) -> String {
    let mut text = String::new();
    for letter in word.chars() {
        match letter {
            '&' => text += "&amp;",
            '<' => text += "&lt;",
            '|' | '[' | ']' | '`' | '*' | '\\' => text.extend(['\\', letter]),
            letter if letter.is_control() => text.push(' '),
            letter => text.push(letter),
        }
    }
    text
}
