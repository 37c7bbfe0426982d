//! TLS, tokens and certificates of clients.

use rcgen::SanType;
use unmask_tests::Root;
use unmask_tests::started::Started;

use super::keys::{Authority, Files, Signer, claims};
use super::{ANSWERED, Client, FEW, FORGETFUL, OPTIONS, expected};

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
    let server = Started::over(&Root::new(&[]).config_over(Some(&config), &[FORGETFUL])).await;
    Safe { server, files, authority }
}

/// Lines of a server that wants tokens of this signer.
fn tokens(files: &Files, signer: &Signer) -> String {
    let jwks = files.keys(vec![signer.public()]);
    format!("[auth]\njwks = {jwks:?}\naudience = \"unmask\"\nissuer = \"https://issuer.test\"\n")
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
async fn a_token_is_sent_over_tls() {
    let signer = Signer::new("one");
    let safe = start(|files, _| tokens(files, &signer)).await;
    let (_, line) = expected(&safe.server.service, Some(FEW)).await;
    let (ca, token) = (safe.file("ca.pem", &safe.authority.pem()), signer.sign(&claims("acme")));
    let token = safe.file("token", &format!("{token}\n"));
    let (address, few) = (safe.address(), FEW.to_string());
    for client in Client::all() {
        let options = ["--passes", &few, "--ca", &ca, "--token", &token];
        assert_eq!(client.line(&address, &options), line, "{}", client.language);
        let told = client.fails(client.command(&address, &["--ca", &ca]), ANSWERED);
        assert!(told.contains("a bearer token is needed"), "{}: {told}", client.language);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_or_token_without_what_it_needs_is_refused_before_anything_is_sent() {
    let (files, authority, server) = (Files::new(), Authority::new(), Started::with(&[]).await);
    let (cert, key) = authority.issue(Vec::new(), "somebody");
    let file = |name: &str, text: &str| files.write(name, text).to_string_lossy().into_owned();
    let (cert, key) = (file("own.pem", &cert), file("own.key", &key));
    let (ca, token) = (file("ca.pem", &authority.pem()), file("token", "a.b.c"));
    let cases = [
        (vec!["--cert", &*cert, "--key", &*key], "--ca"),
        (vec!["--ca", &*ca, "--cert", &*cert], "--key"),
        (vec!["--ca", &*ca, "--key", &*key], "--cert"),
        (vec!["--token", &*token], "--ca"),
    ];
    let address = server.address.to_string();
    for client in Client::all() {
        for (options, missing) in &cases {
            let told = client.fails(client.command(&address, options), OPTIONS);
            assert!(told.contains(missing), "{} {options:?}: {told}", client.language);
        }
    }
    assert_eq!(server.service.passes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_larger_than_headers_may_be_is_refused() {
    let safe = start(|files, _| tokens(files, &Signer::new("one"))).await;
    let (ca, token) = (safe.file("ca.pem", &safe.authority.pem()), safe.file("token", &"a".repeat(20 << 10)));
    for client in Client::all() {
        let large = client.command(&safe.address(), &["--ca", &ca, "--token", &token]);
        let told = client.fails(large, ANSWERED);
        // gRPC for Go does not send what the server says that it will not take.
        let code = if client.language == "Go" { "internal: " } else { "unknown: " };
        assert!(told.to_lowercase().starts_with(code), "{}: {told}", client.language);
    }
}
