//! What may come in: Meta's handshake and signature. Knows the app's secret, no account.
//! Source: provider-contracts, "Webhooks that come in".

use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::registry::Error;
use crate::secret::Secret;
use crate::webhook::{Forged, Handshake, WebhookGate};

const SIGNATURE: &str = "x-hub-signature-256";

/// The webhook of one Meta app.
#[derive(Debug)]
pub struct Gate {
    app_secret: Secret,
    verify_token: Secret,
}

impl Gate {
    /// Reads the files `app-secret` and `verify-token`.
    pub fn open(secrets: &Path) -> Result<Self, Error> {
        Ok(Self {
            app_secret: Secret::read(secrets, "app-secret")?,
            verify_token: Secret::read(secrets, "verify-token")?,
        })
    }
}

impl WebhookGate for Gate {
    fn handshake(&self, query: &str) -> Handshake {
        handshake(&self.verify_token, query)
    }

    fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Forged> {
        let header = headers.get(SIGNATURE).ok_or(Forged::Missing(SIGNATURE))?;
        verify_signature(&self.app_secret, header.as_bytes(), body)
    }
}

/// Answers `hub.mode`, `hub.verify_token` and `hub.challenge` of a raw query string.
pub fn handshake(verify_token: &Secret, query: &str) -> Handshake {
    let value =
        |name: &str| form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value);
    if value("hub.mode").as_deref() != Some("subscribe") {
        return Handshake::Refused("hub.mode is not subscribe");
    }
    let token = value("hub.verify_token").unwrap_or_default();
    if !bool::from(token.as_bytes().ct_eq(verify_token.expose().as_bytes())) {
        return Handshake::Refused("hub.verify_token is not this connector's verify-token");
    }
    match value("hub.challenge") {
        Some(challenge) => Handshake::Challenge(challenge.into_owned()),
        None => Handshake::Refused("hub.challenge is missing"),
    }
}

/// Checks the value of `X-Hub-Signature-256` (`sha256=<64 hex digits>`) against the raw body, in
/// constant time.
pub fn verify_signature(app_secret: &Secret, header: &[u8], body: &[u8]) -> Result<(), Forged> {
    let digits = header.strip_prefix(b"sha256=").ok_or(Forged::Malformed(SIGNATURE))?;
    let mut signature = [0u8; 32];
    hex::decode_to_slice(digits, &mut signature).map_err(|_| Forged::Malformed(SIGNATURE))?;
    let mut mac =
        Hmac::<Sha256>::new_from_slice(app_secret.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    mac.verify_slice(&signature).map_err(|_| Forged::Mismatch(SIGNATURE))
}
