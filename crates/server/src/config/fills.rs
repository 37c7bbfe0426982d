//! Which fills are kept.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fills::Policy;

/// Which fills are kept, so that the next explanation of the same picture need not search again.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fills {
    /// Most bytes in memory, over all fills; 0 keeps none.
    #[schemars(range(min = 0, max = 1_u64 << 36))]
    pub max_bytes: u64,
    /// Seconds from the moment when a fill was made.
    #[schemars(range(min = 1, max = 86_400))]
    pub ttl_seconds: u64,
}

impl Default for Fills {
    fn default() -> Self {
        Self { max_bytes: 256 << 20, ttl_seconds: 600 }
    }
}

impl Fills {
    pub(crate) fn policy(&self) -> Policy {
        Policy { max_bytes: self.max_bytes, ttl: Duration::from_secs(self.ttl_seconds) }
    }
}
