//! The rows as Markdown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::CALLED_REAL;
use crate::arms::{ALONE, FILLS, METHODS};
use crate::row::{Row, Search};
use crate::settings::{self, SETTING};
use unmask_tests::evalset::FAMILIES;

const CONTROLS: [&str; 3] = ["centred Gaussian", "uniform", "random"];

/// The whole report.
pub(crate) fn report(rows: &[Row]) -> String {
    let mut text = String::from(
        "# Which method over which fill finds what was manipulated\n\n\
         Written by `cargo xtask study` from the rows that it keeps in `target/study/rows.jsonl`.\n\n",
    );
    let apart = [ALONE, CALLED_REAL, SETTING];
    let studied: Vec<&Row> = rows.iter().filter(|r| !apart.contains(&r.method.as_str())).collect();
    let judged: Vec<&Row> = rows.iter().filter(|r| r.method == SETTING).collect();
    let alone: Vec<&Row> = rows.iter().filter(|r| r.method == ALONE).collect();
    let over: Vec<&Row> = rows.iter().filter(|r| r.method == CALLED_REAL).collect();
    let items = |rows: &[&Row]| rows.iter().map(|r| r.item.clone()).collect::<BTreeSet<_>>();
    let flipped_all = items(&alone).difference(&items(&studied)).next().is_some();
    commands(&mut text, &studied, flipped_all, &judged);
    if !studied.is_empty() {
        about(&mut text, &studied, &over);
        text += "\n## All families\n\n";
        table(&mut text, &studied, None);
        for family in FAMILIES {
            let _ = write!(text, "\n## {family}\n\n");
            table(&mut text, &studied, Some(family));
        }
        text += "\n## The adversarial samples of these fakes\n\n";
        flips(&mut text, &studied);
    }
    if flipped_all {
        let of = |family: &str| over.iter().filter(|r| r.family == family).count();
        let real: Vec<String> = FAMILIES.iter().map(|f| format!("{} {f}", of(f))).collect();
        let _ = write!(
            text,
            "\n## The bounded search on every fake of the set that is called fake\n\n\
             Called real and passed over: {}.\n\n",
            real.join(", ")
        );
        flips(&mut text, &alone.into_iter().filter(|r| r.fill == "adversarial").collect::<Vec<_>>());
    }
    if !judged.is_empty() {
        text += "\n## Settings of the bounded search\n\nEach differs from the defaults in one thing. ";
        settings::table(&mut text, &judged);
    }
    text
}

/// What remakes the rows.
fn commands(text: &mut String, studied: &[&Row], flips: bool, judged: &[&Row]) {
    *text += "```sh\npython models/training/evalset.py --faces DIR --out EVALSET   # see models/training/README.md\n";
    let most = |rows: &[&Row]| FAMILIES.iter().map(|family| fakes(rows, family).len()).max().unwrap_or(0);
    // LIME's number says which share of the paper's 2000 it is.
    let lime = studied.iter().filter(|r| r.method == METHODS[0]).map(|r| r.announced);
    for announced in lime.collect::<BTreeSet<_>>() {
        let share = announced as f64 / 2000.0;
        let _ =
            writeln!(text, "cargo xtask study --evalset EVALSET --fakes {} --share {share}", most(studied));
    }
    if flips {
        *text += "cargo xtask study --evalset EVALSET --flips\n";
    }
    if !judged.is_empty() {
        let _ = writeln!(text, "cargo xtask study --evalset EVALSET --fakes {} --settings", most(judged));
    }
    *text += "```\n\n";
}

/// The fakes of a family, in list order.
fn fakes<'a>(rows: &[&'a Row], family: &str) -> BTreeSet<&'a str> {
    rows.iter().filter(|r| r.family == family).map(|r| r.item.as_str()).collect()
}

