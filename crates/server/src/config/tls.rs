//! TLS, and which clients' certificates are believed.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Faults;

/// TLS, and which clients' certificates are believed. The files are read again when they change.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The server's certificate chain (PEM).
    pub certificate: Option<PathBuf>,
    /// Its private key (PEM).
    pub key: Option<PathBuf>,
    /// Authorities of clients' certificates (PEM); a client without one of theirs is turned away in the handshake.
    pub client_ca: Option<PathBuf>,
}

impl Tls {
    pub(super) fn check(&self, faults: &mut Faults) {
        match (&self.certificate, &self.key, &self.client_ca) {
            (Some(_), None, _) => faults.add("tls.key is missing, it belongs to tls.certificate".into()),
            (None, Some(_), _) => faults.add("tls.certificate is missing, it belongs to tls.key".into()),
            (None, None, Some(_)) => {
                faults.add("tls.client_ca is set without tls.certificate and tls.key, set all three".into());
            }
            (Some(_), Some(_), _) | (None, None, None) => {}
        }
    }
}
