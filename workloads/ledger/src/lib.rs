//! Reads what Kafka keeps: for the ledger check, by which every accepted message is in flight, delivered,
//! failed or dead-lettered, by id; and for webhooks that shall be parsed again. Joins no consumer group,
//! commits nothing and writes nothing.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod book;
mod check;
mod journal;
mod report;

pub use check::{Error, LedgerCheck};
pub use journal::{Journals, Replayed, Webhooks};
pub use report::{Report, Tally, Unaccounted, Waiting};