fn about(text: &mut String, rows: &[&Row], over: &[&Row]) {
    let mut counts = Vec::new();
    for family in FAMILIES {
        let fakes = fakes(rows, family);
        // A search on the whole set notes more than those before the last that is studied.
        let before =
            |r: &&&Row| r.family == family && fakes.last().is_some_and(|last| r.item.as_str() < *last);
        counts.push(format!("{} {family} ({})", fakes.len(), over.iter().filter(before).count()));
    }
    let models: BTreeSet<&str> = rows.iter().map(|r| r.model.as_str()).filter(|m| !m.is_empty()).collect();
    let seeds: BTreeSet<u64> = rows.iter().filter(|r| !r.model.is_empty()).map(|r| r.seed).collect();
    let _ = writeln!(
        text,
        "Model {}, seed {}. Fakes of each family: {}; the first in list order that the detector calls fake, none \
         skipped; in brackets how many before the last are called real and passed over.\n\n\
         Maps explain the predicted class and are held against the exact mask: **AUROC** of the pixels' ranking, **IoU** of \
         as many of the highest pixels as the mask has, **mass**: share inside the mask of the positive part of the map less \
         its own mean, **hit**: whether the highest pixel lies inside. These and the passes are means; passes are those of \
         the method, the picture and the fill. Seconds are the median of the rows that paid for no search and depend on \
         what else the machine did. Searches have a table of their own.\n\n\
         \"classic\" is a method's own fill: the mean colour of the segment for LIME and Kernel SHAP, a box blur for \
         Partition SHAP, 0 in the model's units for SOBOL and RISE, the mean colour of the picture for occlusion. \
         \"grey\" is 127.5 of 255. \"original\" is the untouched picture, which nobody has outside of such a set. A method marked \"paper\" runs under \
         that preset. The controls have seen neither picture nor detector: where a centred Gaussian does well, the masks \
         lie in the middle.",
        models.into_iter().collect::<Vec<_>>().join(", "),
        seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        counts.join(", ")
    );
}

fn table(text: &mut String, rows: &[&Row], family: Option<&str>) {
    *text += "| method | fill | fakes | AUROC | IoU | mass | hit | passes | seconds |\n\
              |---|---|---|---|---|---|---|---|---|\n";
    // Rows of a short study and of a long one are lines of their own.
    let mut lines: BTreeMap<(&str, &str, u64), Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|r| family.is_none_or(|f| r.family == f)) {
        lines.entry((&row.method, &row.fill, row.announced)).or_default().push(row);
    }
    let order = METHODS.iter().flat_map(|method| FILLS.map(|fill| (*method, fill)));
    for (method, fill) in order.chain(CONTROLS.map(|control| (control, "none"))) {
        for rows in lines.range((method, fill, 0)..=(method, fill, u64::MAX)).map(|(_, rows)| rows) {
            line(text, method, fill, rows);
        }
    }
}

fn line(text: &mut String, method: &str, fill: &str, rows: &[&Row]) {
    let mean = |of: &dyn Fn(&Row) -> f64| rows.iter().map(|r| of(r)).sum::<f64>() / rows.len() as f64;
    let aurocs: Vec<f64> = rows.iter().filter_map(|r| r.auroc).collect();
    let seconds = median(rows.iter().filter_map(|r| r.own_seconds()).collect());
    let _ = writeln!(
        text,
        "| {method} | {fill} | {} | {:.3} | {:.3} | {:.3} | {:.2} | {:.0} | {} |",
        rows.len(),
        aurocs.iter().sum::<f64>() / aurocs.len() as f64,
        mean(&|r| r.iou),
        mean(&|r| r.mass),
        mean(&|r| f64::from(u8::from(r.hit))),
        mean(&|r| r.passes as f64),
        seconds.map_or_else(String::new, |s| format!("{s:.2}")),
    );
}

