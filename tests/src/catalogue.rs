//! The catalogue as Markdown. `cargo xtask docs` writes it, and a test compares what is committed.

use std::fmt::Write as _;

use unmask_core::{Kind, Param, Value};
use unmask_explainer::catalogue::Descriptor;
use unmask_explainer::fill::FILLS;
use unmask_explainer::methods::METHODS;
use unmask_explainer::metrics::{About, Better, METRICS, Need, Wrong};
use unmask_explainer::segment::SEGMENTATIONS;

use crate::project;

/// The tables of the README lie between these lines.
pub const BEGIN: &str = "<!-- catalogue: begin -->";
/// See [`BEGIN`].
pub const END: &str = "<!-- catalogue: end -->";

const LISTS: [(&str, &[Descriptor]); 3] =
    [("Methods", METHODS), ("Fills", FILLS), ("Segmentations", SEGMENTATIONS)];

/// A README with today's tables.
///
/// # Panics
/// When the README has lost its marks.
pub fn readme(text: &str) -> String {
    let (head, rest) = text.split_once(BEGIN).expect("the README marks where the catalogue begins");
    let (_, tail) = rest.split_once(END).expect("the README marks where the catalogue ends");
    format!("{head}{BEGIN}\n{}{END}{tail}", tables())
}

fn tables() -> String {
    let mut text = String::new();
    for (title, list) in LISTS {
        let passes = list.iter().any(|d| d.passes != "0");
        let (head, line) = if passes { (" passes |", "---|") } else { ("", "") };
        let title = title.to_lowercase();
        let _ = writeln!(text, "| {title} | |{head} source |\n|---|---|{line}---|");
        for d in list {
            let passes = if passes { format!(" {} |", d.passes) } else { String::new() };
            let _ = writeln!(text, "| `{}` | {} |{passes} {} |", d.name, d.summary, d.citation);
        }
        text.push('\n');
    }
    text + &metrics()
}

/// The table of metrics.
fn metrics() -> String {
    let mut text = String::from("| metrics | | better | passes | source |\n|---|---|---|---|---|\n");
    for about in METRICS {
        let d = &about.entry;
        let first = about.figures[0].better;
        let alike = about.figures.iter().all(|figure| figure.better == first);
        let better = if alike { better(first) } else { "by figure" };
        let _ = writeln!(text, "| `{}` | {} | {better} | {} | {} |", d.name, d.summary, d.passes, d.citation);
    }
    text
}

fn better(better: Better) -> &'static str {
    match better {
        Better::Higher => "higher",
        Better::Lower => "lower",
        Better::Neither => "neither",
    }
}

/// Every figure and parameter of every metric.
pub fn metrics_page() -> String {
    let mut text = String::from(
        "# Metrics\n\nWritten by `cargo xtask docs` from the catalogue that `unmask metrics` prints and from the modules in\n\
         `crates/explainer/src/metrics`. What is equal to whose peer stands in `tests/parity/README.md`; fields, fills and their\n\
         defaults in `proto/unmask/v1/metric.proto`. On the command line a metric's fill is `fill=NAME`, and an attack is\n\
         `attack=bounded` (the default, with at most 1000 passes) or `attack=paper` (50 steps), each with the parameters of the fill\n\
         `adversarial` or `adversarial_paper`, such as `attack.max_passes=500`: docs/methods.md. Where a figure's name ends in K,\n\
         there is one for each K.\n\n\
         \"tells\" names the deliberately wrong explanations that a metric's first figure ranks below the right one on planted\n\
         detectors, on every test run: values shifted to the next segment, inverted, and random. A metric that tells none\n\
         describes the map and says nothing of whether it is right. A real detector is another matter: one of manipulation may\n\
         take hidden pixels for traces of their own, so that deletion prefers a random, strewn map to any smooth one. Look at the\n\
         controls beside every figure; an explanation that does not beat them has shown nothing by it.\n",
    );
    for about in METRICS {
        metric(&mut text, about);
    }
    text
}

