//! Signatures after Standard Webhooks 1.0.0: HMAC-SHA256 of `id.timestamp.body`, one for each secret, so
//! that a secret can be exchanged while both are known.
//!
//! Made here and not by the `standardwebhooks` crate, which signs with one secret at a time and only
//! text; the tests check with that crate what is made here.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::secret::Secret;

const PREFIX: &str = "whsec_";
/// Source: Standard Webhooks 1.0.0, "Signature scheme": 24 to 64 bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Signs for one endpoint. `Debug` shows no key.
pub(super) struct Signer(Vec<Hmac<Sha256>>);

impl Signer {
    /// A signer with the secrets in this text, `whsec_<base64>`, separated by white space; `None` when
    /// there is none or one has another form.
    pub(super) fn of(secrets: &Secret) -> Option<Self> {
        let key = |text: &str| {
            let key = STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
            KEY_BYTES.contains(&key.len()).then(|| Hmac::new_from_slice(&key).expect("HMAC takes keys of any length"))
        };
        let keys: Vec<_> = secrets.expose().split_whitespace().map(key).collect::<Option<_>>()?;
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The value of `webhook-signature`.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let sign = |key: &Hmac<Sha256>| {
            let mut mac = key.clone();
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.0.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} credentials]", self.0.len())
    }
}
