//! TLS from files that may change while the server runs, and the names in clients' certificates.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::config;
use crate::error::StartError;
use crate::identity::Names;

/// What handshakes are answered with.
pub(super) struct Tls {
    files: config::Tls,
    current: ArcSwap<ServerConfig>,
    /// When each file was changed last, as far as is known.
    changed: Mutex<Vec<Option<SystemTime>>>,
}

impl Tls {
    /// # Errors
    /// [`StartError::Tls`] when a file cannot be used.
    pub(super) fn new(files: &config::Tls) -> Result<Option<Self>, StartError> {
        let (Some(certificate), Some(key)) = (&files.certificate, &files.key) else { return Ok(None) };
        let changed = Mutex::new(stamps(files));
        let current = read(certificate, key, files.client_ca.as_deref()).map_err(StartError::Tls)?;
        Ok(Some(Self { files: files.clone(), current: ArcSwap::from_pointee(current), changed }))
    }

    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }

    /// Reads the files again where one has changed. What cannot be read leaves what was there; half of a change is read again
    /// with the other half.
    pub(super) fn refresh(&self) {
        let now = stamps(&self.files);
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(certificate), Some(key)) = (&self.files.certificate, &self.files.key) else { return };
        if *changed == now {
            return;
        }
        *changed = now;
        match read(certificate, key, self.files.client_ca.as_deref()) {
            Ok(config) => {
                tracing::info!("read the certificates again");
                self.current.store(config.into());
            }
            Err(reason) => tracing::error!(reason, "cannot use the changed certificates, the old ones stay"),
        }
    }
}

fn stamps(files: &config::Tls) -> Vec<Option<SystemTime>> {
    let files = [&files.certificate, &files.key, &files.client_ca].into_iter().flatten();
    files.map(|file| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()).collect()
}

fn read(certificate: &Path, key: &Path, client_ca: Option<&Path>) -> Result<ServerConfig, String> {
    let said = |file: &Path, what: &dyn std::fmt::Display| format!("{}: {what}", file.display());
    let chain = certificates(certificate).map_err(|e| said(certificate, &e))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| said(key, &e))?;
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(file).map_err(|e| said(file, &e))? {
                roots.add(root).map_err(|e| said(file, &e))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|e| said(file, &e))?)
        }
    };
    let mut config = builder.with_single_cert(chain, private).map_err(|e| said(certificate, &e))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(file).map_err(|e| e.to_string())?;
    let read: Vec<_> = read.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    if read.is_empty() { Err("holds no certificate".into()) } else { Ok(read) }
}

/// URIs and DNS names that a certificate stands for, or its subject's common name where it has none.
pub(super) fn names(certificate: &[u8]) -> Names {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Names::default() };
    let mut uris = Vec::new();
    let mut domains = Vec::new();
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    for name in alternatives.iter().flat_map(|extension| &extension.value.general_names) {
        #[allow(clippy::wildcard_enum_match_arm, reason = "other kinds of names stand for nobody")]
        match name {
            GeneralName::URI(uri) => uris.push((*uri).to_owned()),
            GeneralName::DNSName(domain) => domains.push((*domain).to_owned()),
            _ => {}
        }
    }
    uris.append(&mut domains);
    if uris.is_empty() {
        let common = certificate.subject().iter_common_name();
        uris.extend(common.filter_map(|name| name.as_str().ok().map(ToOwned::to_owned)));
    }
    uris.retain(|name| name.len() <= 256 && !name.chars().any(char::is_control));
    uris.into()
}
