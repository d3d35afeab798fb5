//! Puts a record that is given up into the dead-letter queue: its key and bytes as they were,
//! with where it came from and why in the headers.

use chat4all_message::dead_letter as header;

use crate::lease::{Ended, Lease};
use crate::producer::{Placed, ProduceError, Producer};
use crate::record::Record;

/// Why a record is given up.
#[derive(Debug, Clone)]
pub struct DeadLetter<'a> {
    /// The consumer group that gives it up.
    pub group: &'a str,
    /// A stable code: the provider's, or `chat4all:<slug>`.
    pub reason: &'a str,
    /// In words.
    pub message: &'a str,
    /// Provider calls that were begun.
    pub attempts: u32,
}

impl DeadLetter<'_> {
    /// Puts the record into the queue `topic`, however often it must try, and says so in the log.
    pub async fn put(&self, producer: &Producer, topic: &str, record: &Record, lease: &Lease) -> Result<(), Ended> {
        tracing::warn!(topic = %record.topic, partition = record.partition, offset = record.offset,
            code = self.reason, reason = self.message, attempts = self.attempts, "gave up a record");
        lease.persist("produce a dead letter", || self.send(producer, topic, record)).await?;
        Ok(())
    }

    async fn send(&self, producer: &Producer, topic: &str, record: &Record) -> Result<Placed, ProduceError> {
        let partition = record.partition.to_string();
        let offset = record.offset.to_string();
        let timestamp = record.timestamp.map(|t| t.to_string());
        let attempts = self.attempts.to_string();
        let replays = record.replays().to_string();
        let mut headers: Vec<(&str, &[u8])> = vec![
            (header::ORIGINAL_TOPIC, record.topic.as_bytes()),
            (header::ORIGINAL_PARTITION, partition.as_bytes()),
            (header::ORIGINAL_OFFSET, offset.as_bytes()),
            (header::ORIGINAL_CONSUMER_GROUP, self.group.as_bytes()),
            (header::EXCEPTION_MESSAGE, self.message.as_bytes()),
            (header::REASON, self.reason.as_bytes()),
            (header::ATTEMPTS, attempts.as_bytes()),
            (header::REPLAYS, replays.as_bytes()),
        ];
        if let Some(timestamp) = &timestamp {
            headers.push((header::ORIGINAL_TIMESTAMP, timestamp.as_bytes()));
        }
        producer.send(topic, record.key.as_deref().unwrap_or_default(), &record.value, &headers).await
    }
}
