//! Who may ask: tokens and certificates that are believed and those that are not, and what a tenant may.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod certificates;
mod keys;
mod tenants;
mod tokens;

use std::fmt::Write as _;

use tonic::metadata::AsciiMetadataValue;
use tonic::{Request, Status};
use unmask_protocol::v1;
use unmask_server::Config;
use unmask_tests::{Root, request};

/// The shipped detector under a configuration file.
fn configured(root: &Root, file: &str) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("unmask.toml");
    std::fs::write(&path, file).unwrap();
    root.config_over(Some(&path), &[])
}

/// The lines that ask for tokens of these keys.
fn tokens_of(jwks: &str) -> String {
    let mut lines = String::new();
    writeln!(lines, "[auth]\njwks = \"{jwks}\"\naudience = \"unmask\"\nissuer = \"https://issuer.test\"")
        .unwrap();
    lines
}

/// A request that costs one pass, with a token.
fn predict(token: Option<&str>) -> Request<v1::PredictRequest> {
    with(v1::PredictRequest { image: request().image, ..Default::default() }, token)
}

fn with<T>(message: T, token: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let value: AsciiMetadataValue = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

fn said(status: &Status) -> (tonic::Code, &str) {
    (status.code(), status.message())
}
