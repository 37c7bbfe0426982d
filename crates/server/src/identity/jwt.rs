//! Bearer tokens: JSON Web Tokens (RFC 7519) that a key of a file of keys (RFC 7517) has signed.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::config::Auth;
use crate::error::{RequestError, StartError};

/// Believes tokens of the keys of one file.
pub(super) struct Verifier {
    file: PathBuf,
    keys: ArcSwap<JwkSet>,
    /// What is known of the file, and when it was looked at.
    seen: Mutex<(Stamp, Instant)>,
    auth: Auth,
}

/// What a token says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) tenant: String,
    pub(super) subject: String,
}

/// Longest name of a tenant or subject: it stands in logs and audit records.
const LONGEST: usize = 256;
/// Between two looks at the file because of unknown keys.
const PAUSE: Duration = Duration::from_millis(200);

impl Verifier {
    pub(super) fn new(file: &Path, auth: &Auth) -> Result<Self, StartError> {
        let seen = Mutex::new((stamp(file), Instant::now()));
        let keys = read(file).map_err(|reason| StartError::Keys { file: file.into(), reason })?;
        Ok(Self { file: file.into(), keys: ArcSwap::from_pointee(keys), seen, auth: auth.clone() })
    }

    /// Reads the file again where it has changed. Keys that cannot be read leave the old ones.
    pub(super) fn refresh(&self) {
        let now = stamp(&self.file);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.1 = Instant::now();
        if now == seen.0 {
            return;
        }
        seen.0 = now;
        match read(&self.file) {
            Ok(keys) => {
                tracing::info!(keys = keys.keys.len(), "read the keys of tokens again");
                self.keys.store(keys.into());
            }
            Err(reason) => tracing::error!(reason, "cannot read the keys of tokens, the old ones stay"),
        }
    }

    /// What a token says, if it is to be believed.
    pub(super) fn verify(&self, token: &str) -> Result<Claims, RequestError> {
        let header = decode_header(token).map_err(|error| unknown(&error))?;
        if !self.auth.algorithms.iter().any(|allowed| allowed.0 == header.alg) {
            return Err(RequestError::Unknown("the token's algorithm is not one that this server believes"));
        }
        let mut keys = self.keys.load_full();
        if key(&keys, header.kid.as_deref()).is_none() {
            // A key that is new may be in a file that is newer; a flood of unknown keys looks once in a while.
            if self.seen.lock().unwrap_or_else(PoisonError::into_inner).1.elapsed() > PAUSE {
                self.refresh();
            }
            keys = self.keys.load_full();
        }
        let key = key(&keys, header.kid.as_deref())
            .ok_or(RequestError::Unknown("the token names no key that this server knows"))?;
        let named = key.common.key_algorithm.map(|algorithm| algorithm.to_string());
        let decoding = DecodingKey::from_jwk(key).map_err(|error| unknown(&error))?;
        if named.is_some_and(|named| named != format!("{:?}", header.alg))
            || decoding.family() != header.alg.family()
        {
            return Err(RequestError::Unknown("the token's algorithm is not its key's"));
        }
        let mut validation = Validation::new(header.alg);
        validation.leeway = self.auth.leeway_seconds;
        validation.validate_nbf = true;
        let mut required = vec!["exp", "aud"];
        validation.set_audience(&self.auth.audience.iter().collect::<Vec<_>>());
        if let Some(issuer) = &self.auth.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        let token = decode::<Map<String, Value>>(token, &decoding, &validation);
        let claims = token.map_err(|error| unknown(&error))?.claims;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| is_name(text));
        let tenant = text(&self.auth.tenant_claim)
            .ok_or(RequestError::Unknown("the token has no claim that names its tenant"))?;
        Ok(Claims { tenant: tenant.to_owned(), subject: text("sub").unwrap_or(tenant).to_owned() })
    }
}

fn is_name(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The key of that name; where a token names none, the only one.
fn key<'a>(keys: &'a JwkSet, id: Option<&str>) -> Option<&'a Jwk> {
    match (id, keys.keys.as_slice()) {
        (Some(id), _) => keys.find(id),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// What tells a file from the one that was read: its time, size and place on the device.
type Stamp = Option<(SystemTime, u64, u64)>;

fn stamp(file: &Path) -> Stamp {
    let of = std::fs::metadata(file).ok()?;
    Some((of.modified().ok()?, of.len(), of.ino()))
}

fn read(file: &Path) -> Result<JwkSet, String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let keys: JwkSet =
        serde_json::from_slice(&bytes).map_err(|error| format!("it is no JWK set: {error}"))?;
    if keys.keys.is_empty() {
        return Err("it holds no key".into());
    }
    Ok(keys)
}

/// Why a token is not believed, without a word of it.
fn unknown(error: &jsonwebtoken::errors::Error) -> RequestError {
    #[allow(clippy::wildcard_enum_match_arm, reason = "the library may add kinds")]
    RequestError::Unknown(match error.kind() {
        ErrorKind::ExpiredSignature => "the token has expired, ask for a new one",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::InvalidIssuer => "the token is of another issuer",
        ErrorKind::InvalidSignature => "the token's signature is wrong",
        ErrorKind::MissingRequiredClaim(_) => {
            "the token lacks a claim: exp, aud and where configured iss are needed"
        }
        _ => "the token cannot be read",
    })
}
