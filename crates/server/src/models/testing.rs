//! Bundles on a real disk and sessions that are planted, counted and told to fail.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tempfile::TempDir;
use unmask_pool::{Planted, Served};

use super::load::Loader;
use super::*;
use crate::error::StartError;

/// A root with bundles, and what was loaded of them.
pub(super) struct Planting {
    pub(super) root: TempDir,
    config: Config,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Digests in the order in which they were loaded.
    loads: Mutex<Vec<String>>,
    /// Digests whose sessions cannot be opened.
    broken: Mutex<BTreeSet<String>>,
    /// Digests that panic.
    panics: Mutex<BTreeSet<String>>,
    /// Whoever loads waits for this.
    gate: Mutex<()>,
    waiting: AtomicUsize,
}

/// Estimated memory of a planted model: two sessions of its file twice, and two buffers of 8 pictures each.
pub(super) fn cost(word: &str) -> u64 {
    2 * (2 * onnx(word).len() as u64 + 2 * 8 * 3 * 8 * 8 * 4)
}

impl Planting {
    pub(super) fn new(settings: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let own = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let mut overrides = vec![own("models.root", root.path().to_str().unwrap())];
        overrides.push(own("pool.calibration", "off"));
        overrides.push(own("pool.workers", "2"));
        overrides.extend(settings.iter().map(|(k, v)| own(k, v)));
        let config = Config::read(None, &overrides).unwrap();
        Self { root, config, shared: Arc::default() }
    }

    pub(super) fn open(&self) -> Result<Models, StartError> {
        let shared = Arc::clone(&self.shared);
        let loader = Loader::through(&self.config, move |candidate, settings| {
            shared.waiting.fetch_add(1, Ordering::SeqCst);
            let _open = lock(&shared.gate);
            let digest = candidate.spec.digest.clone();
            lock(&shared.loads).push(digest.clone());
            assert!(!lock(&shared.panics).contains(&digest), "planted to panic");
            if lock(&shared.broken).contains(&digest) {
                return Err("planted to fail".into());
            }
            let session = || Planted::opener(|_| Ok(vec![0.0, 1.0]));
            let sessions = (0..settings.workers.unwrap()).map(|_| session()).collect();
            Served::planted(candidate.spec, sessions, 8, settings.jobs).map_err(|e| e.to_string())
        });
        Models::with(&self.config, loader?)
    }

    pub(super) fn models(&self) -> Models {
        self.open().unwrap()
    }

    pub(super) fn watched(&self, models: &Models) -> Watching {
        models.watch(&self.config).unwrap()
    }

    /// Writes a bundle whose model file is told by `word`; its digest.
    pub(super) fn write(&self, name: &str, version: &str, word: &str) -> String {
        write(self.root.path(), name, version, word)
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// What was loaded since it was last asked, by digest.
    pub(super) fn loads(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.shared.loads))
    }

    /// Sessions of this digest cannot be opened.
    pub(super) fn break_(&self, digest: &str) {
        lock(&self.shared.broken).insert(digest.to_owned());
    }

    /// They can be opened again.
    pub(super) fn mend(&self, digest: &str) {
        lock(&self.shared.broken).remove(digest);
    }

    /// Loading this digest panics.
    pub(super) fn panic_at(&self, digest: &str) {
        lock(&self.shared.panics).insert(digest.to_owned());
    }

    /// Nothing is loaded while this is held.
    pub(super) fn shut(&self) -> MutexGuard<'_, ()> {
        lock(&self.shared.gate)
    }

    /// How many loads were begun.
    pub(super) fn begun(&self) -> usize {
        self.shared.waiting.load(Ordering::SeqCst)
    }
}

/// Waits for something that must come; the bound only keeps a broken test from hanging.
pub(super) fn until(what: impl Fn() -> bool) {
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(std::time::Instant::now() < patience, "it happens");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Writes a bundle of two classes and 8 x 8 pixels; the digest of its model.
pub(super) fn write(root: &Path, name: &str, version: &str, word: &str) -> String {
    let (dir, model) = (root.join(name).join(version), onnx(word));
    let digest = unmask_registry::sha256(&model);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("model.toml"), manifest(name, version, &digest)).unwrap();
    fs::write(dir.join("model.onnx"), model).unwrap();
    fs::write(dir.join("golden.npy"), npy()).unwrap();
    digest
}

/// An ONNX file of one node, which is named `word`. Every length in it is below 128, one byte.
pub(super) fn onnx(word: &str) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
    let value = |name: &str| field(1, name.as_bytes());
    let node = [field(3, word.as_bytes()), field(4, b"Gemm")].concat();
    let graph = [field(1, &node), field(11, &value("picture")), field(12, &value("logits"))].concat();
    [&[1 << 3, 8][..], &field(7, &graph), &field(8, &[2 << 3, 17])].concat()
}

fn npy() -> Vec<u8> {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 8, 8), }";
    let header = format!("{header:<117}\n");
    let values = [0u8; 3 * 8 * 8 * 4];
    [b"\x93NUMPY\x01\x00", &[118, 0][..], header.as_bytes(), &values].concat()
}

fn manifest(name: &str, version: &str, digest: &str) -> String {
    format!(
        r#"schema = 1
name = "{name}"
version = "{version}"
summary = "planted"
licence = "Apache-2.0"
sha256 = "{digest}"

[input]
name = "picture"
layout = "NCHW"
width = 8
height = 8
colour = "RGB"
range = [0, 1]
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
resize = "bilinear"
antialias = true
picture = "whole"

[output]
name = "logits"
activation = "softmax"
labels = ["real", "fake"]
real = "real"

[golden]
input = "golden.npy"
scores = [[0.0, 1.0]]
tolerance = 1e-3
"#
    )
}
