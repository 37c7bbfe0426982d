//! The rows as docs/frontier.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::FAMILIES;
use super::rows::{FIGURES, Row};

/// Presets, whose lines stand first.
const PRESETS: [&str; 3] = ["fast", "balanced", "thorough"];
/// What the variants of the paper are called by.
const PAPER: &str = "(paper)";

/// An explanation over all items.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) control: bool,
    pub(super) items: usize,
    pub(super) passes: f64,
    /// Mean over the families of each family's mean, in the order of [`FIGURES`].
    pub(super) means: Vec<Option<f64>>,
}

impl Line {
    pub(super) fn is_paper(&self) -> bool {
        self.name.ends_with(PAPER)
    }

    pub(super) fn is_preset(&self) -> bool {
        PRESETS.contains(&self.name.as_str())
    }
}

/// One line for each explanation: presets, then by passes, controls last.
pub(super) fn lines(rows: &[Row]) -> Vec<Line> {
    let mut by: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| by.entry(&row.name).or_default().push(row));
    let mut lines: Vec<_> = by
        .into_iter()
        .map(|(name, rows)| Line {
            name: name.to_owned(),
            control: rows[0].control,
            items: rows.len(),
            passes: mean(rows.iter().map(|row| row.passes)).unwrap_or_default(),
            means: FIGURES.iter().map(|(_, figure)| over_families(&rows, figure)).collect(),
        })
        .collect();
    lines.sort_by(|a, b| {
        let place = |line: &Line| (line.control, !line.is_preset());
        place(a).cmp(&place(b)).then(a.passes.total_cmp(&b.passes))
    });
    lines
}

/// The mean over the families of each family's mean: a family of large masks would otherwise outweigh the others.
fn over_families(rows: &[&Row], figure: &str) -> Option<f64> {
    mean(FAMILIES.iter().filter_map(|family| in_family(rows, family, figure)))
}

fn in_family(rows: &[&Row], family: &str, figure: &str) -> Option<f64> {
    mean(rows.iter().filter(|row| row.family == family).filter_map(|row| row.figures.get(figure).copied()))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    values.for_each(|value| {
        sum += value;
        count += 1.0;
    });
    (count > 0.0).then(|| sum / count)
}

/// The whole page.
pub(super) fn page(rows: &[Row], fakes: u32) -> String {
    let items = rows.iter().map(|row| (&row.family, &row.item)).collect::<BTreeSet<_>>();
    let of = |family: &str| format!("{} {family}", items.iter().filter(|(own, _)| *own == family).count());
    let (items, each) = (items.len(), FAMILIES.map(of).join(", "));
    let left =
        if items < FAMILIES.len() * fakes as usize { "; the others have not been run yet" } else { "" };
    let mut text = format!(
        "# What each explanation finds, and what it costs\n\n\
         Written by `cargo xtask frontier` from the rows in [frontier.csv](frontier.csv), one for each explanation of each picture.\n\n\
         ```sh\npython models/training/evalset.py --faces DIR --out EVALSET   # see models/training/README.md\n\
         cargo xtask frontier --evalset EVALSET --fakes {fakes}\n```\n\n\
         {items} fakes of people whom the detector never saw ({each}): of each family the first {fakes} that it calls fake{left}. The \
         plans are [tests/frontier](../tests/frontier).\n\n\
         * **passes**: forward passes of the explanation and of the search for its fill, picture and fill scored once; the mean over \
         the fakes.\n\
         * **AUROC** of the pixels' ranking against the exact mask, **IoU** of as many of the highest pixels as the mask has, \
         **pointing**: whether the highest pixel lies inside.\n\
         * **sufficiency** at k = 3 (arXiv 2404.18649): how far the probability of the decision falls when the three best of about fifty \
         SLIC regions are attacked within 16 levels, in at most 200 passes; higher is better.\n\
         * **deletion** (arXiv 1806.07421): area under the probability of the decision while the highest pixels are replaced by an \
         adversarial sample that no explanation here has as its fill; lower is better.\n\n\
         Every figure is the mean over the families of each family's mean. The controls have seen neither picture nor detector: where \
         the centred Gaussian does well, masks lie in the middle.\n\n![AUROC against passes](frontier.svg)\n\n"
    );
    let lines = lines(rows);
    let figures: Vec<_> = FIGURES.iter().map(|(title, _)| *title).collect();
    let _ = writeln!(text, "| explanation | fakes | passes | {} |", figures.join(" | "));
    let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(figures.len()));
    for line in &lines {
        let bold = if line.is_preset() { "**" } else { "" };
        let means: Vec<_> = line.means.iter().map(|mean| three(*mean)).collect();
        let _ = writeln!(
            text,
            "| {bold}{}{bold} | {} | {:.0} | {} |",
            line.name,
            line.items,
            line.passes,
            means.join(" | ")
        );
    }
    best(&mut text, &lines);
    families(&mut text, rows, &lines);
    text
}

