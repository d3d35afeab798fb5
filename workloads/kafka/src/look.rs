//! Looks at topics without joining a group and without committing: where they begin and end, where an
//! instant is, how far a group is, and the records of a range. Every call asks Kafka anew.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::mpsc;

use crate::config::KafkaConfig;
use crate::record::Record;

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a range may be read without a record coming.
const SILENCE: Duration = Duration::from_secs(30);
/// Records that are handed over at once, fewer where they are large (in bytes), and how many such bunches may wait.
const BUNCH: usize = 500;
const HEAVY: usize = 2 << 20;
const BUNCHES: usize = 2;

/// Why nothing could be seen.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The client library refused the settings.
    #[error("could not create a Kafka client for {servers}; check KAFKA_BOOTSTRAP_SERVERS")]
    Create {
        /// The bootstrap servers.
        servers: String,
        /// The library's error.
        #[source]
        source: KafkaError,
    },
    /// A question was not answered.
    #[error("Kafka did not tell {what}")]
    Untold {
        /// What was asked.
        what: String,
        /// The library's error.
        #[source]
        source: KafkaError,
    },
    /// Records did not come.
    #[error("Kafka sent no records of {topic} for {} s", SILENCE.as_secs())]
    Silent {
        /// The topic.
        topic: String,
    },
}

/// The offsets of a partition that are there: from the first one to one past the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The first offset that is kept.
    pub begin: i64,
    /// One past the last one.
    pub end: i64,
}

/// Some records of one partition: from one offset up to another, which is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub from: i64,
    /// One past the last one.
    pub to: i64,
}

/// Looks at the topics of one Kafka. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Onlooker {
    kafka: Arc<KafkaConfig>,
}

impl Onlooker {
    /// An onlooker; it connects when it is asked.
    pub fn of(kafka: KafkaConfig) -> Self {
        Self { kafka: Arc::new(kafka) }
    }

    /// What each partition of a topic holds; nothing when there is no such topic.
    pub async fn extents(&self, topic: &str) -> Result<BTreeMap<i32, Extent>, LookError> {
        self.ask(None, topic, extents).await
    }

    /// The first offset of each partition whose record was written at this instant or later; the end
    /// where there is none.
    pub async fn at(&self, topic: &str, instant: Timestamp) -> Result<BTreeMap<i32, i64>, LookError> {
        self.ask(None, topic, move |client, topic| {
            let extents = extents(client, topic)?;
            let mut wanted = TopicPartitionList::new();
            for partition in extents.keys() {
                let at = Offset::Offset(instant.as_millisecond().max(0));
                let added = wanted.add_partition_offset(topic, *partition, at);
                added.map_err(untold(|| format!("where {topic} is at {instant}")))?;
            }
            let found = if extents.is_empty() {
                wanted
            } else {
                let found = client.offsets_for_times(wanted, TIMEOUT);
                found.map_err(untold(|| format!("where {topic} is at {instant}")))?
            };
            Ok(extents
                .iter()
                .map(|(partition, extent)| (*partition, offset(&found, topic, *partition, extent.end)))
                .collect())
        })
        .await
    }

    /// The offset of each partition that the group reads next; its beginning where nothing is committed.
    pub async fn committed(&self, group: &str, topic: &str) -> Result<BTreeMap<i32, i64>, LookError> {
        self.ask(Some(group), topic, |client, topic| {
            let extents = extents(client, topic)?;
            let mut wanted = TopicPartitionList::new();
            for partition in extents.keys() {
                wanted.add_partition(topic, *partition);
            }
            let found = if extents.is_empty() {
                wanted
            } else {
                let found = client.committed_offsets(wanted, TIMEOUT);
                found.map_err(untold(|| format!("how far the readers of {topic} are")))?
            };
            let next = |(partition, extent): (&i32, &Extent)| {
                (*partition, offset(&found, topic, *partition, extent.begin).max(extent.begin))
            };
            Ok(extents.iter().map(next).collect())
        })
        .await
    }

