//! Hostile picture files against a list of what must become of each, and what memory that takes.
//!
//! One test, alone in its binary, because the allocator counts for the whole process.

use std::path::Path;

use peak_alloc::PeakAlloc;
use serde::Deserialize;
use unmask_explainer::image::{Limits, Picture, PictureError, decode, inspect};
use unmask_tests::from_set_up;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a header may take, and a picture that its header refuses.
const OF_A_HEADER: usize = 1 << 20;

/// An entry of the list that `fixtures/hostile_images.py` writes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    file: String,
    /// Words of the refusal, and whether it needs the header alone.
    refused: Option<String>,
    #[serde(default)]
    header: bool,
    width: Option<u32>,
    height: Option<u32>,
    /// Mean colour of the picture, and how near it must be.
    mean: Option<[f64; 3]>,
    #[serde(default)]
    within: f64,
    /// Most of what the header announces is really taken.
    #[serde(default)]
    tight: bool,
    /// Refused or decoded, but within the bounds.
    #[serde(default)]
    any: bool,
}

#[test]
fn every_hostile_picture_gets_its_answer_within_its_memory() {
    let folder = from_set_up("TEST_FIXTURES").join("pictures");
    let list = std::fs::read(folder.join("list.json")).expect("the pictures are made");
    let entries: Vec<Entry> = serde_json::from_slice(&list).unwrap();
    assert!(entries.len() >= 40, "only {} pictures", entries.len());
    let faults: Vec<String> = entries.iter().flat_map(|entry| faults(entry, &folder)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn faults(entry: &Entry, folder: &Path) -> Vec<String> {
    let bytes = std::fs::read(folder.join(&entry.file)).expect("a file of the list is there");
    let limits = Limits::default();
    let (header, of_header) = taken(|| inspect(&bytes, &limits));
    let (picture, of_picture) = taken(|| decode(&bytes, &limits));
    let mut faults = answer(entry, &picture);
    if of_header > OF_A_HEADER {
        faults.push(format!("the header took {of_header} bytes"));
    }
    match &header {
        Err(refusal) => {
            if picture.as_ref().err() != Some(refusal) {
                faults.push(format!("the header is refused with {refusal}, the picture is not"));
            }
            if of_picture > OF_A_HEADER {
                faults.push(format!("refused by its header it took {of_picture} bytes"));
            }
            if !entry.header && !entry.any {
                faults.push(format!("refused by its header: {refusal}"));
            }
        }
        Ok(header) => {
            let announced = header.decoding_bytes() as usize;
            if of_picture > announced {
                faults.push(format!("took {of_picture} bytes, announced were {announced}"));
            }
            if entry.tight && announced > of_picture * 5 / 4 {
                faults.push(format!("announced {announced} bytes, took only {of_picture}"));
            }
            if entry.header {
                faults.push("its header passes".to_owned());
            }
        }
    }
    faults.into_iter().map(|fault| format!("{}: {fault}", entry.file)).collect()
}

/// What is wrong with the answer.
fn answer(entry: &Entry, picture: &Result<Picture, PictureError>) -> Vec<String> {
    match (picture, &entry.refused) {
        _ if entry.any => Vec::new(),
        (Err(error), Some(words)) if error.to_string().contains(words) => Vec::new(),
        (Err(error), _) => vec![format!("refused with {error}")],
        (Ok(_), Some(words)) => vec![format!("decoded, though it should be refused with {words}")],
        (Ok(picture), None) => {
            let mut faults = Vec::new();
            let found = (Some(picture.width()), Some(picture.height()));
            if found != (entry.width, entry.height) {
                faults.push(format!("decoded to {found:?}"));
            }
            let mean = mean(picture);
            if let Some(expected) = entry.mean
                && mean.iter().zip(expected).any(|(a, b)| (a - b).abs() > entry.within)
            {
                faults.push(format!("the mean colour is {mean:?}, expected {expected:?}"));
            }
            faults
        }
    }
}

fn mean(picture: &Picture) -> [f64; 3] {
    let mut sums = [0u64; 3];
    for pixel in picture.pixels().pixels() {
        sums.iter_mut().zip(pixel.0).for_each(|(sum, value)| *sum += u64::from(value));
    }
    sums.map(|sum| sum as f64 / (f64::from(picture.width()) * f64::from(picture.height())))
}

/// What a call answers and the most bytes that it held at the same moment, its answer with them.
fn taken<T>(call: impl FnOnce() -> T) -> (T, usize) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let answer = call();
    (answer, MEMORY.peak_usage().saturating_sub(before))
}
