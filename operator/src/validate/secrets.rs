//! The Secrets that a resource names: whether their keys are there, and a hash of their content. The
//! content itself goes no further than this file.

use sha2::{Digest, Sha256};

use super::Problem;
use crate::dereference::{Referenced, SecretData};
use crate::model::{Identity, SecretMount};

/// Key of the auth Secret that signs access tokens.
pub const JWT_KEY: &str = "jwt-key";
/// Its least length in bytes: that of the hash which HS256 signs with (RFC 7518, section 3.2).
const JWT_KEY_BYTES: usize = 32;
/// Key of the auth Secret with the users.
pub const USERS: &str = "users.yaml";

/// The Secrets of one resource.
pub(super) struct Secrets<'a> {
    pub(super) identity: &'a Identity,
    pub(super) referenced: &'a Referenced,
}

impl Secrets<'_> {
    /// Checks that the Secret is there, and that each of these keys is there and not empty.
    pub(super) fn check(&self, field: &str, name: &str, keys: &[&str], problems: &mut Vec<Problem>) {
        let namespace = &self.identity.namespace;
        match self.referenced.secrets.get(name) {
            None => problems.push(Problem::new(
                field,
                format!("Secret {name} does not exist in namespace {namespace}"),
                format!("create it with the keys {}, or name another Secret", keys.join(", ")),
            )),
            Some(data) => problems.extend(keys.iter().filter(|key| is_missing(data, key)).map(|key| {
                Problem::new(
                    field,
                    format!("Secret {name} has no key {key}, or an empty one"),
                    "add the key to the Secret, or name another Secret",
                )
            })),
        }
    }

    /// A mount of these keys.
    pub(super) fn mount(&self, name: &str, keys: &[&str]) -> SecretMount {
        let content_hash = self.hash(name, keys);
        SecretMount { name: name.to_owned(), keys: keys.iter().map(|key| (*key).to_owned()).collect(), content_hash }
    }

    pub(super) fn check_jwt_key(&self, name: &str, problems: &mut Vec<Problem>) {
        let length = self.referenced.secrets.get(name).and_then(|data| data.get(JWT_KEY)).map_or(0, Vec::len);
        if (1..JWT_KEY_BYTES).contains(&length) {
            problems.push(Problem::new(
                "spec.api.authSecretRef",
                format!("key {JWT_KEY} of Secret {name} has {length} bytes, fewer than {JWT_KEY_BYTES}"),
                "put at least 32 random bytes there, for example from `openssl rand -base64 48`",
            ));
        }
    }

    /// Changes with the content of the keys. The uid of the resource is hashed too, so that equal
    /// Secrets of two clusters do not show as equal in annotations.
    fn hash(&self, name: &str, keys: &[&str]) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.identity.uid.as_bytes());
        for key in keys {
            let value = self.referenced.secrets.get(name).and_then(|data| data.get(*key));
            hasher.update(key.as_bytes());
            hasher.update(value.map_or(0, Vec::len).to_be_bytes());
            hasher.update(value.map_or(&[][..], Vec::as_slice));
        }
        crate::build::short_hash(hasher)
    }
}

fn is_missing(data: &SecretData, key: &str) -> bool {
    data.get(key).is_none_or(Vec::is_empty)
}