    /// Reads these spans of a topic. Records that are gone by now are passed over.
    pub fn read(&self, topic: &str, spans: Vec<Span>) -> Reading {
        let (sender, bunches) = mpsc::channel(BUNCHES);
        let (kafka, topic) = (self.kafka.clone(), topic.to_owned());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = read(&kafka, &topic, &spans, &sender) {
                // Nobody listens when the reading was given up.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Reading { bunches }
    }

    async fn ask<T: Send + 'static>(
        &self,
        group: Option<&str>,
        topic: &str,
        question: impl FnOnce(&BaseConsumer, &str) -> Result<T, LookError> + Send + 'static,
    ) -> Result<T, LookError> {
        let (kafka, group, topic) = (self.kafka.clone(), group.map(str::to_owned), topic.to_owned());
        let asked = tokio::task::spawn_blocking(move || question(&client(&kafka, group.as_deref())?, &topic)).await;
        asked.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
    }
}

/// Records that are being read; dropping it ends the reading.
pub struct Reading {
    bunches: mpsc::Receiver<Result<Vec<Record>, LookError>>,
}

impl Reading {
    /// The next records, each partition in its order; `None` when all are read.
    pub async fn next(&mut self) -> Option<Result<Vec<Record>, LookError>> {
        self.bunches.recv().await
    }
}

fn client(kafka: &KafkaConfig, group: Option<&str>) -> Result<BaseConsumer, LookError> {
    let client = kafka.onlooker(group).create();
    client.map_err(|source| LookError::Create { servers: kafka.bootstrap_servers.clone(), source })
}

fn untold(what: impl FnOnce() -> String) -> impl FnOnce(KafkaError) -> LookError {
    move |source| LookError::Untold { what: what(), source }
}

fn extents(client: &BaseConsumer, topic: &str) -> Result<BTreeMap<i32, Extent>, LookError> {
    let what = || format!("the partitions of {topic}");
    let metadata = client.fetch_metadata(Some(topic), TIMEOUT).map_err(untold(what))?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    match found.and_then(|found| found.error()).map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition) => return Ok(BTreeMap::new()),
        Some(code) => return Err(untold(what)(KafkaError::MetadataFetch(code))),
    }
    let partitions = found.map(|found| found.partitions()).unwrap_or_default();
    let extent = |partition: i32| {
        let (begin, end) = client
            .fetch_watermarks(topic, partition, TIMEOUT)
            .map_err(untold(|| format!("where {topic}[{partition}] begins and ends")))?;
        Ok((partition, Extent { begin, end }))
    };
    partitions.iter().map(|partition| extent(partition.id())).collect()
}

fn offset(list: &TopicPartitionList, topic: &str, partition: i32, otherwise: i64) -> i64 {
    match list.find_partition(topic, partition).map(|element| element.offset()) {
        Some(Offset::Offset(offset)) => offset,
        _ => otherwise,
    }
}

fn read(
    kafka: &KafkaConfig,
    topic: &str,
    spans: &[Span],
    sender: &mpsc::Sender<Result<Vec<Record>, LookError>>,
) -> Result<(), LookError> {
    let mut left: BTreeMap<i32, i64> =
        spans.iter().filter(|span| span.from < span.to).map(|span| (span.partition, span.to)).collect();
    if left.is_empty() {
        return Ok(());
    }
    let what = || format!("the records of {topic}");
    let client = client(kafka, None)?;
    let mut from = TopicPartitionList::new();
    for span in spans.iter().filter(|span| span.from < span.to) {
        from.add_partition_offset(topic, span.partition, Offset::Offset(span.from)).map_err(untold(what))?;
    }
    client.assign(&from).map_err(untold(what))?;
    let name: Arc<str> = topic.into();
    let (mut bunch, mut weight) = (Vec::with_capacity(BUNCH), 0);
    let mut heard = Instant::now();
    while !left.is_empty() {
        match client.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                let Some(to) = left.get(&message.partition()).copied() else { continue };
                if message.offset() + 1 >= to {
                    left.remove(&message.partition());
                }
                if message.offset() < to {
                    let record = Record::of(&message, name.clone());
                    weight += record.weight();
                    bunch.push(record);
                }
            }
            // The end as it was when the span was chosen, or a later one: what is missing is no record.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                heard = Instant::now();
                left.remove(&partition);
            }
            Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {
                return Err(untold(what)(error));
            }
            // The client goes on by itself when the broker is there again.
            Some(Err(error)) => tracing::debug!(%error, topic, "reading goes on"),
            None => {}
        }
        if heard.elapsed() > SILENCE {
            return Err(LookError::Silent { topic: topic.to_owned() });
        }
        if bunch.len() >= BUNCH || weight >= HEAVY || left.is_empty() {
            weight = 0;
            if sender.blocking_send(Ok(std::mem::take(&mut bunch))).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
