//! What is logged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use tracing_subscriber::EnvFilter;

use super::Faults;

/// What is logged.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A filter such as "info" or "unmask_server=debug,info".
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// For machines.
    Json,
}

impl Log {
    pub(super) fn check(&self, faults: &mut Faults) {
        if let Err(error) = self.filter() {
            faults.add(error);
        }
    }

    /// Which lines are written.
    pub(crate) fn filter(&self) -> Result<EnvFilter, String> {
        let wanted = "allowed is a level such as info, or targets such as unmask_server=debug,info";
        EnvFilter::try_new(&self.filter)
            .map_err(|error| format!("log.filter is \"{}\" ({error}), {wanted}", self.filter))
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into(), format: LogFormat::default() }
    }
}
