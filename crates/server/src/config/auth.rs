//! Who may ask, and for what.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Faults;
use crate::decode::Class;

/// How callers prove who they are.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// File of the keys (RFC 7517) that sign bearer tokens; read again when it changes. Without it no token is asked for.
    pub jwks: Option<PathBuf>,
    /// What a token's `aud` must hold. Needed with jwks.
    pub audience: Option<String>,
    /// What a token's `iss` must be.
    pub issuer: Option<String>,
    /// Algorithms that are believed (RFC 7518, RFC 8037); asymmetric ones only, as the keys are public.
    #[schemars(length(min = 1, max = 9))]
    pub algorithms: Vec<Algorithm>,
    /// Seconds by which clocks may differ.
    #[schemars(range(min = 0, max = 600))]
    pub leeway_seconds: u64,
    /// The claim that names the tenant.
    pub tenant_claim: String,
}

/// An algorithm of signatures, as RFC 7518 and RFC 8037 name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// A tenant, and what it may.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tenant {
    /// Names of models that it may use; all where it is not given.
    pub models: Option<Vec<String>>,
    /// Priorities that it may ask for; all where it is not given.
    pub priorities: Option<Vec<ClassWord>>,
    /// Passes that it gets a second in the long run; no limit where it is not given.
    #[schemars(range(min = 1.0, max = 1e12))]
    pub passes_per_second: Option<f64>,
    /// Passes that it may be ahead; default ten seconds' worth.
    #[schemars(range(min = 1.0, max = 1e12))]
    pub burst: Option<f64>,
    /// Names in clients' certificates (URI or DNS of the subject's alternative names, else the common name) that stand for it.
    pub certificates: Vec<String>,
}

/// A class of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWord {
    Interactive,
    Normal,
    Bulk,
}

impl From<ClassWord> for Class {
    fn from(word: ClassWord) -> Self {
        match word {
            ClassWord::Interactive => Self::Interactive,
            ClassWord::Normal => Self::Normal,
            ClassWord::Bulk => Self::Bulk,
        }
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(word: Algorithm) -> Self {
        match word {
            Algorithm::RS256 => Self::RS256,
            Algorithm::RS384 => Self::RS384,
            Algorithm::RS512 => Self::RS512,
            Algorithm::PS256 => Self::PS256,
            Algorithm::PS384 => Self::PS384,
            Algorithm::PS512 => Self::PS512,
            Algorithm::ES256 => Self::ES256,
            Algorithm::ES384 => Self::ES384,
            Algorithm::EdDSA => Self::EdDSA,
        }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            jwks: None,
            audience: None,
            issuer: None,
            algorithms: vec![Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA],
            leeway_seconds: 30,
            tenant_claim: "sub".into(),
        }
    }
}

impl Auth {
    pub(super) fn check(&self, faults: &mut Faults) {
        if self.jwks.is_some() && self.audience.as_ref().is_none_or(String::is_empty) {
            faults.add("auth.audience is missing, a token for somebody else would be believed".into());
        }
        if self.tenant_claim.is_empty() {
            faults.add("auth.tenant_claim is empty, name a claim such as sub".into());
        }
    }
}

/// Checks every tenant, that no certificate stands for two, and that it is known who asks: limits of nobody hold for nobody.
pub(super) fn check(tenants: &BTreeMap<String, Tenant>, known: bool, faults: &mut Faults) {
    if !known && !tenants.is_empty() {
        let names = tenants.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        faults.add(format!(
            "tenants has {names}, and nothing tells who asks: set auth.jwks or tls.client_ca, or leave tenants out"
        ));
    }
    let mut owners = BTreeMap::new();
    for (name, tenant) in tenants {
        for (key, value) in [("passes_per_second", tenant.passes_per_second), ("burst", tenant.burst)] {
            if let Some(got) = value.filter(|value| !value.is_finite()) {
                faults.add(format!("tenants.{name}.{key} is {got}, it must be finite"));
            }
        }
        if tenant.burst.is_some() && tenant.passes_per_second.is_none() {
            faults.add(format!("tenants.{name}.burst is set without passes_per_second, set both"));
        }
        for certificate in &tenant.certificates {
            if let Some(other) = owners.insert(certificate, name) {
                faults.add(format!("tenants.{name}.certificates: \"{certificate}\" is {other}'s already"));
            }
        }
    }
}