fn metric(text: &mut String, about: &About) {
    let d = &about.entry;
    let _ = write!(text, "\n## {}\n\n{}", d.name, d.summary);
    if !d.citation.is_empty() {
        let _ = write!(text, " {}.", d.citation);
    }
    let _ = writeln!(text, " Forward passes: {}.", d.passes);
    let figures: Vec<String> =
        about.figures.iter().map(|f| format!("`{}` ({} is better)", f.name, better(f.better))).collect();
    let needs: Vec<&str> = about
        .needs
        .iter()
        .map(|need| match need {
            Need::Mask => "a mask",
            Need::Method => "a method",
            Need::Fill => "a fill, which may be any",
        })
        .collect();
    let tells: Vec<&str> = about
        .tells
        .iter()
        .map(|wrong| match wrong {
            Wrong::Shifted => "shifted",
            Wrong::Inverted => "inverted",
            Wrong::Random => "random",
        })
        .collect();
    let or = |list: Vec<&str>, none: &str| if list.is_empty() { none.to_owned() } else { list.join(", ") };
    let _ = writeln!(
        text,
        "\nFigures: {}. Needs: {}. Tells: {}.",
        figures.join(", ").replace("neither is better", "it describes"),
        or(needs, "nothing more"),
        or(tells, "none")
    );
    let source = project(&format!("crates/explainer/src/metrics/{}.rs", d.name));
    let source = std::fs::read_to_string(source).unwrap_or_default();
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let words: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let _ = writeln!(text, "\n{}", words.join("\n").trim());
    if !d.params.is_empty() {
        *text +=
            "\n| parameter | default | paper | allowed | what | default from |\n|---|---|---|---|---|---|\n";
        d.params.iter().for_each(|p| row(text, p));
    }
}

/// Every parameter of everything.
pub fn page() -> String {
    let mut text = String::from(
        "# Methods, fills and segmentations\n\nWritten by `cargo xtask docs` from the catalogue that `unmask methods` prints.\n\
         \"paper\" is the value under the preset `paper@1`, which follows the code of arXiv 2502.03957; where it is empty, it is\n\
         the default.\n",
    );
    for (title, list) in LISTS {
        let _ = write!(text, "\n## {title}\n");
        for d in list {
            let _ = write!(text, "\n### {}\n\n{}", d.name, d.summary);
            if !d.citation.is_empty() {
                let _ = write!(text, " {}.", d.citation);
            }
            if d.passes != "0" {
                let _ = write!(text, " Forward passes: {}.", d.passes);
            }
            text.push('\n');
            if !d.params.is_empty() {
                text += "\n| parameter | default | paper | allowed | what | default from |\n|---|---|---|---|---|---|\n";
                d.params.iter().for_each(|p| row(&mut text, p));
            }
        }
    }
    text
}

fn row(text: &mut String, p: &Param) {
    let (default, allowed) = match p.kind {
        Kind::Integer { default, min, max } => (default.to_string(), format!("{min} to {max}")),
        Kind::Real { default, min, max } => (default.to_string(), format!("{min} to {max}")),
        Kind::Flag(default) => (default.to_string(), "true, false".to_owned()),
        Kind::Choice(words) => (words[0].to_owned(), words.join(", ")),
        Kind::Picture => ("required".to_owned(), "a picture file".to_owned()),
        Kind::Numbers(allowed) => ("required".to_owned(), allowed.to_owned()),
    };
    let paper = match p.paper {
        None => String::new(),
        Some(Value::Integer(value)) => value.to_string(),
        Some(Value::Real(value)) => value.to_string(),
        Some(Value::Flag(value)) => value.to_string(),
    };
    let unit = if p.unit.is_empty() { String::new() } else { format!(" {}", p.unit) };
    let _ = writeln!(
        text,
        "| `{}` | {default} | {paper} | {allowed}{unit} | {} | {} |",
        p.name, p.help, p.source
    );
}
