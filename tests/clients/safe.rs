//! TLS, tokens and certificates of clients.

use rcgen::SanType;
use unmask_tests::Root;
use unmask_tests::started::Started;

use super::keys::{Authority, Files, Signer, claims};
use super::{Client, FEW, expected, output, words};

struct Safe {
    server: Started,
    files: Files,
    authority: Authority,
}

/// A server that shows a certificate for `localhost`, under further lines of configuration.
async fn start(lines: impl FnOnce(&Files, &Authority) -> String) -> Safe {
    let (files, authority) = (Files::new(), Authority::new());
    let names = vec![SanType::DnsName("localhost".try_into().unwrap())];
    let (certificate, key) = authority.issue(names, "server");
    let (certificate, key) = (files.write("server.pem", &certificate), files.write("server.key", &key));
    files.write("ca.pem", &authority.pem());
    let tls = format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
    let config = files.write("unmask.toml", &(tls + &lines(&files, &authority)));
    let server = Started::over(&Root::new(&[]).config_over(Some(&config), &[])).await;
    Safe { server, files, authority }
}

impl Safe {
    fn address(&self) -> String {
        format!("localhost:{}", self.server.address.port())
    }

    fn file(&self, name: &str, text: &str) -> String {
        self.files.write(name, text).to_string_lossy().into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_sent_over_tls_and_never_in_the_open() {
    let signer = Signer::new("one");
    let safe = start(|files, _| {
        let jwks = files.keys(vec![signer.public()]);
        format!("[auth]\njwks = {jwks:?}\naudience = \"unmask\"\nissuer = \"https://issuer.test\"\n")
    })
    .await;
    let (_, line) = expected(&safe.server.service, Some(FEW)).await;
    let (ca, token) = (safe.file("ca.pem", &safe.authority.pem()), signer.sign(&claims("acme")));
    let token = safe.file("token", &format!("{token}\n"));
    let (address, few) = (safe.address(), FEW.to_string());
    for client in Client::all() {
        let options = ["--passes", &few, "--ca", &ca, "--token", &token];
        assert_eq!(client.line(&address, &options), line, "{}", client.language);
        let nobody = output(client.command(&address, &["--ca", &ca]));
        let (printed, told) = words(&nobody);
        assert!(!nobody.status.success() && printed.is_empty(), "{}: {printed}", client.language);
        assert!(told.contains("a bearer token is needed"), "{}: {told}", client.language);
        assert!(!told.contains("asking again"), "{}: {told}", client.language);
        let open = output(client.command(&address, &["--token", &token]));
        let (_, told) = words(&open);
        assert!(!open.status.success() && !told.contains("asking again"), "{}: {told}", client.language);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_shown_where_the_server_wants_one() {
    let safe =
        start(|files, authority| format!("client_ca = {:?}\n", files.write("clients.pem", &authority.pem())))
            .await;
    let (_, line) = expected(&safe.server.service, Some(FEW)).await;
    let ca = safe.file("ca.pem", &safe.authority.pem());
    let uri = SanType::URI("spiffe://test/acme".try_into().unwrap());
    let (cert, key) = safe.authority.issue(vec![uri], "somebody");
    let (cert, key) = (safe.file("own.pem", &cert), safe.file("own.key", &key));
    for client in Client::all() {
        let options = ["--passes", &FEW.to_string(), "--ca", &ca, "--cert", &cert, "--key", &key];
        assert_eq!(client.line(&safe.address(), &options), line, "{}", client.language);
    }
}
