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
        if !self.auth.algorithms.iter().any(|allowed| jsonwebtoken::Algorithm::from(*allowed) == header.alg) {
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

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    /// A key that signs, its name, and a file of keys.
    struct Signer(&'static str, EncodingKey);

    impl Signer {
        fn new(id: &'static str) -> Self {
            let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
            Self(id, EncodingKey::from_ec_der(&pair.serialize_der()))
        }

        fn public(&self) -> Jwk {
            let mut key = Jwk::from_encoding_key(&self.1, Algorithm::ES256).unwrap();
            key.common.key_id = Some(self.0.into());
            key
        }

        fn token(&self) -> String {
            let header = Header { kid: Some(self.0.into()), ..Header::new(Algorithm::ES256) };
            let claims = json!({ "sub": "acme", "aud": "unmask", "exp": u32::MAX });
            encode(&header, &claims, &self.1).unwrap()
        }
    }

    fn write(dir: &TempDir, keys: &[&Signer]) -> PathBuf {
        let keys = JwkSet { keys: keys.iter().map(|signer| signer.public()).collect() };
        let file = dir.path().join("jwks.json");
        std::fs::write(&file, serde_json::to_string(&keys).unwrap()).unwrap();
        file
    }

    fn verifier(file: &Path) -> Verifier {
        Verifier::new(file, &Auth { audience: Some("unmask".into()), ..Auth::default() }).unwrap()
    }

    #[test]
    fn an_unknown_key_is_looked_for_at_once_and_a_flood_of_them_looks_once_in_a_while() {
        let (dir, old, new) = (tempfile::tempdir().unwrap(), Signer::new("old"), Signer::new("new"));
        let verifier = verifier(&write(&dir, &[&old]));
        write(&dir, &[&old, &new]);
        // Somebody has just looked.
        verifier.seen.lock().unwrap().1 = Instant::now() + Duration::from_secs(3600);
        assert!(verifier.verify(&new.token()).is_err());
        verifier.seen.lock().unwrap().1 = Instant::now().checked_sub(2 * PAUSE).unwrap();
        assert_eq!(verifier.verify(&new.token()).unwrap().tenant, "acme");
        assert!(verifier.verify(&old.token()).is_ok());
    }

    #[test]
    fn a_key_that_names_no_algorithm_is_for_its_own_family_alone() {
        let (dir, signer) = (tempfile::tempdir().unwrap(), Signer::new("one"));
        let mut key = signer.public();
        key.common.key_algorithm = None;
        let file = dir.path().join("jwks.json");
        std::fs::write(&file, serde_json::to_string(&JwkSet { keys: vec![key] }).unwrap()).unwrap();
        let verifier = verifier(&file);
        let token = signer.token();
        assert!(verifier.verify(&token).is_ok());
        // {"alg":"EdDSA","typ":"JWT","kid":"one"}
        let (_, rest) = token.split_once('.').unwrap();
        let other = format!("eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6Im9uZSJ9.{rest}");
        let error = verifier.verify(&other).unwrap_err();
        assert_eq!(error, RequestError::Unknown("the token's algorithm is not its key's"));
    }

    #[test]
    fn keys_that_cannot_be_read_leave_the_old_ones() {
        let (dir, signer) = (tempfile::tempdir().unwrap(), Signer::new("one"));
        let file = write(&dir, &[&signer]);
        let verifier = verifier(&file);
        for broken in ["{\"keys\": [", "{\"keys\": []}", ""] {
            std::fs::write(&file, broken).unwrap();
            verifier.refresh();
            assert!(verifier.verify(&signer.token()).is_ok(), "{broken}");
        }
        std::fs::remove_file(&file).unwrap();
        verifier.refresh();
        assert!(verifier.verify(&signer.token()).is_ok());
        let other = Signer::new("other");
        write(&dir, &[&other]);
        verifier.refresh();
        assert!(verifier.verify(&signer.token()).is_err() && verifier.verify(&other.token()).is_ok());
    }
}
