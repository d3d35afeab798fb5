//! The ledger check: every accepted message is in flight, delivered, failed or dead-lettered, by id.
//! Reads Kafka and the store, joins no consumer group and writes nothing.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod journal;
mod report;

pub use journal::Replayed;
pub use report::{Report, Tally, Unaccounted, Waiting};
