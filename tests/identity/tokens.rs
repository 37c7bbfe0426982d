//! Bearer tokens.

use serde_json::json;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use unmask_tests::Root;
use unmask_tests::browser::Browser;
use unmask_tests::started::Started;

use super::keys::{Files, Signer, but, claims, now};
use super::{configured, predict, said, tokens_of};

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_that_holds_in_every_way_is_believed() {
    let (files, signer, stranger) = (Files::new(), Signer::new("one"), Signer::new("other"));
    let root = Root::new(&[]);
    let file =
        tokens_of(&files.keys(vec![signer.public()])) + "algorithms = [\"ES256\", \"ES384\", \"EdDSA\"]\n";
    let server = Started::over(&configured(&root, &file)).await;
    let mut client = server.client().await;
    let good = signer.sign(&claims("acme"));
    assert!(client.predict(predict(Some(&good))).await.is_ok());
    let [header, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    // {"alg":"none","typ":"JWT"} and {"alg":"HS256","typ":"JWT","kid":"one"}
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.");
    let symmetric = format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Im9uZSJ9.{body}.{signature}");
    let swapped = signer.sign(&claims("other"));
    let swapped = format!("{header}.{}.{signature}", swapped.split('.').nth(1).unwrap());
    let without = |name: &str| {
        let mut claims = claims("acme");
        claims.as_object_mut().unwrap().remove(name);
        signer.sign(&claims)
    };
    // The same of EdDSA and ES384.
    let family = format!("eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6Im9uZSJ9.{body}.{signature}");
    let sibling = format!("eyJhbGciOiJFUzM4NCIsInR5cCI6IkpXVCIsImtpZCI6Im9uZSJ9.{body}.{signature}");
    let no_tenant = "the token has no claim that names its tenant";
    let not_its_keys = "the token's algorithm is not its key's";
    let expired = "the token has expired, ask for a new one";
    let signature_wrong = "the token's signature is wrong";
    let lacks = "the token lacks a claim: exp, aud and where configured iss are needed";
    let unreadable = "the token cannot be read";
    let table = [
        ("expired", signer.sign(&but("exp", json!(now() - 60))), expired),
        ("not yet valid", signer.sign(&but("nbf", json!(now() + 60))), "the token is not valid yet"),
        ("wrong audience", signer.sign(&but("aud", json!("billing"))), "the token is for another audience"),
        (
            "wrong issuer",
            signer.sign(&but("iss", json!("https://evil.test"))),
            "the token is of another issuer",
        ),
        ("alg none", none, unreadable),
        (
            "a public key as a shared secret",
            symmetric,
            "the token's algorithm is not one that this server believes",
        ),
        ("wrong key", stranger.sign_as(Some("one"), &claims("acme")), signature_wrong),
        ("unknown key", stranger.sign(&claims("acme")), "the token names no key that this server knows"),
        ("claims of another", swapped, signature_wrong),
        ("no expiry", without("exp"), lacks),
        ("no audience", without("aud"), lacks),
        ("no issuer", without("iss"), lacks),
        ("no tenant", without("sub"), no_tenant),
        ("a tenant without end", signer.sign(&but("sub", json!("a".repeat(257)))), no_tenant),
        ("a tenant of control characters", signer.sign(&but("sub", json!("acme\u{1b}[2J"))), no_tenant),
        ("an algorithm of another family", family, not_its_keys),
        ("an algorithm of the same family", sibling, not_its_keys),
        ("no token", "garbage".into(), unreadable),
        ("empty", String::new(), unreadable),
    ];
    for (case, token, reason) in table {
        let status = client.predict(predict(Some(&token))).await.unwrap_err();
        assert_eq!(said(&status), (Code::Unauthenticated, reason), "{case}");
        let long = token.len() > 20;
        assert!(!long || !format!("{status:?}").contains(&token), "{case}: the token comes back");
    }
    let status = client.predict(predict(None)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert!(status.message().starts_with("a bearer token is needed"), "{status}");
    assert_eq!(server.service.passes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tokens_are_none_and_one_that_names_no_key_is_of_the_only_one() {
    let (files, signer, other) = (Files::new(), Signer::new("one"), Signer::new("two"));
    let root = Root::new(&[]);
    for (keys, believed) in [(vec![signer.public()], true), (vec![signer.public(), other.public()], false)] {
        let server = Started::over(&configured(&root, &tokens_of(&files.keys(keys)))).await;
        let mut client = server.client().await;
        let nameless = client.predict(predict(Some(&signer.sign_as(None, &claims("acme"))))).await;
        match nameless {
            Ok(_) => assert!(believed),
            Err(status) => {
                let reason = "the token names no key that this server knows";
                assert_eq!((said(&status), believed), ((Code::Unauthenticated, reason), false));
            }
        }
        let good = signer.sign(&claims("acme"));
        let mut twice = predict(Some(&good));
        twice.metadata_mut().append("authorization", format!("Bearer {good}").parse().unwrap());
        let status = client.predict(twice).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        assert!(client.predict(predict(Some(&good))).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_may_differ_a_little() {
    let (files, signer) = (Files::new(), Signer::new("one"));
    let root = Root::new(&[]);
    let config = configured(&root, &tokens_of(&files.keys(vec![signer.public()])));
    let server = Started::over(&config).await;
    let mut client = server.client().await;
    for slightly in [but("exp", json!(now() - 15)), but("nbf", json!(now() + 15))] {
        assert!(client.predict(predict(Some(&signer.sign(&slightly)))).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_exchanged_is_believed_at_once_and_the_old_one_no_more() {
    let (files, old, new) = (Files::new(), Signer::new("old"), Signer::new("new"));
    let root = Root::new(&[]);
    let config = configured(&root, &tokens_of(&files.keys(vec![old.public()])));
    let server = Started::over(&config).await;
    let mut client = server.client().await;
    let (by_old, by_new) = (old.sign(&claims("acme")), new.sign(&claims("acme")));
    assert!(client.predict(predict(Some(&by_old))).await.is_ok());
    assert!(client.predict(predict(Some(&by_new))).await.is_err());
    // While both are there, both are believed; half a file changes nothing.
    files.keys(vec![old.public(), new.public()]);
    let known = async { while client.predict(predict(Some(&by_new))).await.is_err() {} };
    tokio::time::timeout(unmask_tests::PATIENCE, known).await.unwrap();
    assert!(client.predict(predict(Some(&by_old))).await.is_ok());
    files.write("jwks.json", "{\"keys\": [");
    assert!(client.predict(predict(Some(&by_new))).await.is_ok());
    files.keys(vec![new.public()]);
    let gone = async {
        while client.predict(predict(Some(&by_old))).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(unmask_tests::PATIENCE, gone).await.unwrap();
    assert!(server.client().await.predict(predict(Some(&by_new))).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_to_everybody_and_nothing_else_is() {
    let (files, signer) = (Files::new(), Signer::new("one"));
    let root = Root::new(&[]);
    let config = configured(&root, &tokens_of(&files.keys(vec![signer.public()])));
    let server = Started::over(&config).await;
    let channel = server.channel().await;
    let mut health = HealthClient::new(channel.clone());
    assert!(health.check(HealthCheckRequest::default()).await.is_ok());
    let mut models = unmask_protocol::v1::model_service_client::ModelServiceClient::new(channel);
    let listed = models.list_models(unmask_protocol::v1::ListModelsRequest {}).await;
    assert_eq!(listed.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_for_everybody_and_its_calls_want_a_token() {
    let (files, signer) = (Files::new(), Signer::new("one"));
    let root = Root::new(&[]);
    let file = format!("[server]\nui = true\n{}", tokens_of(&files.keys(vec![signer.public()])));
    let server = Started::over(&configured(&root, &file)).await;
    let mut browser = Browser::connect(server.address).await;
    assert_eq!(browser.ask("GET /", &[]).await.unwrap().status, 200);
    let (path, message) = ("/unmask.v1.ExplanationService/Predict", predict(None).into_inner());
    let refused = browser.call(path, &message, &[]).await.unwrap();
    assert_eq!(refused.status().0, Code::Unauthenticated);
    let token = format!("Bearer {}", signer.sign(&claims("acme")));
    let answered = browser.call(path, &message, &[("authorization", &token)]).await.unwrap();
    assert_eq!(answered.status().0, Code::Ok);
}
