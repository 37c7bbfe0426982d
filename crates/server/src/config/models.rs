//! Where models lie, and what they may do.

use std::path::PathBuf;

use serde::Deserialize;
use unmask_registry::Policy;

use super::{Bounds, meant};

/// Where models lie, and what they may do.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// Directory of bundles, NAME/VERSION.
    pub root: PathBuf,
    /// Name that a request without a model gets. Needed when more than one name is served.
    pub default: Option<String>,
    /// Operators that models may use beside those that are always allowed, such as If.
    pub operators: Vec<String>,
    /// Operator domains that models may use beside ONNX's own, such as com.microsoft.
    pub domains: Vec<String>,
    /// Where a model is run for the first time: "child", a process of its own, or "none". Default: "child" for a server, else "none".
    pub probe: Option<ProbeWord>,
    /// Memory of that process, in bytes of addresses.
    pub probe_memory_bytes: u64,
    /// Seconds after which that process is ended.
    pub probe_seconds: u64,
    /// The program to start for it, which understands `prove-model`; whoever makes the configuration says it, no user.
    #[serde(skip)]
    pub program: Option<PathBuf>,
}

/// Where a model is run for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum ProbeWord {
    /// In a process of its own, with limits.
    Child,
    /// In this process, as it will be served.
    None,
}

impl TryFrom<String> for ProbeWord {
    type Error = String;

    fn try_from(got: String) -> Result<Self, String> {
        meant(&got, &[("child", Self::Child), ("none", Self::None)])
    }
}

impl Default for Models {
    fn default() -> Self {
        Self {
            root: "models".into(),
            default: None,
            operators: Vec::new(),
            domains: Vec::new(),
            probe: None,
            probe_memory_bytes: 4 << 30,
            probe_seconds: 60,
            program: None,
        }
    }
}

impl Models {
    pub(super) fn check(&self, bounds: &mut Bounds) {
        bounds.within("models.probe_memory_bytes", self.probe_memory_bytes, 256 << 20, 1 << 40);
        bounds.within("models.probe_seconds", self.probe_seconds, 1, 3600);
    }

    /// What models may use.
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            operators: self.operators.iter().cloned().collect(),
            domains: self.domains.iter().cloned().collect(),
        }
    }
}
