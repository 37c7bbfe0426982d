//! TLS, and which clients' certificates are believed.

use std::path::PathBuf;

use serde::Deserialize;

use super::Bounds;

/// TLS, and which clients' certificates are believed. The files are read again when they change.
#[derive(Clone, Debug, Default, Deserialize)]
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
    pub(super) fn check(&self, bounds: &mut Bounds) {
        match (&self.certificate, &self.key, &self.client_ca) {
            (Some(_), None, _) => bounds.fault("tls.key is missing, it belongs to tls.certificate".into()),
            (None, Some(_), _) => bounds.fault("tls.certificate is missing, it belongs to tls.key".into()),
            (None, None, Some(_)) => {
                bounds
                    .fault("tls.client_ca is set without tls.certificate and tls.key, set all three".into());
            }
            (Some(_), Some(_), _) | (None, None, None) => {}
        }
    }
}
