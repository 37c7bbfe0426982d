//! The rows of a run: a head line that says of which plan and model they are, then a row a line, kept as it comes.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value as Json;
use unmask_protocol::v1;

use super::items::Item;
use crate::fields;

/// Rows by their item.
pub(super) struct Rows {
    path: PathBuf,
    file: File,
    rows: HashMap<String, v1::DatasetRow>,
}

impl Rows {
    /// Reads what is there. A last line that was cut off is dropped; rows that failed are run again.
    pub(super) fn open(path: &Path, header: &Json) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).context(format!("cannot read {}", path.display())),
        };
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let mut lines = whole.lines().enumerate();
        if let Some((_, first)) = lines.next() {
            let found: Json =
                serde_json::from_str(first).with_context(|| format!("line 1 of {}", path.display()))?;
            for part in ["model", "plan"] {
                if found[part] != header[part] {
                    bail!("{} has rows of another {part}; give --out another folder", path.display());
                }
            }
        }
        let mut rows = HashMap::new();
        for (i, line) in lines {
            let place = || format!("line {} of {}", i + 1, path.display());
            let json: Json = serde_json::from_str(line).with_context(place)?;
            let row: v1::DatasetRow = fields::message("DatasetRow", &json).with_context(place)?;
            rows.insert(row.id.clone(), row);
        }
        rows.retain(|_, row| super::failure(row).is_none());
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
        self.rows.get(id)
    }

    /// Keeps a row that is not there yet.
    pub(super) fn keep(&mut self, row: &v1::DatasetRow) -> anyhow::Result<()> {
        if self.rows.contains_key(&row.id) {
            return Ok(());
        }
        let line = fields::json("DatasetRow", row)?.to_string() + "\n";
        let cannot = || format!("cannot write {}", self.path.display());
        // In one piece, so that a run that is killed leaves whole lines and at most one cut off.
        self.file.write_all(line.as_bytes()).with_context(cannot)?;
        self.rows.insert(row.id.clone(), row.clone());
        Ok(())
    }

    /// Puts the rows into the list's order, each once, whatever the order in which they came over several runs.
    pub(super) fn finish(self, header: &Json, list: &[Item]) -> anyhow::Result<()> {
        let mut text = format!("{header}\n");
        for row in list.iter().filter_map(|item| self.rows.get(&item.id)) {
            text += &(fields::json("DatasetRow", row)?.to_string() + "\n");
        }
        super::report::put(&self.path, &text)
    }

    /// The items that failed, with the reason, in the list's order.
    pub(super) fn failures(&self, list: &[Item]) -> Vec<(String, String)> {
        let reason = |item: &Item| {
            let failure = super::failure(self.rows.get(&item.id)?)?;
            Some((item.id.clone(), format!("{} ({})", failure.message, failure.code)))
        };
        list.iter().filter_map(reason).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use unmask_protocol::v1::dataset_row::Kind;

    use super::*;

    fn row(id: &str, value: f64) -> v1::DatasetRow {
        let figure = v1::Figure { name: "x".into(), value: Some(value), better: 1, missing: String::new() };
        let result = v1::Result { metric: "x".into(), figures: vec![figure], ..Default::default() };
        let evaluated = v1::Evaluated { name: "a".into(), results: vec![result], ..Default::default() };
        let answer = v1::EvaluateResponse { evaluated: vec![evaluated], ..Default::default() };
        v1::DatasetRow { id: id.into(), kind: Some(Kind::Answer(answer)), ..Default::default() }
    }

    fn failed(id: &str) -> v1::DatasetRow {
        let failure = v1::DatasetFailure { code: "X".into(), message: "y".into() };
        v1::DatasetRow { kind: Some(Kind::Failure(failure)), ..row(id, 0.0) }
    }

    #[test]
    fn rows_are_kept_to_the_last_bit_and_a_cut_off_line_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let (path, header) = (dir.path().join("rows.jsonl"), json!({ "plan": 1, "model": "m" }));
        // Numbers that a careless reader gets wrong in the last bit.
        let values =
            [0.1 + 0.2, 1.0 / 3.0, 5e-324, f64::MAX, 2.225_073_858_507_201e-308, 123_456_789.123_456_78];
        let mut rows = Rows::open(&path, &header).unwrap();
        for (i, value) in values.iter().enumerate() {
            rows.keep(&row(&i.to_string(), *value)).unwrap();
        }
        rows.keep(&failed("bad")).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{{\"id\":\"cu")).unwrap();
        let again = Rows::open(&path, &header).unwrap();
        for (i, value) in values.iter().enumerate() {
            assert_eq!(again.get(&i.to_string()), Some(&row(&i.to_string(), *value)));
        }
        assert!(again.get("bad").is_none(), "what failed is run again");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    }

    #[test]
    fn rows_of_another_plan_or_model_are_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.jsonl");
        Rows::open(&path, &json!({ "plan": 1, "model": "m" })).unwrap().keep(&row("a", 1.0)).unwrap();
        let before = std::fs::read_to_string(&path).unwrap();
        for (header, what) in
            [(json!({ "plan": 2, "model": "m" }), "plan"), (json!({ "plan": 1, "model": "n" }), "model")]
        {
            let error = Rows::open(&path, &header).err().unwrap().to_string();
            assert!(error.contains(&format!("has rows of another {what}")), "{error}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    }
}
