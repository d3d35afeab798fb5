//! Where messages, deliveries and the delivery ledger are kept. Every write is an upsert that
//! may be repeated: callers repeat whole steps after a crash. Knows no Kafka and no provider.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cassandra;
mod conversations;
mod dead_letters;
mod idempotency;
mod ledger;
mod memory;
mod statuses;

pub use cassandra::Cassandra;
pub use conversations::{Conversations, Cursor, Page, PageRequest, StoredDelivery, StoredMessage};
pub use dead_letters::{
    About, Closing, DeadLetter, DeadLetters, Deed, LetterBody, LetterCursor, LetterFilter, LetterPage, LetterState,
    Origin, SCAN, StoredLetter,
};
pub use idempotency::{Claim, ClaimState, IdempotencyKeys, REMEMBERED, RequestKey};
pub use ledger::{Attempt, Ledger, LedgerEntry, Outcome};
pub use memory::Memory;
pub use statuses::{HELD, HeldStatus, Statuses};

/// The store did not do what it was asked; nothing is known about whether it did a part of it,
/// and the caller repeats the call.
#[derive(Debug, thiserror::Error)]
#[error("store: could not {action}")]
pub struct Error {
    /// What was tried, for example "write message 0198...".
    pub action: String,
    /// Why it failed.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl Error {
    pub(crate) fn new(action: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { action: action.into(), source: source.into() }
    }
}

/// What a call to the store gives.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that the workloads keep. Each takes only the room that it needs.
#[async_trait::async_trait]
pub trait Store: Conversations + Statuses + Ledger + IdempotencyKeys + DeadLetters {
    /// Asks the store for something trivial; for readiness.
    async fn ping(&self) -> Result<()>;
}
