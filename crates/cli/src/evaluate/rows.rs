//! The rows of a run: a head line that says of which plan, model and version they are, then a row a line, kept as it comes,
//! with a digest of what it is of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value as Json;
use unmask_protocol::v1;

use super::differs::differences;
use super::items::Item;
use crate::fields;

/// Rows by their item.
pub(super) struct Rows {
    path: PathBuf,
    file: File,
    rows: BTreeMap<String, Kept>,
}

/// A row, and the digest of its picture, mask and crop.
#[derive(Clone)]
struct Kept {
    row: v1::DatasetRow,
    input: String,
}

/// The key of the digest in a row's line.
const INPUT: &str = "input";

impl Rows {
    /// Reads what is there. A last line that was cut off is dropped; rows that failed are run again, and so are those whose
    /// item the list has with another picture, mask, crop, family or label by now.
    pub(super) fn open(path: &Path, header: &Json, list: &[Item]) -> anyhow::Result<Self> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).context(format!("cannot read {}", path.display())),
        };
        let whole = &bytes[..bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)];
        let whole = std::str::from_utf8(whole).with_context(|| format!("cannot read {}", path.display()))?;
        // A head line without rows binds nothing.
        let whole = if whole.lines().count() > 1 { whole } else { "" };
        let mut lines = whole.lines().enumerate();
        if let Some((_, first)) = lines.next() {
            let found: Json =
                serde_json::from_str(first).with_context(|| format!("line 1 of {}", path.display()))?;
            for (part, of) in [("model", "model"), ("plan", "plan"), ("unmask", "version")] {
                if found[part] != header[part] {
                    let what = differences(part, &found[part], &header[part]);
                    bail!("{} has rows of another {of}: {what}; give --out another folder", path.display());
                }
            }
        }
        let mut rows = BTreeMap::new();
        for (i, line) in lines {
            let place = || format!("line {} of {}", i + 1, path.display());
            let mut json: Json = serde_json::from_str(line).with_context(place)?;
            let input = json.as_object_mut().and_then(|row| row.remove(INPUT)).unwrap_or_default();
            let input = input.as_str().unwrap_or_default().to_owned();
            let row: v1::DatasetRow = fields::message("DatasetRow", &json).with_context(place)?;
            rows.insert(row.id.clone(), Kept { row, input });
        }
        rows.retain(|_, kept| super::failure(&kept.row).is_none());
        for item in list {
            if rows.get(&item.id).is_some_and(|kept| !item.is_of(&kept.row) || item.input() != kept.input) {
                rows.remove(&item.id);
            }
        }
        let mut file = File::options().create(true).truncate(false).write(true).open(path)?;
        file.set_len(whole.len() as u64)?;
        std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0))?;
        if whole.is_empty() {
            writeln!(file, "{header}")?;
        }
        Ok(Self { path: path.to_owned(), file, rows })
    }

    /// The row of an item that needs not be run.
    pub(super) fn get(&self, id: &str) -> Option<&v1::DatasetRow> {
        self.rows.get(id).map(|kept| &kept.row)
    }

    /// Keeps a row that is not there yet, with its item's digest.
    pub(super) fn keep(
        &mut self,
        row: &v1::DatasetRow,
        input: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        if self.rows.contains_key(&row.id) {
            return Ok(());
        }
        let kept = Kept { row: row.clone(), input: input() };
        let line = kept.line()?;
        let cannot = || format!("cannot write {}", self.path.display());
        // In one piece, so that a run that is killed leaves whole lines and at most one cut off.
        self.file.write_all(line.as_bytes()).with_context(cannot)?;
        self.rows.insert(row.id.clone(), kept);
        Ok(())
    }

    /// Puts the rows into the list's order, each once, whatever the order in which they came over several runs; rows of items
    /// that this list does not have follow and are kept for another.
    pub(super) fn finish(&self, header: &Json, list: &[Item]) -> anyhow::Result<()> {
        let mut text = format!("{header}\n");
        let listed: BTreeSet<&str> = list.iter().map(|item| item.id.as_str()).collect();
        let others = self.rows.values().filter(|kept| !listed.contains(kept.row.id.as_str()));
        for kept in list.iter().filter_map(|item| self.rows.get(&item.id)).chain(others) {
            text += &kept.line()?;
        }
        super::report::put(&self.path, &text)
    }

    /// The items that failed, with the reason, in the list's order.
    pub(super) fn failures(&self, list: &[Item]) -> Vec<(String, String)> {
        let reason = |item: &Item| {
            let failure = super::failure(self.get(&item.id)?)?;
            Some((item.id.clone(), format!("{} ({})", failure.message, failure.code)))
        };
        list.iter().filter_map(reason).collect()
    }
}

