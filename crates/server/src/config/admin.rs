//! The port for whoever watches over the process.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Faults;

/// The port for whoever watches over the process: plaintext HTTP with `/livez`, `/readyz` and `/metrics`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Address and port; nothing listens where none is named.
    #[schemars(extend("format" = "ADDRESS:PORT"))]
    pub listen: Option<String>,
}

impl Admin {
    pub(super) fn check(&self, faults: &mut Faults) {
        let is_address = |listen: &str| {
            listen
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        if let Some(listen) = self.listen.as_deref().filter(|listen| !is_address(listen)) {
            faults.add(format!(
                "admin.listen is \"{listen}\", allowed is ADDRESS:PORT such as 0.0.0.0:9464, or no value at all"
            ));
        }
    }
}
