//! TLS and clients' certificates.

use std::time::Duration;

use rcgen::SanType;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use unmask_protocol::v1::explanation_service_client::ExplanationServiceClient;
use unmask_tests::Root;
use unmask_tests::started::Started;

use super::keys::{Authority, Files, Signer, claims};
use super::{configured, predict, said, tokens_of};

/// Until something has to have happened; the bound only keeps a broken test from hanging.
const LONG: Duration = unmask_tests::PATIENCE;

struct Safe {
    server: Started,
    files: Files,
    authority: Authority,
    clients: Authority,
    signer: Signer,
}

fn host() -> Vec<SanType> {
    vec![SanType::DnsName("localhost".try_into().unwrap())]
}

/// A server with TLS that believes certificates of `clients`.
async fn start(tokens: bool) -> Safe {
    start_with(tokens, "").await
}

async fn start_with(tokens: bool, lines: &str) -> Safe {
    let (files, authority, clients) = (Files::new(), Authority::new(), Authority::new());
    let (certificate, key) = authority.issue(host(), "server");
    let path = |name: &str, text: &str| files.write(name, text).to_string_lossy().into_owned();
    let signer = Signer::new("one");
    let mut file = format!(
        "[server]\ninsecure = false\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\nclient_ca = \"{}\"\n",
        path("server.pem", &certificate),
        path("server.key", &key),
        path("clients.pem", &clients.pem()),
    );
    file += "[tenants.acme]\ncertificates = [\"spiffe://test/acme\"]\n[tenants.other]\ncertificates = [\"other\"]\n";
    file += lines;
    if tokens {
        file += &tokens_of(&files.keys(vec![signer.public()]));
    }
    let root = Root::new(&[]);
    let server = Started::over(&configured(&root, &file)).await;
    Safe { server, files, authority, clients, signer }
}

impl Safe {
    /// A client with this certificate, that believes the server's.
    async fn client(
        &self,
        own: Option<(String, String)>,
    ) -> Result<ExplanationServiceClient<Channel>, tonic::transport::Error> {
        let mut tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(self.authority.pem()))
            .domain_name("localhost");
        if let Some((certificate, key)) = own {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        let url = format!("https://{}", self.server.address);
        let endpoint = Channel::from_shared(url).unwrap().tls_config(tls)?;
        Ok(ExplanationServiceClient::new(endpoint.connect().await?))
    }

    fn issued(&self, uri: &str) -> Option<(String, String)> {
        Some(self.clients.issue(vec![SanType::URI(uri.try_into().unwrap())], "somebody"))
    }

    /// Whether a request gets through the handshake at all.
    async fn is_let_in(&self, own: Option<(String, String)>) -> bool {
        match self.client(own).await {
            Ok(mut client) => client.predict(predict(None)).await.is_ok(),
            Err(_) => false,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_right_authority_that_stands_for_a_tenant_is_needed() {
    let safe = start(false).await;
    assert!(safe.is_let_in(safe.issued("spiffe://test/acme")).await);
    assert!(safe.is_let_in(Some(safe.clients.issue(Vec::new(), "other"))).await);
    // Without one nobody gets as far as to be told so.
    if let Ok(mut client) = safe.client(None).await {
        let status = client.predict(predict(None)).await.unwrap_err();
        assert_ne!(status.code(), Code::Unauthenticated, "{status}");
    }
    let stranger = Authority::new();
    let forged = stranger.issue(vec![SanType::URI("spiffe://test/acme".try_into().unwrap())], "somebody");
    assert!(!safe.is_let_in(Some(forged)).await);
    let nobody = safe.clients.issue(Vec::new(), "");
    let status = safe.client(Some(nobody)).await.unwrap().predict(predict(None)).await.unwrap_err();
    assert_eq!(said(&status), (Code::Unauthenticated, "the certificate names nobody"));
    let mut client = safe.client(safe.issued("spiffe://test/unknown")).await.unwrap();
    let status = client.predict(predict(None)).await.unwrap_err();
    let reason = "the certificate is of no tenant of this server; ask its operator to name it";
    assert_eq!(said(&status), (Code::PermissionDenied, reason));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_and_the_certificate_are_of_one_tenant() {
    let safe = start(true).await;
    let mut client = safe.client(safe.issued("spiffe://test/acme")).await.unwrap();
    assert!(client.predict(predict(Some(&safe.signer.sign(&claims("acme"))))).await.is_ok());
    let status = client.predict(predict(Some(&safe.signer.sign(&claims("other"))))).await.unwrap_err();
    assert_eq!(said(&status), (Code::PermissionDenied, "the token is not of the certificate's tenant"));
    assert_eq!(client.predict(predict(None)).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plaintext_client_gets_nothing_and_takes_nothing_from_others() {
    let safe = start(false).await;
    let url = format!("http://{}", safe.server.address);
    let plain = Channel::from_shared(url).unwrap().connect().await;
    if let Ok(channel) = plain {
        let status = ExplanationServiceClient::new(channel).predict(predict(None)).await;
        assert!(status.is_err());
    }
    assert!(safe.is_let_in(safe.issued("spiffe://test/acme")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_go_on_is_let_go() {
    let safe = start_with(false, "[http2]\nhandshake_seconds = 1\n").await;
    let mut mute = TcpStream::connect(safe.server.address).await.unwrap();
    let ended = tokio::time::timeout(LONG, mute.read(&mut [0; 64])).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    assert!(safe.is_let_in(safe.issued("spiffe://test/acme")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_exchanged_is_used_and_a_broken_one_is_not() {
    let safe = start(false).await;
    safe.files.write("server.pem", "no certificate");
    let replaced = Authority::new();
    let (certificate, key) = replaced.issue(host(), "server");
    assert!(safe.is_let_in(safe.issued("spiffe://test/acme")).await);
    safe.files.write("server.pem", &certificate);
    safe.files.write("server.key", &key);
    // Clients that believe the old authority only are turned away once the new certificate is in use.
    let exchanged = async {
        while safe.is_let_in(safe.issued("spiffe://test/acme")).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LONG, exchanged).await.unwrap();
    let safe = Safe { authority: replaced, ..safe };
    assert!(safe.is_let_in(safe.issued("spiffe://test/acme")).await);
}
