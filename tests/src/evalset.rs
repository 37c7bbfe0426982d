//! The evaluation set that `models/training/evalset.py` writes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// The families, in the order of the tables.
pub const FAMILIES: [&str; 4] = ["mouth", "eyes", "blend", "swap"];

/// A fake with its original and its exact mask.
#[derive(Clone, Debug, Default)]
pub struct Item {
    /// Its name.
    pub id: String,
    /// What was done to it.
    pub family: String,
    /// The file of its picture.
    pub file: PathBuf,
    /// The bytes of that file.
    pub image: Vec<u8>,
    /// The file of the same picture before, as bytes.
    pub original: Vec<u8>,
    /// Whether each pixel was changed.
    pub mask: Vec<bool>,
    /// Place in the list, from 0.
    pub number: u64,
}

/// All fakes, in list order.
///
/// # Errors
/// Where the list or a file of it cannot be read.
pub fn read(dir: &Path) -> anyhow::Result<Vec<Item>> {
    let list = dir.join("items.csv");
    let text = std::fs::read_to_string(&list)
        .with_context(|| format!("cannot read {}; models/training/evalset.py writes it", list.display()))?;
    let mut lines = text.lines();
    let expected = "id,file,family,mask,original,off_centre,person,region,poisson";
    ensure!(lines.next() == Some(expected), "{} has other columns than {expected}", list.display());
    let mut items = Vec::new();
    for (number, line) in (0..).zip(lines) {
        let cells: Vec<&str> = line.split(',').collect();
        let [id, file, family, mask, original, ..] = cells.as_slice() else { continue };
        if *family == "real" {
            continue;
        }
        let (id, family) = ((*id).to_owned(), (*family).to_owned());
        let file = dir.join(file);
        let (image, original) = (bytes(&file)?, bytes(&dir.join(original))?);
        let mask = image::load_from_memory(&bytes(&dir.join(mask))?)?.to_luma8();
        let mask = mask.pixels().map(|p| p.0[0] > 127).collect();
        items.push(Item { id, family, file, image, original, mask, number });
    }
    Ok(items)
}

fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
