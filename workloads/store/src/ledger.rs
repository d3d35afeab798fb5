//! The delivery ledger: what a connector is about to do and what came of it, written around
//! every provider call. An attempt without an outcome is an unknown outcome.

use async_trait::async_trait;
use chat4all_message::{DeliveryId, Effort};
use jiff::Timestamp;

use crate::Result;

/// One entry for each delivery, written only by the connector that owns the recipient's partition.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The entry; `None` when no call was ever begun.
    async fn entry(&self, delivery: DeliveryId) -> Result<Option<LedgerEntry>>;

    /// Writes the entry; once this returns, a restarted connector sees it.
    async fn record(&self, delivery: DeliveryId, entry: &LedgerEntry) -> Result<()>;
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
