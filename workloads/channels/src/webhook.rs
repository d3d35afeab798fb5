//! What comes in: the gate that the API keeps (handshake, signature) and the events that a
//! connector reads out of the journal.

use std::fmt;

use chat4all_message::{Address, InboundMessage, StatusUpdate};
use http::HeaderMap;
use jiff::Timestamp;

/// Decides what may come in over a connector's webhook. Needs no access token.
pub trait WebhookGate: fmt::Debug + Send + Sync {
    /// The provider asks (by GET) whether this endpoint is ours. `query` is the raw query string.
    fn handshake(&self, query: &str) -> Handshake;

    /// Whether the provider sent these bytes. Check before anything is stored or parsed, on the
    /// body as it came over the wire.
    fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Forged>;
}

/// The answer to a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handshake {
    /// 200, with this as the whole body (text/plain).
    Challenge(String),
    /// 403.
    Refused(&'static str),
}

/// The request does not prove that the provider sent it: 401, and nothing is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// There is no signature.
    #[error("header {0} is missing")]
    Missing(&'static str),
    /// Nothing comes in over this channel.
    #[error("nothing comes in over this connector")]
    Shut,
    /// It does not have the form of one.
    #[error("header {0} is malformed")]
    Malformed(&'static str),
    /// Other bytes or another secret.
    #[error("header {0} does not match the body; is the connector's webhook secret that of the provider?")]
    Mismatch(&'static str),
}

/// One thing that a webhook tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookEvent {
    /// What became of a delivery; ready for the topic of statuses.
    Status(StatusUpdate),
    /// What a customer wrote.
    Message(Box<InboundMessage>),
    /// Somebody has read everything that was sent to them up to an instant; no message is named.
    ReadUntil {
        /// Who.
        by: Address,
        /// Up to when.
        until: Timestamp,
    },
    /// Well understood, and for a later version to act on; it stays in the journal.
    Unhandled {
        /// Where it stands in the body, such as `entry[0].changes[0].value.messages[0]`.
        place: String,
        /// What it is.
        what: String,
    },
    /// Not for us to act on: another account's, a repetition, a kind that we do not know.
    Ignored {
        /// Where it stands in the body.
        place: String,
        /// Why.
        why: String,
    },
    /// It should have been understood and was not.
    Rejected {
        /// Where it stands in the body; empty for the whole of it.
        place: String,
        /// What is wrong with it.
        why: String,
    },
}
