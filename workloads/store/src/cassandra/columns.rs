//! How values stand in columns: instants as milliseconds, days as `date`, and the answer to a
//! conditional write.

use chat4all_message::{Address, ConversationId, MessageId};
use jiff::Timestamp;
use scylla::value::{CqlDate, CqlTimestamp, CqlValue, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1000;
/// `date` counts days from the Unix epoch, which is this number (CQL binary protocol, 6.4).
const EPOCH_DAY: i64 = 1 << 31;

/// The partition of messages: the UTC day of their creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket(pub(super) u32);

impl Bucket {
    /// After every bucket.
    pub(super) const LAST: Bucket = Bucket(u32::MAX);

    fn of(millis: i64) -> Self {
        // Message ids hold 48 bits of milliseconds: at most 3.3 million days.
        Self((EPOCH_DAY + millis.div_euclid(MILLIS_PER_DAY)) as u32)
    }

    /// `None` before the first one.
    pub(super) fn day_before(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }

    pub(super) fn date(self) -> CqlDate {
        CqlDate(self.0)
    }

    /// The position before which all messages of this bucket lie.
    pub(super) fn end(self) -> Position {
        let next_day = i64::from(self.0) - EPOCH_DAY + 1;
        Position { created_at: CqlTimestamp(next_day * MILLIS_PER_DAY), message_id: Uuid::nil() }
    }
}

/// Where a message lies within its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) created_at: CqlTimestamp,
    pub(super) message_id: Uuid,
}

impl From<MessageId> for Position {
    fn from(id: MessageId) -> Self {
        Self { created_at: millis(id.created_at()), message_id: id.as_uuid() }
    }
}

impl Position {
    pub(super) fn bucket(self) -> Bucket {
        Bucket::of(self.created_at.0)
    }

    /// For comparing.
    pub(super) fn order(&self) -> (i64, Uuid) {
        (self.created_at.0, self.message_id)
    }
}

/// The key of a message's rows.
pub(super) fn key(conversation: &ConversationId, id: MessageId) -> (&str, CqlDate, CqlTimestamp, Uuid) {
    let position = Position::from(id);
    (conversation.as_str(), position.bucket().date(), position.created_at, position.message_id)
}

pub(super) fn millis(at: Timestamp) -> CqlTimestamp {
    CqlTimestamp(at.as_millisecond())
}

/// The write timestamp with which the event that happened last stands: microseconds.
pub(super) fn written(at: Timestamp) -> i64 {
    at.as_millisecond().saturating_mul(1000)
}

/// What stands in a row but should not.
#[derive(Debug, thiserror::Error)]
#[error("column {column} holds {value}, which this program did not write")]
pub(super) struct Unexpected {
    column: &'static str,
    value: String,
}

impl Unexpected {
    pub(super) fn new(column: &'static str, value: impl ToString) -> Self {
        Self { column, value: value.to_string() }
    }
}

pub(super) fn instant(column: &'static str, value: CqlTimestamp) -> Result<Timestamp, Unexpected> {
    Timestamp::from_millisecond(value.0).map_err(|_| Unexpected::new(column, value.0))
}

pub(super) fn maybe_instant(
    column: &'static str,
    value: Option<CqlTimestamp>,
) -> Result<Option<Timestamp>, Unexpected> {
    value.map(|value| instant(column, value)).transpose()
}

pub(super) fn message_id(value: Uuid) -> Result<MessageId, Unexpected> {
    value.try_into().map_err(|_| Unexpected::new("message_id", value))
}

pub(super) fn conversation_id(value: String) -> Result<ConversationId, Unexpected> {
    value.clone().try_into().map_err(|_| Unexpected::new("conversation_id", value))
}

pub(super) fn address(column: &'static str, text: &str) -> Result<Address, Unexpected> {
    text.parse().map_err(|_| Unexpected::new(column, text))
}

/// What is one value, since nobody asks for a part of it, stands as JSON.
pub(super) fn json<T: DeserializeOwned>(column: &'static str, value: Option<String>) -> Result<Option<T>, Unexpected> {
    value.map(|text| serde_json::from_str(&text).map_err(|_| Unexpected::new(column, text))).transpose()
}

pub(super) fn from_json<T: Serialize>(value: Option<&T>) -> Option<String> {
    value.map(|value| serde_json::to_string(value).expect("only strings and numbers"))
}

/// Counters are small and never negative.
pub(super) fn count(value: Option<i32>) -> u32 {
    value.and_then(|n| u32::try_from(n).ok()).unwrap_or_default()
}

pub(super) fn from_count(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Whether a conditional write took place; the first column of its answer says so.
pub(super) fn applied(row: &Row) -> bool {
    matches!(row.columns.first(), Some(Some(CqlValue::Boolean(true))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_day_begins_at_midnight_utc() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let (last, first) = (Bucket::of(at("2026-11-24T23:59:59.999Z")), Bucket::of(at("2026-11-25T00:00:00Z")));
        assert_eq!(last.0 + 1, first.0);
        assert_eq!(last.end().created_at.0, at("2026-11-25T00:00:00Z"));
        assert_eq!(Bucket::of(0).0, 1 << 31);
    }

    proptest! {
        #[test]
        fn every_message_lies_before_the_end_of_its_own_bucket_and_of_no_earlier_one(millis in 0i64..(1 << 48)) {
            let bucket = Bucket::of(millis);
            prop_assert!(millis < bucket.end().created_at.0);
            prop_assert!(millis >= Bucket(bucket.0 - 1).end().created_at.0);
        }
    }
}
