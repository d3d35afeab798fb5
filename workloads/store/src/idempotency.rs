//! `Idempotency-Key`: the same request sent again gets the first answer.

use std::time::Duration;

use async_trait::async_trait;
use chat4all_message::MessageId;
use jiff::Timestamp;

use crate::Result;

/// How long a key is remembered.
pub const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// Claims on idempotency keys, kept for 24 hours.
#[async_trait]
pub trait IdempotencyKeys: Send + Sync {
    /// Claims the key, unless it is claimed already: then gives the claim that stands.
    /// Linearizable: of two who claim at once, one gets `None`. Who repeats its own claim gets `None` again.
    async fn claim(&self, key: &RequestKey, claim: &Claim) -> Result<Option<Claim>>;

    /// Replaces the claim of the same message id, when its request was answered or when its maker
    /// died over it; returns whether there was one. A key that was given back meanwhile stays free.
    async fn settle(&self, key: &RequestKey, claim: &Claim) -> Result<bool>;

    /// Says that the maker of the claim is through with it without knowing what came of it. Does nothing once
    /// somebody else has taken the claim over or it was accepted.
    async fn give_up(&self, key: &RequestKey, claim: &Claim) -> Result<()>;

    /// Gives the key back, when its request failed and nothing came of it. Does nothing once
    /// somebody else has taken the claim over or it was accepted.
    async fn withdraw(&self, key: &RequestKey, claim: &Claim) -> Result<()>;
}

/// Whose key it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// The user who sent the request.
    pub user: String,
    /// The header's value.
    pub key: String,
}

/// A claim on a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// SHA-256 of the request's body.
    pub fingerprint: [u8; 32],
    /// The id that the message has or will have; whoever takes the claim over uses it again.
    pub message_id: MessageId,
    /// When it was claimed.
    pub since: Timestamp,
    /// Whether the request was answered.
    pub state: ClaimState,
}

/// How far the request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimState {
    /// Somebody is at it.
    InFlight,
    /// Nobody is at it, and whether the message was stored is not known.
    Unknown,
    /// It was accepted; the answer follows from the message id.
    Accepted,
}
