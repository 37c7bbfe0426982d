//! The port for whoever watches over the process.

use serde::Deserialize;

use super::Bounds;

/// The port for whoever watches over the process: plaintext HTTP with `/livez`, `/readyz` and `/metrics`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Address and port; nothing listens where none is named.
    pub listen: Option<String>,
}

impl Admin {
    pub(super) fn check(&self, bounds: &mut Bounds) {
        let is_address = |listen: &str| {
            listen
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        if let Some(listen) = self.listen.as_deref().filter(|listen| !is_address(listen)) {
            bounds.fault(format!(
                "admin.listen is \"{listen}\", allowed is ADDRESS:PORT such as 0.0.0.0:9464, or no value at all"
            ));
        }
    }
}
