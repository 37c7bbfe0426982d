//! The rows that `unmask evaluate` keeps, as the figures that are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value as Json;

/// What is compared, as it is named in the tables, with the name of its figure.
pub(super) const FIGURES: [(&str, &str); 5] = [
    ("AUROC", "auroc"),
    ("IoU", "iou"),
    ("pointing", "pointing_game"),
    ("sufficiency", "sufficiency_3"),
    ("deletion", "deletion"),
];

/// An explanation of one picture.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) item: String,
    pub(super) family: String,
    pub(super) name: String,
    pub(super) control: bool,
    /// Passes of explanation and fill.
    pub(super) passes: f64,
    /// By the name of the figure; what is not there has no value.
    pub(super) figures: BTreeMap<String, f64>,
}

/// All explanations in a file. A line that is cut off is left out: it is run again.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Row>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut rows = Vec::new();
    for line in text.lines() {
        let Ok(json) = serde_json::from_str::<Json>(line) else { continue };
        let word = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        // The first line is the plan, and an item that failed has no answer.
        for evaluated in json["answer"]["evaluated"].as_array().into_iter().flatten() {
            let figures = evaluated["results"].as_array().into_iter().flatten();
            let figures = figures.flat_map(|result| result["figures"].as_array().into_iter().flatten());
            rows.push(Row {
                item: word("id"),
                family: word("family"),
                name: evaluated["name"].as_str().unwrap_or_default().to_owned(),
                control: evaluated["control"].as_bool().unwrap_or_default(),
                passes: number(&evaluated["used"]).unwrap_or_default(),
                figures: figures
                    .filter_map(|f| Some((f["name"].as_str()?.to_owned(), number(&f["value"])?)))
                    .collect(),
            });
        }
    }
    Ok(rows)
}

/// The rows of those fakes that every plan has, so that all explanations are compared on the same ones.
pub(super) fn of_all(plans: Vec<Vec<Row>>) -> Vec<Row> {
    let items = |rows: &[Row]| rows.iter().map(|row| row.item.clone()).collect::<BTreeSet<_>>();
    let common = plans.iter().map(|rows| items(rows)).reduce(|a, b| &a & &b).unwrap_or_default();
    plans.into_iter().flatten().filter(|row| common.contains(&row.item)).collect()
}

/// Protobuf's JSON writes whole numbers of 64 bits as text.
fn number(json: &Json) -> Option<f64> {
    json.as_f64().or_else(|| json.as_str()?.parse().ok())
}

/// One line each, so that every table can be made again without a forward pass.
pub(super) fn csv(rows: &[Row]) -> String {
    let mut text = "item,family,explanation,passes".to_owned();
    FIGURES.iter().for_each(|(_, figure)| {
        let _ = write!(text, ",{figure}");
    });
    for row in rows {
        let _ = write!(text, "\n{},{},{},{}", row.item, row.family, row.name, row.passes);
        for (_, figure) in FIGURES {
            let value = row.figures.get(figure).map(|value| format!("{value:.5}")).unwrap_or_default();
            let _ = write!(text, ",{value}");
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_kept_and_one_that_is_cut_off_is_left_out() -> anyhow::Result<()> {
        let line = r#"{"id":"eyes-001","family":"eyes","answer":{"evaluated":[
            {"name":"fast","used":"131","results":[{"figures":[{"name":"auroc","value":0.9},{"name":"iou"}]}]},
            {"name":"uniform","control":true,"results":[]}]}}"#;
        let path = std::env::temp_dir().join(format!("unmask-frontier-{}.jsonl", std::process::id()));
        std::fs::write(&path, format!("{{\"plan\":{{}}}}\n{}\n{{\"id\":\"eyes-0", line.replace('\n', "")))?;
        let rows = read(&path)?;
        std::fs::remove_file(&path)?;
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (rows[0].passes, rows[0].figures["auroc"], rows[0].figures.get("iou")),
            (131.0, 0.9, None)
        );
        assert!(rows[1].control && !rows[0].control);
        let mut other = rows[0].clone();
        other.item = "eyes-002".into();
        let both = of_all(vec![rows.clone(), vec![rows[0].clone(), other]]);
        assert_eq!(both.len(), 3, "eyes-002 is not in both");
        let text = csv(&rows);
        assert_eq!(text.lines().nth(1), Some("eyes-001,eyes,fast,131,0.90000,,,,"));
        Ok(())
    }
}
