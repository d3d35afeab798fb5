//! The delivery ledger: what a connector is about to do and what came of it, written around
//! every provider call. An attempt without an outcome is an unknown outcome.

use async_trait::async_trait;
use chat4all_message::{DeliveryId, DeliveryRef, Effort};
use jiff::Timestamp;

use crate::Result;

/// One entry for each delivery, written only by the connector that owns the recipient's partition.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The entry; `None` when no call was ever begun. What [`taken`](Self::taken) noted stands above
    /// what the last call seemed to come to.
    async fn entry(&self, delivery: DeliveryId) -> Result<Option<LedgerEntry>>;

    /// Writes the entry; once this returns, a restarted connector sees it.
    async fn record(&self, delivery: &DeliveryRef, entry: &LedgerEntry) -> Result<()>;

    /// Which delivery has this id; `None` when no call was ever begun for it.
    async fn delivery(&self, delivery: DeliveryId) -> Result<Option<DeliveryRef>>;

    /// A status of the provider proved at `at` that it took the delivery, under this id. Written by
    /// whoever learns of it, beside what the connector writes. Of several the last one stands.
    async fn taken(&self, delivery: DeliveryId, provider_id: &str, at: Timestamp) -> Result<()>;
}

/// What is known about the provider calls of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Calls begun, and those whose answer never came.
    pub effort: Effort,
    /// What the last call came to.
    pub attempt: Attempt,
    /// How often the record had been replayed from the dead-letter queue when that call was made. A record
    /// with more replays begins anew where this one failed.
    pub replays: u32,
}

impl LedgerEntry {
    /// With what a provider's own status proved; an answer that told the same knows it better.
    pub(crate) fn with_proof(self, proof: Option<(Timestamp, String)>) -> Self {
        match (&self.attempt, proof) {
            (Attempt::Ended { outcome: Outcome::Sent { provider_id: Some(_) }, .. }, _) | (_, None) => self,
            (_, Some((at, provider_id))) => {
                let outcome = Outcome::Sent { provider_id: Some(provider_id) };
                Self { attempt: Attempt::Ended { at, outcome }, ..self }
            }
        }
    }
}

/// The last call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Begun; no answer is written down.
    Attempting {
        /// When it began.
        since: Timestamp,
    },
    /// Answered.
    Ended {
        /// When the answer was written down.
        at: Timestamp,
        /// The answer.
        outcome: Outcome,
    },
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took the message.
    Sent {
        /// Its id there; absent where the answer held none.
        provider_id: Option<String>,
    },
    /// Refused for now; to be tried again not before `not_before`.
    Retry {
        /// The earliest instant of the next call.
        not_before: Timestamp,
        /// The provider's code, or ours.
        code: String,
        /// The refusal in words.
        reason: String,
    },
    /// Given up.
    Failed {
        /// The provider's code, or ours.
        code: String,
        /// The reason in words.
        reason: String,
    },
}