/// What the searches of these rows came to, each picture once.
fn flips(text: &mut String, rows: &[&Row]) {
    *text += "| search | family | fakes | flipped | median passes | mean passes | largest change of 255 | mean change |\n\
              |---|---|---|---|---|---|---|---|\n";
    for fill in FILLS {
        for family in FAMILIES.into_iter().map(Some).chain([None]) {
            let own = rows.iter().filter(|r| r.fill == fill && family.is_none_or(|f| r.family == f));
            let own: BTreeMap<&str, &Search> =
                own.filter_map(|r| Some((r.item.as_str(), r.search.as_ref()?))).collect();
            let Some(median) = median(own.values().map(|s| s.passes as f64).collect()) else { continue };
            let count = own.len() as f64;
            let _ = writeln!(
                text,
                "| {fill} | {} | {} | {:.1} % | {median:.0} | {:.0} | {:.1} | {:.1} |",
                family.unwrap_or("all"),
                own.len(),
                100.0 * own.values().filter(|s| s.flipped).count() as f64 / count,
                own.values().map(|s| s.passes as f64).sum::<f64>() / count,
                own.values().map(|s| s.largest_change).fold(0.0, f64::max),
                own.values().map(|s| s.mean_change).sum::<f64>() / count,
            );
        }
    }
}

/// The middle of some values.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some((values[last / 2] + values[values.len() / 2]) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use unmask_tests::evalset::Item;

    fn row(id: &str, method: &str, fill: &str) -> Row {
        let (id, family) = (id.to_owned(), id.split('-').next().unwrap().to_owned());
        let item = Item { id, family, ..Item::default() };
        Row { auroc: Some(0.5), model: "m@1".into(), ..Row::new(&item, method, fill, 1) }
    }

    fn studied() -> Vec<Row> {
        let measured = |id, announced, auroc, seconds| Row {
            announced,
            auroc: Some(auroc),
            seconds,
            ..row(id, "lime (paper)", "classic")
        };
        vec![
            measured("mouth-001", 1000, 0.75, 1.0),
            measured("mouth-003", 1000, 0.25, 462.0),
            measured("eyes-000", 1000, 0.8, 2.0),
            measured("mouth-001", 2000, 0.9, 4.0),
            row("mouth-000", CALLED_REAL, "none"),
            row("mouth-007", CALLED_REAL, "none"),
        ]
    }

    #[test]
    fn short_and_long_studies_are_never_averaged_together() {
        let text = report(&studied());
        assert!(text.contains("| lime (paper) | classic | 3 | 0.600 |"), "{text}");
        assert!(text.contains("| lime (paper) | classic | 1 | 0.900 |"), "{text}");
        assert!(text.contains("--fakes 2 --share 0.5\n") && text.contains("--fakes 2 --share 1\n"), "{text}");
    }

    #[test]
    fn seconds_are_a_median_so_that_a_pause_of_the_machine_does_not_count() {
        let text = report(&studied());
        assert!(text.contains("| 0.600 | 0.000 | 0.000 | 0.00 | 0 | 2.00 |"), "{text}");
    }

    #[test]
    fn those_before_the_last_that_are_called_real_are_told() {
        let text = report(&studied());
        assert!(text.contains("2 mouth (1), 1 eyes (0), 0 blend (0), 0 swap (0)"), "{text}");
    }

    #[test]
    fn each_picture_counts_once_among_the_searches() {
        let search = |flipped, passes| {
            let (margin_before, margin_after) = (1.0, -1.0);
            Some(Search {
                flipped,
                passes,
                margin_before,
                margin_after,
                largest_change: 3.0,
                mean_change: 1.0,
            })
        };
        let over = |id, search| Row { search, ..row(id, "rise", "adversarial") };
        let rows = [
            over("eyes-000", search(true, 22)),
            over("eyes-000", search(true, 22)),
            over("eyes-001", search(false, 2000)),
        ];
        let text = report(&rows);
        assert!(text.contains("| adversarial | eyes | 2 | 50.0 % | 1011 | 1011 | 3.0 | 1.0 |"), "{text}");
        assert!(!text.contains("every fake of the set"), "{text}");
    }

    #[test]
    fn the_whole_sets_searches_are_told_only_where_they_were_run() {
        let mut rows = studied();
        let alone = |id| row(id, ALONE, "adversarial");
        rows.extend([alone("mouth-001"), alone("mouth-003"), alone("eyes-000")]);
        assert!(!report(&rows).contains("every fake of the set"));
        rows.push(alone("swap-050"));
        assert!(report(&rows).contains("every fake of the set"));
    }
}
