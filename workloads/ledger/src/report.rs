//! The outcome of a ledger check, as the API gives it and people read it.

use std::collections::BTreeMap;

use chat4all_message::MessageId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What became of every message that was accepted in a range of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LedgerReport)]
pub struct Report {
    /// The beginning of the range.
    #[schema(value_type = String, example = "2026-11-25T10:00:00Z")]
    pub from: Timestamp,
    /// Its end, which is not part of it.
    #[schema(value_type = String, example = "2026-11-25T11:00:00Z")]
    pub to: Timestamp,
    /// Kafka deleted records by its retention; only from here on is the check complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub kept_from: Option<Timestamp>,
    /// Each accepted message in exactly one place: that of its least settled delivery.
    pub messages: Tally,
    /// Each delivery that follows from them in exactly one place.
    pub deliveries: Tally,
    /// Where the messages in flight wait.
    pub waiting: Waiting,
    /// The messages that do not add up; at most 1,000 are listed. There must be none.
    pub unaccounted: Vec<Unaccounted>,
}

/// Counts that add up: accepted = delivered + failed + dead_lettered + in_flight + unaccounted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LedgerTally)]
pub struct Tally {
    /// All of them.
    pub accepted: u64,
    /// SENT, DELIVERED or READ; or stored for nobody but those who read the conversation.
    pub delivered: u64,
    /// FAILED, and not in the dead-letter queue.
    pub failed: u64,
    /// In the dead-letter queue.
    pub dead_lettered: u64,
    /// On the way.
    pub in_flight: u64,
    /// Nowhere. There must be none.
    pub unaccounted: u64,
}

/// Where messages in flight wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LedgerWaiting)]
pub struct Waiting {
    /// For a router.
    pub router: u64,
    /// For the connector of this name.
    pub connectors: BTreeMap<String, u64>,
    /// For a router to apply their status.
    pub status: u64,
}

/// A message that does not add up, with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unaccounted {
    /// The message; missing where its record cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub message_id: Option<MessageId>,
    /// Its conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
    /// The delivery that is missing, where the message is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<Uuid>,
    /// The partition of its record in the topic of messages.
    pub partition: i32,
    /// The offset of its record there.
    pub offset: i64,
    /// What was looked for and not found.
    pub why: String,
}

impl Report {
    /// Whether every accepted message is accounted for.
    pub fn adds_up(&self) -> bool {
        self.messages.unaccounted == 0
    }
}