/// The best of the paper's variants by each figure, beside the presets.
fn best(text: &mut String, lines: &[Line]) {
    let _ = write!(text, "\n## The presets beside the best of the paper's eight variants\n\n");
    let presets: Vec<_> = lines.iter().filter(|line| line.is_preset()).collect();
    let names: Vec<_> = presets.iter().map(|line| line.name.as_str()).collect();
    let _ = writeln!(text, "| figure | best of the paper's | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|---|{}", "---|".repeat(names.len()));
    for (i, (title, figure)) in FIGURES.iter().enumerate() {
        let sign = if *figure == "deletion" { -1.0 } else { 1.0 };
        let of = |line: &&Line| sign * line.means[i].unwrap_or(f64::NEG_INFINITY * sign);
        let best = lines.iter().filter(|line| line.is_paper()).max_by(|a, b| of(a).total_cmp(&of(b)));
        let best =
            best.map_or("none yet".to_owned(), |line| format!("{} ({})", three(line.means[i]), line.name));
        let own: Vec<_> = presets.iter().map(|line| three(line.means[i])).collect();
        let _ = writeln!(text, "| {title} | {best} | {} |", own.join(" | "));
    }
}

/// AUROC and IoU of each family.
fn families(text: &mut String, rows: &[Row], lines: &[Line]) {
    let _ = write!(text, "\n## By family: AUROC / IoU\n\n");
    let _ = writeln!(text, "| explanation | {} |", FAMILIES.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(FAMILIES.len()));
    for line in lines {
        let own: Vec<_> = rows.iter().filter(|row| row.name == line.name).collect();
        let cell = |family: &&str| {
            format!("{} / {}", three(in_family(&own, family, "auroc")), three(in_family(&own, family, "iou")))
        };
        let cells: Vec<_> = FAMILIES.iter().map(cell).collect();
        let _ = writeln!(text, "| {} | {} |", line.name, cells.join(" | "));
    }
}

fn three(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.3}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, family: &str, auroc: f64, deletion: f64, passes: f64) -> Row {
        let figures = [("auroc".to_owned(), auroc), ("deletion".to_owned(), deletion)].into();
        Row { item: family.into(), family: family.into(), name: name.into(), control: false, passes, figures }
    }

    #[test]
    fn families_count_alike_and_presets_stand_first() {
        let rows = [
            row("rise (paper)", "mouth", 0.5, 0.3, 4000.0),
            row("rise (paper)", "mouth", 0.7, 0.3, 4000.0),
            row("rise (paper)", "eyes", 1.0, 0.3, 4000.0),
            row("sobol (paper)", "eyes", 0.9, 0.1, 2000.0),
            row("balanced", "eyes", 0.95, 0.2, 300.0),
        ];
        let lines = lines(&rows);
        let names: Vec<_> = lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["balanced", "sobol (paper)", "rise (paper)"]);
        assert!((lines[2].means[0].unwrap_or_default() - 0.8).abs() < 1e-12);
        let page = page(&rows, 2);
        assert!(page.contains("| AUROC | 0.900 (sobol (paper)) | 0.950 |"), "{page}");
        assert!(page.contains("| deletion | 0.100 (sobol (paper)) | 0.200 |"), "{page}");
        assert!(page.contains("| rise (paper) | 0.600 /  | 1.000 /  |"), "{page}");
    }
}
