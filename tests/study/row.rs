//! One explanation, measured: a line of the study's file.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use unmask_explainer::metrics::{auroc, iou, pointing_game};
use unmask_tests::above_mean;

use unmask_tests::evalset::Item;

/// What was measured of one map.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) item: String,
    pub(crate) family: String,
    pub(crate) method: String,
    pub(crate) fill: String,
    /// Passes of the method as announced, which tells a short study from a long one.
    pub(crate) announced: u64,
    pub(crate) seed: u64,
    /// Name, version and digest; empty where none was asked.
    pub(crate) model: String,
    /// `None` where the mask is empty or full.
    pub(crate) auroc: Option<f64>,
    pub(crate) iou: f64,
    pub(crate) mass: f64,
    pub(crate) hit: bool,
    /// Passes run for this row, the search left out.
    pub(crate) passes: u64,
    pub(crate) seconds: f64,
    /// Passes of the search that this row paid for, which are in its seconds; `None` where it was not recorded.
    #[serde(default)]
    pub(crate) paid: Option<u64>,
    pub(crate) search: Option<Search>,
}

/// What the search for the fill came to.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Search {
    pub(crate) flipped: bool,
    pub(crate) passes: u64,
    pub(crate) margin_before: f64,
    pub(crate) margin_after: f64,
    pub(crate) largest_change: f64,
    pub(crate) mean_change: f64,
}

impl Row {
    /// A row without figures.
    pub(crate) fn new(item: &Item, method: &str, fill: &str, seed: u64) -> Self {
        Self {
            item: item.id.clone(),
            family: item.family.clone(),
            method: method.into(),
            fill: fill.into(),
            announced: 0,
            seed,
            model: String::new(),
            auroc: None,
            iou: 0.0,
            mass: 0.0,
            hit: false,
            passes: 0,
            seconds: 0.0,
            paid: Some(0),
            search: None,
        }
    }

    /// Puts the figures of a map against a mask.
    pub(crate) fn measure(&mut self, values: &[f32], mask: &[bool]) {
        self.auroc = auroc::area(values, mask);
        self.iou = iou::overlap(values, mask, 0.0);
        self.mass = above_mean(values, mask);
        // Without tolerance the width of the rows plays no part.
        self.hit = pointing_game::hit(values, mask, values.len().max(1), 0);
    }

    /// The method's own time; `None` where a search is in it, or may be.
    pub(crate) fn own_seconds(&self) -> Option<f64> {
        (self.search.is_none() || self.paid == Some(0)).then_some(self.seconds)
    }

    /// What makes a row another row.
    fn key(&self) -> String {
        let Self { item, method, fill, announced, seed, model, .. } = self;
        format!("{item}|{method}|{fill}|{announced}|{seed}|{model}")
    }
}

/// The study's file. Rows are kept: what is there is not run again.
pub(crate) struct Rows {
    path: PathBuf,
    done: BTreeSet<String>,
    pub(crate) rows: Vec<Row>,
}

impl Rows {
    /// Reads what is there. A last line that was cut off is dropped; any other line that cannot be read is an error, because
    /// a file of hours is not thrown away for it.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).context(format!("cannot read {}", path.display())),
        };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            std::fs::write(path, &text[..whole])?;
        }
        let mut rows: Vec<Row> = Vec::new();
        for (number, line) in text[..whole].lines().enumerate() {
            let place = || format!("line {} of {}", number + 1, path.display());
            rows.push(serde_json::from_str(line).with_context(place)?);
        }
        let models: BTreeSet<&str> =
            rows.iter().map(|r| r.model.as_str()).filter(|m| !m.is_empty()).collect();
        ensure!(
            models.len() < 2,
            "{} has rows of several models, keep a file for each: {models:?}",
            path.display()
        );
        let done = rows.iter().map(Row::key).collect();
        Ok(Self { path: path.to_owned(), done, rows })
    }

    /// Refuses a file that has rows of another model.
    pub(crate) fn are_of(&self, model: &str) -> anyhow::Result<()> {
        let other = self.rows.iter().find(|r| !r.model.is_empty() && r.model != model);
        match other {
            None => Ok(()),
            Some(row) => anyhow::bail!(
                "{} has rows of {}, the model that is served is {model}; give --rows another file",
                self.path.display(),
                row.model
            ),
        }
    }

    pub(crate) fn has(&self, row: &Row) -> bool {
        self.done.contains(&row.key())
    }

    pub(crate) fn push(&mut self, row: Row) -> anyhow::Result<()> {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.path)?;
        writeln!(file, "{}", serde_json::to_string(&row)?)?;
        self.done.insert(row.key());
        self.rows.push(row);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item {
        Item { id: "mouth-000".into(), family: "mouth".into(), number: 3, ..Item::default() }
    }

    fn row(model: &str) -> Row {
        Row { model: model.into(), announced: 2000, ..Row::new(&item(), "rise", "original", 1) }
    }

    #[test]
    fn rows_are_kept_and_a_cut_off_last_line_is_run_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        Rows::open(&path).unwrap().push(row("a")).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{{\"item\":\"mo")).unwrap();
        let rows = Rows::open(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        assert!(rows.has(&row("a")));
        assert!(!rows.has(&Row { announced: 4000, ..row("a") }) && !rows.has(&Row { seed: 2, ..row("a") }));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_an_error_and_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        std::fs::write(&path, "{\"item\":1}\n").unwrap();
        let error = Rows::open(&path).err().unwrap();
        assert!(format!("{error:#}").starts_with("line 1 of "), "{error:#}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"item\":1}\n");
    }

    #[test]
    fn one_file_holds_rows_of_one_model() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        let mut rows = Rows::open(&path).unwrap();
        rows.push(row("a")).unwrap();
        rows.push(row("")).unwrap();
        assert!(rows.are_of("a").is_ok() && rows.are_of("b").is_err());
        rows.push(row("b")).unwrap();
        assert!(Rows::open(&path).is_err());
    }

    #[test]
    fn seconds_that_a_search_may_be_in_are_not_the_methods_own() {
        let search = Search {
            flipped: true,
            passes: 82,
            margin_before: 1.0,
            margin_after: -1.0,
            largest_change: 1.0,
            mean_change: 1.0,
        };
        let over = |paid| Row { seconds: 2.0, paid, search: Some(search.clone()), ..row("a") };
        assert_eq!(over(Some(0)).own_seconds(), Some(2.0));
        assert_eq!((over(Some(82)).own_seconds(), over(None).own_seconds()), (None, None));
        assert_eq!(Row { seconds: 2.0, paid: None, ..row("a") }.own_seconds(), Some(2.0));
    }
}
