//! Bearer tokens: JWTs signed with the file `jwt-key` (HS256). Knows no users.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::users::Role;

/// The file's name in AUTH_DIR.
pub const FILE: &str = "jwt-key";

/// How long a token is valid, in seconds.
pub(crate) const LIFETIME: i64 = 3600;

/// RFC 7518, 3.2: an HS256 key has at least the size of the hash.
const SHORTEST_KEY: usize = 32;

/// Why `jwt-key` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("could not read {}; add key {FILE} to the Secret of spec.api.authSecretRef (AUTH_DIR)", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It can be guessed.
    #[error("{} holds {length} bytes, fewer than {SHORTEST_KEY}; make one with `openssl rand -hex 32`", path.display())]
    TooShort {
        /// Its path.
        path: PathBuf,
        /// Its length without white space around it.
        length: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    role: Role,
    iat: i64,
    exp: i64,
}

/// Makes and reads tokens.
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// Reads `jwt-key` of this folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let bytes = std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        // Whether a Secret was made with or without a line end at the end makes no other key.
        let key = bytes.trim_ascii();
        if key.len() < SHORTEST_KEY {
            return Err(Error::TooShort { path, length: key.len() });
        }
        Ok(Self::with_key(key))
    }

    fn with_key(key: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "sub"]);
        // Only our own pods make tokens, and their clocks are kept by the cluster.
        validation.leeway = 0;
        Self { encoding: EncodingKey::from_secret(key), decoding: DecodingKey::from_secret(key), validation }
    }

    /// A token of this user that is valid from now for an hour.
    pub(crate) fn issue(&self, username: &str, role: Role, now: Timestamp) -> String {
        let claims = Claims { sub: username.to_owned(), role, iat: now.as_second(), exp: now.as_second() + LIFETIME };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .expect("the key is an HMAC key and the claims are plain JSON")
    }

    /// The user name in a token that we signed and that has not expired.
    pub(crate) fn username(&self, token: &str) -> Option<String> {
        let data = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        Some(data.claims.sub)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

    #[test]
    fn a_token_names_its_user_for_an_hour() {
        let tokens = Tokens::with_key(KEY);
        let now = Timestamp::now();
        assert_eq!(tokens.username(&tokens.issue("ana", Role::User, now)).as_deref(), Some("ana"));
        let old = tokens.issue("ana", Role::User, now - SignedDuration::from_secs(LIFETIME + 1));
        assert_eq!(tokens.username(&old), None);
    }

    #[test]
    fn a_token_of_another_key_or_algorithm_is_refused() {
        let tokens = Tokens::with_key(KEY);
        let theirs = Tokens::with_key(b"another key of at least 32 bytes!!");
        assert_eq!(tokens.username(&theirs.issue("ana", Role::Service, Timestamp::now())), None);
        let claims = Claims { sub: "ana".into(), role: Role::User, iat: 0, exp: i64::MAX };
        let stronger = jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims, &EncodingKey::from_secret(KEY));
        assert_eq!(tokens.username(&stronger.unwrap()), None);
        // {"alg":"none"} with an empty signature.
        assert_eq!(tokens.username("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbmEiLCJleHAiOjk5OTk5OTk5OTl9."), None);
    }

    #[test]
    fn a_key_that_is_missing_or_short_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Tokens::read(folder.path()).unwrap_err().to_string();
        assert!(missing.contains("jwt-key") && missing.contains("authSecretRef"), "{missing}");
        std::fs::write(folder.path().join(FILE), "too short\n").unwrap();
        let short = Tokens::read(folder.path()).unwrap_err().to_string();
        assert!(short.contains("holds 9 bytes, fewer than 32"), "{short}");
        assert!(!short.contains("too short"), "the key itself is not shown: {short}");
    }
}
