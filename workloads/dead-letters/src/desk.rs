//! The one place where records are given up: the topic of dead letters first, then the row. Both may be
//! repeated; a record whose row is there has been put into the topic before.

use std::sync::Arc;

use chat4all_kafka::{DeadLetter, Ended, Lease, Producer, Record};
use chat4all_message::{LetterId, Topics};
use chat4all_store::{DeadLetter as Letter, DeadLetters, LetterBody, Origin};
use jiff::Timestamp;

use crate::about::about;

/// Where records are given up. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    topics: Topics,
    producer: Producer,
    letters: Arc<dyn DeadLetters>,
}

impl Desk {
    /// A desk of the cluster with these topics.
    pub fn new(topics: Topics, producer: Producer, letters: Arc<dyn DeadLetters>) -> Self {
        Self { topics, producer, letters }
    }

    /// Gives a record up, however often it must try.
    pub async fn give_up(&self, why: &DeadLetter<'_>, record: &Record, lease: &Lease) -> Result<(), Ended> {
        let id = LetterId::of(&record.topic, record.partition, record.offset);
        let before = lease.persist("look for a dead letter", || self.letters.given_up_at(id)).await?;
        if before.is_none() {
            why.put(&self.producer, &self.topics.dead_letters(), record, lease).await?;
        }
        let letter = self.letter(id, why, record);
        let key = record.key.as_deref().unwrap_or_default().to_vec();
        let body = LetterBody { key, value: record.value.to_vec() };
        lease.persist("write a dead letter", || self.letters.put_letter(&letter, &body)).await
    }

    fn letter(&self, id: LetterId, why: &DeadLetter<'_>, record: &Record) -> Letter {
        Letter {
            id,
            given_up_at: Timestamp::now(),
            reason: why.reason.to_owned(),
            message: why.message.to_owned(),
            attempts: why.attempts,
            replays: record.replays(),
            group: why.group.to_owned(),
            origin: Origin {
                topic: record.topic.to_string(),
                partition: record.partition,
                offset: record.offset,
                at: record.timestamp.and_then(|millis| Timestamp::from_millisecond(millis).ok()),
            },
            about: about(&self.topics, &record.topic, &record.value),
        }
    }
}
