//! Where models lie, which of them serve, and what they may.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unmask_registry::Policy;

use super::Faults;

/// Where models lie, which of them serve, and what they may.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// Directory of bundles, NAME/VERSION.
    pub root: PathBuf,
    /// Name of the detector that a request without a model gets. Needed when more than one is served.
    pub default: Option<String>,
    /// Name of the model that finds faces where a request names none. Needed when more than one that does is served.
    pub faces: Option<String>,
    /// Operators that models may use beside those that are always allowed, such as If.
    pub operators: Vec<String>,
    /// Operator domains that models may use beside ONNX's own, such as com.microsoft.
    pub domains: Vec<String>,
    /// Where a model is run for the first time: "child", a process of its own, or "none". Default: "child" for a server, else "none".
    pub probe: Option<ProbeWord>,
    /// Memory of that process, in bytes of addresses.
    #[schemars(range(min = 256_u64 << 20, max = 1_u64 << 40))]
    pub probe_memory_bytes: u64,
    /// Seconds after which that process is ended.
    #[schemars(range(min = 1, max = 3600))]
    pub probe_seconds: u64,
    /// The program to start for it, which understands `prove-model`; whoever makes the configuration says it, no user.
    #[serde(skip)]
    pub program: Option<PathBuf>,
    /// Versions, NAME@VERSION: of these names no other version is loaded.
    pub pinned: Vec<String>,
    /// Seconds between two looks at the directory; 0 = never. Nothing else is needed where a file system tells of no changes.
    #[schemars(range(min = 0, max = 86_400))]
    pub poll_seconds: u64,
    /// Whether the file system is asked to tell of changes, so that they are seen at once.
    pub watch: bool,
    /// Memory that loaded models may take together, in bytes, as estimated; without it all are loaded at start and stay so.
    #[schemars(range(min = 1, max = 1_u64 << 50))]
    pub memory_bytes: Option<u64>,
    /// Workers per device of single models, by name, in place of `pool.workers` and of calibration.
    #[schemars(extend("additionalProperties" = { "type": "integer", "minimum": 1, "maximum": 256 }))]
    pub workers: BTreeMap<String, usize>,
}

/// Where a model is run for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeWord {
    /// In a process of its own, with limits.
    Child,
    /// In this process, as it will be served.
    None,
}

impl Default for Models {
    fn default() -> Self {
        let (default, faces, operators, domains, probe, program) = Default::default();
        let (pinned, memory_bytes, workers) = Default::default();
        Self {
            root: "models".into(),
            default,
            faces,
            operators,
            domains,
            probe,
            probe_memory_bytes: 4 << 30,
            probe_seconds: 60,
            program,
            pinned,
            poll_seconds: 10,
            watch: true,
            memory_bytes,
            workers,
        }
    }
}

impl Models {
    pub(super) fn check(&self, faults: &mut Faults) {
        let pins = self.pins();
        if pins.len() < self.pinned.len() {
            let got = self.pinned.join(", ");
            faults.add(format!("models.pinned is {got}, allowed is NAME@VERSION, each name once"));
        }
    }

    /// What models may use.
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            operators: self.operators.iter().cloned().collect(),
            domains: self.domains.iter().cloned().collect(),
        }
    }

    /// The pinned version of each pinned name.
    pub(crate) fn pins(&self) -> BTreeMap<String, String> {
        let parts = |pin: &String| {
            let (name, version) = pin.split_once('@')?;
            let whole = !name.is_empty() && !version.is_empty() && !version.contains('@');
            whole.then(|| (name.to_owned(), version.to_owned()))
        };
        self.pinned.iter().filter_map(parts).collect()
    }

    /// Time between two looks at the directory.
    pub(crate) fn poll(&self) -> Option<Duration> {
        (self.poll_seconds > 0).then(|| Duration::from_secs(self.poll_seconds))
    }
}
