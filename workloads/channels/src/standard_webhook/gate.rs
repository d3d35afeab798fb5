//! Nothing comes in over this channel: its endpoints are told, and tell nothing.

use http::HeaderMap;

use crate::webhook::{Forged, Handshake, WebhookGate};

/// A gate that stays shut.
#[derive(Debug)]
pub struct Gate;

impl WebhookGate for Gate {
    fn handshake(&self, _query: &str) -> Handshake {
        Handshake::Refused("nothing comes in over this connector")
    }

    fn check(&self, _headers: &HeaderMap, _body: &[u8]) -> Result<(), Forged> {
        Err(Forged::Shut)
    }
}
