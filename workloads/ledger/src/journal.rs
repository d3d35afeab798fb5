//! Finds a connector's webhooks in its journal, so that they can be put before the connector again. The
//! offsets of the group that reads the journal stay as they are: under a running group they cannot be
//! set back, and new webhooks must not wait behind old ones.

use chat4all_kafka::{KafkaConfig, LookError, Onlooker, Reading, Record, Span};
use chat4all_message::Topics;
use chat4all_message::dead_letter::REPLAYS;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much of a journal is parsed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = JournalReplayed)]
pub struct Replayed {
    /// The webhooks that were put before the connector once more.
    pub webhooks: u64,
}

/// The journals of all connectors.
pub struct Journals {
    onlooker: Onlooker,
    topics: Topics,
}

impl Journals {
    /// The journals; they are reached when they are asked for.
    pub fn new(kafka: KafkaConfig, topics: Topics) -> Self {
        Self { onlooker: Onlooker::of(kafka), topics }
    }

    /// The webhooks that came to a connector from `from` on and before `to`, as far as they are there now.
    pub async fn between(&self, connector: &str, from: Timestamp, to: Timestamp) -> Result<Webhooks, LookError> {
        let topic = self.topics.inbound(connector);
        let (begin, end) = (self.onlooker.at(&topic, from).await?, self.onlooker.at(&topic, to).await?);
        let spans = begin.iter().map(|(&partition, &from)| {
            let to = end.get(&partition).copied().unwrap_or(from);
            Span { partition, from, to }
        });
        Ok(Webhooks { reading: self.onlooker.read(&topic, spans.collect()) })
    }
}

/// Webhooks that are being read.
pub struct Webhooks {
    reading: Reading,
}

impl Webhooks {
    /// The next records, each partition in its order, without those that a replay put there; `None` when
    /// all are read.
    pub async fn next(&mut self) -> Option<Result<Vec<Record>, LookError>> {
        let records = self.reading.next().await?;
        Some(records.map(|records| records.into_iter().filter(|record| record.header(REPLAYS).is_none()).collect()))
    }
}
