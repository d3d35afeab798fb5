//! What may come in: whoever shows the secret token that was given with `setWebhook`.
//! Source: provider-contracts, "Webhooks that come in".

use std::path::Path;

use chat4all_message::credentials::SECRET_TOKEN;
use http::HeaderMap;
use subtle::ConstantTimeEq as _;

use crate::registry::Error;
use crate::secret::Secret;
use crate::webhook::{Forged, Handshake, WebhookGate};

const HEADER: &str = "x-telegram-bot-api-secret-token";

/// The webhook of one bot.
#[derive(Debug)]
pub struct Gate {
    secret: Secret,
}

impl Gate {
    /// Reads the file `secret-token`.
    pub fn open(secrets: &Path) -> Result<Self, Error> {
        Ok(Self { secret: Secret::read(secrets, SECRET_TOKEN)? })
    }
}

impl WebhookGate for Gate {
    fn handshake(&self, _query: &str) -> Handshake {
        Handshake::Refused("Telegram's webhooks have no handshake; set them with setWebhook")
    }

    fn check(&self, headers: &HeaderMap, _body: &[u8]) -> Result<(), Forged> {
        let shown = headers.get(HEADER).ok_or(Forged::Missing(HEADER))?;
        if bool::from(shown.as_bytes().ct_eq(self.secret.expose().as_bytes())) {
            Ok(())
        } else {
            Err(Forged::Mismatch(HEADER))
        }
    }
}
