//! The list of a folder: CSV with a head line, or JSON lines.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use unmask_protocol::v1;

/// Names under which a list is looked for.
const NAMES: [&str; 2] = ["items.csv", "items.jsonl"];

/// Letters of an item's name.
const LONGEST_NAME: usize = 128;

/// Items of one run, as many as a stream takes.
const MOST: usize = 20_000;
/// Missing files that are named.
const TOLD: usize = 5;

/// A picture of the list.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) family: String,
    pub(super) label: String,
    pub(super) crop: Option<v1::Box>,
    file: PathBuf,
    mask: Option<PathBuf>,
}

/// A line of the list; other columns are left alone.
#[derive(Deserialize)]
struct Line {
    id: String,
    file: String,
    #[serde(default)]
    family: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    mask: String,
    /// `X,Y,WIDTH,HEIGHT`.
    #[serde(default)]
    crop: String,
}

/// The items of a folder, in the order of its list. Files that are missing are named before anything is begun.
pub(super) fn read(dir: &Path, list: Option<&Path>) -> anyhow::Result<Vec<Item>> {
    ensure!(dir.exists(), "{} does not exist", dir.display());
    let found = || NAMES.iter().map(|name| dir.join(name)).find(|path| path.is_file());
    let path = match list {
        Some(list) => list.to_owned(),
        None => found().with_context(|| format!("{} has no {}", dir.display(), NAMES.join(" and no ")))?,
    };
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let is_json = path.extension().is_some_and(|ending| ending == "jsonl");
    let lines: Vec<Line> = if is_json {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let read = |(i, line)| {
            serde_json::from_str(line).with_context(|| format!("line {} of {}", i + 1, path.display()))
        };
        lines.map(read).collect::<Result<_, _>>()?
    } else {
        let lines = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
        lines.collect::<Result<_, _>>().with_context(|| format!("cannot read {}", path.display()))?
    };
    ensure!(!lines.is_empty(), "{} lists nothing", path.display());
    let (mut seen, mut missing) = (BTreeSet::new(), Vec::new());
    let mut items = Vec::new();
    for line in lines {
        let id = &line.id;
        ensure!(
            (1..=LONGEST_NAME).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic() || b == b' '),
            "{} has the id {id:?}, 1 to {LONGEST_NAME} printable ASCII characters are needed",
            path.display()
        );
        ensure!(seen.insert(line.id.clone()), "{} lists {} twice", path.display(), line.id);
        let item = line.item(dir)?;
        missing.extend(item.files().filter(|file| !file.is_file()).map(|file| file.display().to_string()));
        items.push(item);
    }
    if !missing.is_empty() {
        let (count, told) = (missing.len(), missing[..missing.len().min(TOLD)].join(", "));
        let more = if count > TOLD { " and others" } else { "" };
        bail!("files of the list are missing ({count}): {told}{more}");
    }
    ensure!(
        items.len() <= MOST,
        "{} lists {} items, at most {MOST} are allowed in one run",
        path.display(),
        items.len()
    );
    Ok(items)
}

impl Line {
    fn item(self, dir: &Path) -> anyhow::Result<Item> {
        let crop = match self.crop.as_str() {
            "" => None,
            text => {
                let crop =
                    crate::args::crop(text).map_err(|e| anyhow::anyhow!("the crop of {}: {e}", self.id))?;
                crate::client::crop(Some(crop))
            }
        };
        let mask = (!self.mask.is_empty()).then(|| dir.join(&self.mask));
        let (id, family, label) = (self.id, self.family, self.label);
        Ok(Item { id, family, label, crop, file: dir.join(self.file), mask })
    }
}

impl Item {
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.file).chain(self.mask.as_ref())
    }

    /// Whether a row is of this item as the list has it.
    pub(super) fn is_of(&self, row: &v1::DatasetRow) -> bool {
        let family = if self.family.is_empty() { &self.label } else { &self.family };
        row.family == *family && row.label == self.label
    }

    /// SHA-256 over picture, mask and crop: what a row is of.
    pub(super) fn input(&self) -> String {
        let v1::DatasetPicture { image, mask, crop, .. } = self.picture();
        let mask = mask.map(|mask| mask.image).unwrap_or_default();
        let crop = format!("{crop:?}");
        let mut bytes = Vec::new();
        for part in [&image, &mask, crop.as_bytes()] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
        unmask_registry::sha256(&bytes)
    }

    /// An item that has nothing but its name.
    #[cfg(test)]
    pub(super) fn named(id: &str) -> Self {
        let (family, label, file) = (String::new(), String::new(), PathBuf::new());
        Self { id: id.to_owned(), family, label, crop: None, file, mask: None }
    }

    /// The message; a file that has gone meanwhile is sent empty, and its row says so.
    pub(super) fn picture(&self) -> v1::DatasetPicture {
        let bytes = |path: &PathBuf| std::fs::read(path).unwrap_or_default();
        v1::DatasetPicture {
            image: bytes(&self.file),
            crop: self.crop,
            mask: self.mask.as_ref().map(|path| v1::Mask { image: bytes(path) }),
            label: self.label.clone(),
            family: self.family.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str, list: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(name), list).unwrap();
        std::fs::write(dir.path().join("a.png"), b"a").unwrap();
        dir
    }

    fn error(name: &str, list: &str) -> String {
        let dir = folder(name, list);
        format!("{:#}", read(dir.path(), None).unwrap_err())
    }

    #[test]
    fn both_kinds_of_list_give_the_same_items() {
        let csv = folder(
            "items.csv",
            "id,file,family,mask,else,crop\nx,a.png,mouth,a.png,1,\"1,2,30,40\"\ny,a.png,,,,\n",
        );
        let json = folder(
            "items.jsonl",
            "{\"id\":\"x\",\"file\":\"a.png\",\"family\":\"mouth\",\"mask\":\"a.png\",\"crop\":\"1,2,30,40\"}\n\n{\"id\":\"y\",\"file\":\"a.png\"}\n",
        );
        for dir in [csv, json] {
            let items = read(dir.path(), None).unwrap();
            assert_eq!(items.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), ["x", "y"]);
            assert_eq!((items[0].family.as_str(), items[0].crop.unwrap().width), ("mouth", 30));
            assert!(items[0].picture().mask.is_some() && items[1].picture().mask.is_none());
        }
    }

    #[test]
    fn what_is_wrong_with_a_list_is_said_before_anything_is_begun() {
        assert!(
            error("items.csv", "id,file\nx,b.png\ny,c.png\n").contains("files of the list are missing (2): ")
        );
        assert!(error("items.csv", "id,file\nx,a.png\nx,a.png\n").contains("lists x twice"));
        assert!(error("items.csv", "id,file\n,a.png\n").contains("has the id \"\","));
        assert!(error("items.jsonl", "{\"id\":\"\\u00fc\",\"file\":\"a.png\"}").contains("printable ASCII"));
        assert!(error("items.csv", "id,file\n").contains("lists nothing"));
        assert!(error("items.csv", "id\nx\n").contains("cannot read"));
        assert!(error("items.jsonl", "{\"id\":1}").contains("line 1 of"));
        assert!(
            error("items.jsonl", "{\"id\":\"x\",\"file\":\"a.png\",\"crop\":\"1\"}")
                .contains("the crop of x")
        );
        assert!(error("other.csv", "").contains("has no items.csv and no items.jsonl"));
    }
}
