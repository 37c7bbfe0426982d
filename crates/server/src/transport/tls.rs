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
    /// Whether browsers come, some of which speak HTTP/1.1 alone.
    browsers: bool,
    current: ArcSwap<ServerConfig>,
    /// When each file was changed last, as far as is known.
    changed: Mutex<Vec<Option<SystemTime>>>,
}

impl Tls {
    /// # Errors
    /// [`StartError::Tls`] when a file cannot be used.
    pub(super) fn new(files: &config::Tls, browsers: bool) -> Result<Option<Self>, StartError> {
        let (Some(certificate), Some(key)) = (&files.certificate, &files.key) else { return Ok(None) };
        let changed = Mutex::new(stamps(files));
        let current =
            read(certificate, key, files.client_ca.as_deref(), browsers).map_err(StartError::Tls)?;
        Ok(Some(Self { files: files.clone(), browsers, current: ArcSwap::from_pointee(current), changed }))
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
        match read(certificate, key, self.files.client_ca.as_deref(), self.browsers) {
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

fn read(
    certificate: &Path,
    key: &Path,
    client_ca: Option<&Path>,
    browsers: bool,
) -> Result<ServerConfig, String> {
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
    config.alpn_protocols.extend(browsers.then(|| b"http/1.1".to_vec()));
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

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
    use tempfile::TempDir;

    use super::*;

    fn write(dir: &TempDir, name: &str, text: &str) -> std::path::PathBuf {
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    fn issued(names: Vec<SanType>, common: &str) -> (rcgen::Certificate, KeyPair) {
        let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
        params.subject_alt_names = names;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        (params.self_signed(&key).unwrap(), key)
    }

    #[test]
    fn files_that_cannot_be_used_leave_what_was_there_and_a_half_change_waits_for_its_other_half() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (issued(Vec::new(), "old"), issued(Vec::new(), "new"));
        let files = config::Tls {
            certificate: Some(write(&dir, "server.pem", &old.0.pem())),
            key: Some(write(&dir, "server.key", &old.1.serialize_pem())),
            ..config::Tls::default()
        };
        let tls = Tls::new(&files, false).unwrap().unwrap();
        let first = tls.current();
        tls.refresh();
        assert!(Arc::ptr_eq(&first, &tls.current()), "nothing has changed");
        for broken in ["", "no certificate", &new.0.pem()] {
            write(&dir, "server.pem", broken);
            tls.refresh();
            assert!(Arc::ptr_eq(&first, &tls.current()), "{broken}");
        }
        write(&dir, "server.key", &new.1.serialize_pem());
        tls.refresh();
        assert!(!Arc::ptr_eq(&first, &tls.current()));
    }

    #[test]
    fn only_where_browsers_come_is_http1_offered() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = issued(Vec::new(), "server");
        let files = config::Tls {
            certificate: Some(write(&dir, "server.pem", &certificate.pem())),
            key: Some(write(&dir, "server.key", &key.serialize_pem())),
            ..config::Tls::default()
        };
        let offered =
            |browsers| Tls::new(&files, browsers).unwrap().unwrap().current().alpn_protocols.clone();
        assert_eq!(offered(false), [b"h2".to_vec()]);
        assert_eq!(offered(true), [b"h2".to_vec(), b"http/1.1".to_vec()]);
    }

    #[test]
    fn a_certificate_stands_for_its_alternative_names_or_else_for_its_common_one() {
        let of = |names: &[&str], common: &str| {
            let uri = |name: &&str| SanType::URI((*name).try_into().unwrap());
            names_of(names.iter().map(uri).collect(), common)
        };
        assert_eq!(of(&["spiffe://test/a", "spiffe://test/b"], "c"), ["spiffe://test/a", "spiffe://test/b"]);
        assert_eq!(of(&[], "c"), ["c"]);
        let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
        let both = vec![dns("a.test"), SanType::URI("spiffe://test/a".try_into().unwrap())];
        assert_eq!(names_of(both, "c"), ["spiffe://test/a", "a.test"]);
        // Names stand in logs and records.
        assert_eq!(
            of(&["spiffe://test/a\nb", &"x".repeat(257), "spiffe://test/b"], "c"),
            ["spiffe://test/b"]
        );
        assert_eq!(of(&["a\nb"], "c"), [""; 0], "what has names has no other");
        assert_eq!(names(b"no certificate").len(), 0);
    }

    fn names_of(alternatives: Vec<SanType>, common: &str) -> Vec<String> {
        names(issued(alternatives, common).0.der()).to_vec()
    }
}