impl Kept {
    fn line(&self) -> anyhow::Result<String> {
        let mut json = fields::json("DatasetRow", &self.row)?;
        json[INPUT] = self.input.as_str().into();
        Ok(json.to_string() + "\n")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use unmask_protocol::v1::dataset_row::Kind;

    use super::*;

    fn row(id: &str, value: Option<f64>) -> v1::DatasetRow {
        let missing = if value.is_some() { String::new() } else { "the map is flat".into() };
        let figure = v1::Figure { name: "x".into(), value, better: 1, missing };
        let curve = v1::Curve { name: "c".into(), x: vec![0.0, 0.1 + 0.2], y: vec![-0.0, 1.0 / 3.0] };
        let (figures, curves) = (vec![figure], vec![curve]);
        let result = v1::Result {
            metric: "x".into(),
            figures,
            curves,
            announced: u64::MAX,
            run: 3,
            ..Default::default()
        };
        let evaluated = v1::Evaluated { name: "a".into(), results: vec![result], ..Default::default() };
        let score = v1::ClassScore { label: "\u{fc}".into(), logit: 0.1, probability: 0.1 };
        let prediction = Some(v1::Prediction { scores: vec![score], ..Default::default() });
        let answer = v1::EvaluateResponse { evaluated: vec![evaluated], prediction, ..Default::default() };
        v1::DatasetRow { id: id.into(), kind: Some(Kind::Answer(answer)), ..Default::default() }
    }

    fn failed(id: &str) -> v1::DatasetRow {
        let failure = v1::DatasetFailure { code: "X".into(), message: "y".into() };
        v1::DatasetRow { kind: Some(Kind::Failure(failure)), ..row(id, None) }
    }

    fn header() -> Json {
        json!({ "plan": { "seed": 1 }, "model": "m" })
    }

    fn ids(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        let ids = text.lines().skip(1).map(|line| serde_json::from_str::<Json>(line).unwrap()["id"].clone());
        ids.map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn rows_are_kept_to_the_last_bit_and_a_cut_off_line_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        // Numbers that a careless reader gets wrong in the last bit, and none.
        let numbers = [
            0.1 + 0.2,
            1.0 / 3.0,
            5e-324,
            f64::MAX,
            2.225_073_858_507_201e-308,
            123_456_789.123_456_78,
            -0.0,
        ];
        let values: Vec<_> = numbers.into_iter().map(Some).chain([None]).collect();
        let mut rows = Rows::open(&path, &header(), &[]).unwrap();
        for (i, value) in values.iter().enumerate() {
            rows.keep(&row(&i.to_string(), *value), String::new).unwrap();
        }
        rows.keep(&failed("bad"), String::new).unwrap();
        let whole = std::fs::read(&path).unwrap();
        // The last byte is the first half of a letter.
        std::fs::write(&path, [&whole[..], b"{\"id\":\"\xc3"].concat()).unwrap();
        let again = Rows::open(&path, &header(), &[]).unwrap();
        for (i, value) in values.iter().enumerate() {
            assert_eq!(again.get(&i.to_string()), Some(&row(&i.to_string(), *value)));
        }
        assert!(again.get("bad").is_none(), "what failed is run again");
        assert!(std::fs::read(&path).unwrap() == whole);
    }

    #[test]
    fn rows_of_another_plan_or_model_are_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        Rows::open(&path, &header(), &[]).unwrap().keep(&row("a", None), String::new).unwrap();
        let before = std::fs::read(&path).unwrap();
        for (other, words) in [
            (
                json!({ "plan": { "seed": 2 }, "model": "m" }),
                "another plan: plan.seed is 1 there and 2 here;",
            ),
            (
                json!({ "plan": { "seed": 1 }, "model": "m", "unmask": "9" }),
                "another version: unmask is not given there and \"9\" here;",
            ),
            (
                json!({ "plan": { "seed": 1 }, "model": "n" }),
                "another model: model is \"m\" there and \"n\" here;",
            ),
        ] {
            let error = Rows::open(&path, &other, &[]).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(std::fs::read(&path).unwrap() == before);
    }

    #[test]
    fn a_head_line_without_rows_binds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        drop(Rows::open(&path, &json!({ "plan": 7, "model": "m" }), &[]).unwrap());
        Rows::open(&path, &header(), &[]).unwrap().keep(&row("a", None), String::new).unwrap();
        assert!(Rows::open(&path, &header(), &[]).unwrap().get("a").is_some());
    }

    #[test]
    fn rows_of_items_that_a_shorter_list_leaves_out_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        let mut rows = Rows::open(&path, &header(), &[]).unwrap();
        for id in ["b", "c", "a"] {
            rows.keep(&row(id, Some(1.0)), String::new).unwrap();
        }
        rows.finish(&header(), &[Item::named("c")]).unwrap();
        assert_eq!(ids(&path), ["c", "a", "b"]);
    }

    #[test]
    fn an_item_that_has_another_label_or_picture_by_now_is_run_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        let mut rows = Rows::open(&path, &header(), &[]).unwrap();
        let input = || Item::named("").input();
        rows.keep(&row("a", Some(1.0)), input).unwrap();
        rows.keep(&row("b", Some(1.0)), input).unwrap();
        rows.keep(&row("c", Some(1.0)), || "of another picture".into()).unwrap();
        let mut list = ["a", "b", "c"].map(Item::named);
        list[1].label = "mouth".into();
        let mut rows = Rows::open(&path, &header(), &list).unwrap();
        assert!(rows.get("a").is_some() && rows.get("b").is_none() && rows.get("c").is_none());
        let again = v1::DatasetRow { label: "mouth".into(), family: "mouth".into(), ..row("b", Some(2.0)) };
        rows.keep(&again, input).unwrap();
        assert_eq!(
            Rows::open(&path, &header(), &list).unwrap().get("b"),
            Some(&again),
            "the later line wins"
        );
    }
}
