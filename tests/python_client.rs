//! A Python client that is generated from `proto/` with grpcio-tools gets an explanation.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

use unmask_server::serve;
use unmask_tests::{Root, from_set_up, project};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_generated_from_the_contract_gets_an_explanation() {
    let root = Root::new(&[]);
    let service = root.service(&[]);
    let running = serve(&root.config(&[]), service, std::future::pending()).await.unwrap();
    let address = running.address.to_string();
    tokio::spawn(running.done);
    let output = tokio::task::spawn_blocking(move || {
        Command::new(from_set_up("TEST_PYTHON"))
            .arg(project("tests/client/explain.py"))
            .arg(address)
            .arg(project("proto"))
            .arg(project("models/samples/astronaut-mouth.png"))
            .arg(project("models/samples/astronaut-real.png"))
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("\"label\": \"mouth\""), "{printed}");
}
