//! A record as handlers see it: owned, cheap to clone.

use std::sync::Arc;

use bytes::Bytes;
use chat4all_message::dead_letter as header;
use rdkafka::Message as _;
use rdkafka::message::{BorrowedMessage, Headers as _};

/// A record with the place it came from.
#[derive(Debug, Clone)]
pub struct Record {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// Milliseconds since the Unix epoch, where the broker knows.
    pub timestamp: Option<i64>,
    /// The key; records of one key are handled in order.
    pub key: Option<Bytes>,
    /// The value; empty where the record has none.
    pub value: Bytes,
    /// The headers in their order; values may be empty.
    pub headers: Vec<(String, Bytes)>,
}

impl Record {
    pub(crate) fn of(message: &BorrowedMessage<'_>, topic: Arc<str>) -> Self {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers
                .iter()
                .map(|h| (h.key.to_owned(), h.value.map_or_else(Bytes::new, Bytes::copy_from_slice)))
                .collect()
        });
        Self {
            topic,
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(Bytes::copy_from_slice),
            value: message.payload().map_or_else(Bytes::new, Bytes::copy_from_slice),
            headers,
        }
    }

    /// The last value of a header.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// How often it was replayed from the dead-letter queue.
    pub fn replays(&self) -> u32 {
        let count = self.header(header::REPLAYS).and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        count.unwrap_or_default()
    }

    /// What it occupies, roughly, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.value.len() + self.key.as_ref().map_or(0, Bytes::len)
    }
}
