//! What happened to the messages of a run, as three parties tell it: the sender, the store and the
//! provider; and what that says. Pure: knows no cluster, no HTTP and no clock.

mod check;
mod duplicates;
mod findings;
mod latency;
mod order;
mod partition;
mod pause;
#[cfg(test)]
mod planted;

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use check::check;
pub use duplicates::Duplicate;
pub use findings::{Findings, Loss, Place, Twice};
pub use latency::{Latencies, latencies, longest_wait};
pub use order::Overtaking;
pub use partition::partition_of;
pub use pause::{Disturbance, Pauses, pauses};

/// A message that the API answered with 202, as its sender wrote it down. All instants are of one clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The id of the answer.
    pub message_id: Uuid,
    /// The conversation.
    pub conversation: String,
    /// Its number in the conversation, from 0, in the order of intended sending.
    pub sequence: u64,
    /// When it was to be sent.
    pub intended: Timestamp,
    /// When its first request went out.
    pub sent: Timestamp,
    /// When the 202 arrived.
    pub acked: Timestamp,
    /// Requests that it took.
    pub requests: u32,
}

/// A message as a conversation's page shows it; the same id twice when the store has it twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its id.
    pub message_id: Uuid,
    /// The conversation whose page showed it.
    pub conversation: String,
    /// Its deliveries.
    pub deliveries: Vec<StoredDelivery>,
}

/// A delivery as a conversation's page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDelivery {
    /// Its id.
    pub delivery_id: Uuid,
    /// `ACCEPTED`, `SENT`, `DELIVERED`, `READ` or `FAILED`.
    pub status: String,
    /// When the provider took it.
    pub sent_at: Option<Timestamp>,
    /// When it reached the recipient, as the provider told.
    pub delivered_at: Option<Timestamp>,
    /// When the recipient opened it, as the provider told.
    pub read_at: Option<Timestamp>,
    /// Why it failed.
    pub reason: Option<String>,
    /// Provider calls whose answer never came.
    pub unknown_outcomes: u32,
}

/// A message that the provider took, in the order of its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its place in the provider's log.
    pub place: u64,
    /// When it arrived there.
    pub at: Timestamp,
    /// The message.
    pub message_id: Uuid,
    /// The delivery.
    pub delivery_id: Uuid,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// What was accepted.
    pub accepted: Vec<Accepted>,
    /// What the store holds of these conversations.
    pub stored: Vec<Stored>,
    /// What the provider took of these conversations.
    pub received: Vec<Receipt>,
}

impl History {
    /// The first receipt of each message.
    pub(crate) fn first_receipts(&self) -> HashMap<Uuid, &Receipt> {
        let mut first: HashMap<Uuid, &Receipt> = HashMap::new();
        for receipt in &self.received {
            let known = first.entry(receipt.message_id).or_insert(receipt);
            if receipt.place < known.place {
                *known = receipt;
            }
        }
        first
    }
}
