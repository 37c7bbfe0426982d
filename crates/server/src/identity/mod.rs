//! Who asks, and what they may ask for.
//!
//! A caller is known by a bearer token, by the certificate of its connection, or, where the server is told to be insecure, not
//! at all. What is known becomes an [`Identity`] before the request's body is read. Neither tokens nor keys are ever logged.

mod jwt;
mod quota;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use self::jwt::Verifier;
use self::quota::Quota;
use crate::admission::Price;
use crate::config::{self, Config};
use crate::decode::Class;
use crate::error::{RequestError, Shortage, StartError};

pub(crate) use self::quota::Charge;

/// Who asks.
#[derive(Clone)]
pub(crate) struct Identity {
    /// The one who asks, as the token or the certificate names it; nobody where callers need not prove who they are.
    pub(crate) subject: Option<Arc<str>>,
    pub(crate) tenant: Arc<Tenant>,
}

/// For whom a caller asks, and what they may.
pub(crate) struct Tenant {
    /// Empty where there are no tenants.
    pub(crate) name: String,
    models: Option<BTreeSet<String>>,
    priorities: Option<Vec<Class>>,
    quota: Option<Arc<Quota>>,
}

/// The names in the certificate of a connection.
pub(crate) type Names = Arc<[String]>;

/// Knows callers.
pub(crate) struct Guard {
    verifier: Option<Verifier>,
    by_certificate: bool,
    tenants: BTreeMap<String, Arc<Tenant>>,
    owners: BTreeMap<String, String>,
}

impl Default for Identity {
    /// Whoever calls in this process, or asks an insecure server.
    fn default() -> Self {
        Self { subject: None, tenant: Arc::new(Tenant::named(String::new(), &config::Tenant::default())) }
    }
}

impl Tenant {
    fn named(name: String, may: &config::Tenant) -> Self {
        let models = may.models.as_ref().map(|models| models.iter().cloned().collect());
        let priorities =
            may.priorities.as_ref().map(|words| words.iter().map(|word| (*word).into()).collect());
        let quota = may.passes_per_second.map(|rate| Quota::new(rate, may.burst.unwrap_or(10.0 * rate)));
        Self { name, models, priorities, quota: quota.map(Arc::new) }
    }

    /// Whether it may know of a model.
    pub(crate) fn may_use(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.contains(model))
    }

    /// # Errors
    /// [`RequestError::Forbidden`] for a priority that it may not ask for.
    pub(crate) fn may_ask(&self, class: Class) -> Result<(), RequestError> {
        match &self.priorities {
            Some(allowed) if !allowed.contains(&class) => {
                let allowed: Vec<_> = allowed.iter().map(|class| class.name()).collect();
                let message = format!(
                    "priority: got {}, allowed for this caller are {}",
                    class.name(),
                    allowed.join(", ")
                );
                Err(RequestError::Forbidden(message))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Takes the passes of a request from what it has; of a request that is answered, what was not run comes back.
    ///
    /// # Errors
    /// [`Shortage::Quota`] with the time after which there are some again.
    pub(crate) fn charge(&self, price: Price) -> Result<Option<Charge>, RequestError> {
        let Some(quota) = &self.quota else { return Ok(None) };
        quota.take(price.passes).map(Some).map_err(|wait| Shortage::Quota { wait }.into())
    }

    /// The same, as soon as there are enough.
    pub(crate) async fn charge_in_time(&self, price: Price) -> Result<Option<Charge>, RequestError> {
        loop {
            match self.charge(price) {
                Err(RequestError::Full(Shortage::Quota { wait })) => tokio::time::sleep(wait).await,
                done => return done,
            }
        }
    }
}

impl Guard {
    /// # Errors
    /// [`StartError::Keys`] when the file of keys cannot be read.
    pub(crate) fn new(config: &Config) -> Result<Self, StartError> {
        let tenants = config.tenants.iter();
        let owners = tenants.clone().flat_map(|(name, tenant)| {
            tenant.certificates.iter().map(move |certificate| (certificate.clone(), name.clone()))
        });
        let verifier = config.auth.jwks.as_ref().map(|file| Verifier::new(file, &config.auth)).transpose()?;
        Ok(Self {
            by_certificate: config.tls.client_ca.is_some(),
            owners: owners.collect(),
            tenants: tenants
                .map(|(name, may)| (name.clone(), Arc::new(Tenant::named(name.clone(), may))))
                .collect(),
            verifier,
        })
    }

    /// Reads the keys again where their file has changed.
    pub(crate) fn refresh(&self) {
        self.verifier.iter().for_each(Verifier::refresh);
    }

    /// Who sends these headers over a connection whose certificate has these names.
    ///
    /// # Errors
    /// [`RequestError::Unknown`] and [`RequestError::Forbidden`].
    pub(crate) fn identify(&self, headers: &HeaderMap, names: &Names) -> Result<Identity, RequestError> {
        let owner = names.iter().find_map(|name| Some((name, self.owners.get(name)?)));
        if let Some(verifier) = &self.verifier {
            let claims = verifier.verify(bearer(headers)?)?;
            // A certificate does not carry the token of somebody else. Where certificates stand for nobody, tokens alone count.
            let bound = self.by_certificate && !self.owners.is_empty();
            if bound && owner.is_none_or(|(_, owner)| *owner != claims.tenant) {
                return Err(RequestError::Forbidden("the token is not of the certificate's tenant".into()));
            }
            return self.tenant(claims.tenant, claims.subject);
        }
        if !self.by_certificate {
            return Ok(Identity::default());
        }
        match (owner, names.first()) {
            (Some((name, owner)), _) => self.tenant(owner.clone(), name.clone()),
            (None, Some(name)) if self.tenants.is_empty() => self.tenant(name.clone(), name.clone()),
            (None, Some(_)) => Err(RequestError::Forbidden(
                "the certificate is of no tenant of this server; ask its operator to name it".into(),
            )),
            (None, None) => Err(RequestError::Unknown("the certificate names nobody")),
        }
    }

    fn tenant(&self, name: String, subject: String) -> Result<Identity, RequestError> {
        let tenant = match self.tenants.get(&name) {
            Some(tenant) => Arc::clone(tenant),
            None if self.tenants.is_empty() => Arc::new(Tenant::named(name, &config::Tenant::default())),
            None => {
                let message = "you are no tenant of this server; ask its operator to name you";
                return Err(RequestError::Forbidden(message.into()));
            }
        };
        Ok(Identity { subject: Some(subject.into()), tenant })
    }
}

/// The bearer token (RFC 6750).
fn bearer(headers: &HeaderMap) -> Result<&str, RequestError> {
    let missing = "a bearer token is needed: send the header authorization with \"Bearer \" and the token";
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (given.next(), given.next()) else {
        return Err(RequestError::Unknown(missing));
    };
    let text = header.to_str().map_err(|_| RequestError::Unknown(missing))?;
    match text.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer ") => Ok(token.trim()),
        Some(_) | None => Err(RequestError::Unknown(missing)),
    }
}
