//! Which fills are kept.

use std::time::Duration;

use serde::Deserialize;

use super::Bounds;
use crate::fills::Policy;

/// Which fills are kept, so that the next explanation of the same picture need not search again.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fills {
    /// Most bytes in memory, over all fills; 0 keeps none.
    pub max_bytes: u64,
    /// Seconds from the moment when a fill was made.
    pub ttl_seconds: u64,
}

impl Default for Fills {
    fn default() -> Self {
        Self { max_bytes: 256 << 20, ttl_seconds: 600 }
    }
}

impl Fills {
    pub(super) fn check(&self, bounds: &mut Bounds) {
        bounds.within("fills.max_bytes", self.max_bytes, 0, 1 << 36);
        bounds.within("fills.ttl_seconds", self.ttl_seconds, 1, 86_400);
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy { max_bytes: self.max_bytes, ttl: Duration::from_secs(self.ttl_seconds) }
    }
}
