//! Where models lie.

use std::path::PathBuf;

use serde::Deserialize;

/// Where models lie.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// Directory of bundles, NAME/VERSION.
    pub root: PathBuf,
    /// Name that a request without a model gets. Needed when more than one name is served.
    pub default: Option<String>,
}

impl Default for Models {
    fn default() -> Self {
        Self { root: "models".into(), default: None }
    }
}
