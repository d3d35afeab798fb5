//! Sends records and answers when the broker has acknowledged them.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::metadata::Metadata;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;
use tokio_util::task::AbortOnDropHandle;

use crate::Error;
use crate::config::{DELIVERY_TIMEOUT, KafkaConfig};
use crate::forgotten::{Down, answered, forgotten};

/// How long a caller waits for room in the producer's queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends records with `acks=all` and idempotence. Cheap to clone.
#[derive(Clone)]
pub struct Producer {
    current: Arc<RwLock<Client>>,
    /// Puts another client in the place of one that has forgotten its brokers.
    _renewing: Arc<AbortOnDropHandle<()>>,
}

type Client = FutureProducer<Context>;

/// Where the broker put a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// A record was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    /// It was not sent: the queue is full, or the broker refused it.
    #[error("Kafka did not take the record for topic {topic}")]
    Refused {
        /// The topic.
        topic: String,
        /// The library's error.
        #[source]
        source: KafkaError,
    },
    /// It may or may not have been stored: no acknowledgement came in time.
    #[error("Kafka did not acknowledge the record for topic {topic} within {} s", DELIVERY_TIMEOUT.as_secs())]
    Unknown {
        /// The topic.
        topic: String,
        /// The library's error.
        #[source]
        source: KafkaError,
    },
}

impl ProduceError {
    /// Whether it is certain that the record was not stored.
    pub fn is_certain(&self) -> bool {
        matches!(self, ProduceError::Refused { .. })
    }
}

impl Producer {
    /// A producer; connects in the background. Wants a runtime of tokio's around it.
    pub fn connect(kafka: &KafkaConfig) -> Result<Self, Error> {
        let down = Arc::<Down>::default();
        let current = Arc::new(RwLock::new(create(kafka, &down)?));
        let renewing = tokio::spawn(renew(kafka.clone(), current.clone(), down));
        Ok(Self { current, _renewing: Arc::new(AbortOnDropHandle::new(renewing)) })
    }

    /// Sends a record and waits for the acknowledgement, at most 11 s.
    pub async fn send(
        &self,
        topic: &str,
        key: &[u8],
        value: &[u8],
        headers: &[(&str, &[u8])],
    ) -> Result<Placed, ProduceError> {
        let mut record = FutureRecord::to(topic).key(key).payload(value);
        if !headers.is_empty() {
            let all = OwnedHeaders::new_with_capacity(headers.len());
            record = record
                .headers(headers.iter().fold(all, |all, (key, value)| all.insert(Header { key, value: Some(*value) })));
        }
        match current(&self.current).send(record, QUEUE_TIMEOUT).await {
            Ok(placed) => Ok(Placed { partition: placed.partition, offset: placed.offset }),
            Err((source, _)) => {
                let topic = topic.to_owned();
                if may_have_been_stored(&source) {
                    Err(ProduceError::Unknown { topic, source })
                } else {
                    Err(ProduceError::Refused { topic, source })
                }
            }
        }
    }

    /// Asks the cluster for metadata; for readiness. Waits at most `timeout`.
    pub async fn reachable(&self, timeout: Duration) -> bool {
        answered(asking(current(&self.current)), timeout).await
    }

    /// The error after which the producer takes nothing more and the process must be started again.
    pub fn fatal_error(&self) -> Option<String> {
        current(&self.current).client().fatal_error().map(|(code, reason)| format!("{code}: {reason}"))
    }

    /// Waits until everything sent is answered, at most `timeout`. Returns whether it was.
    pub async fn flush(&self, timeout: Duration) -> bool {
        let client = current(&self.current);
        matches!(tokio::task::spawn_blocking(move || client.flush(timeout)).await, Ok(Ok(())))
    }
}

fn create(kafka: &KafkaConfig, down: &Arc<Down>) -> Result<Client, Error> {
    kafka.producer().create_with_context(Context { down: down.clone() }).map_err(|source| Error::Create {
        role: "producer",
        servers: kafka.bootstrap_servers.clone(),
        source,
    })
}

fn current(held: &RwLock<Client>) -> Client {
    held.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// How a client is asked for the metadata of the cluster.
fn asking(client: Client) -> impl Fn(Duration) -> KafkaResult<Metadata> + Clone + Send + 'static {
    move |patience| client.client().fetch_metadata(None, patience)
}

/// Replaces the client whenever it has forgotten its brokers. What waits in the old one is told that it
/// timed out, as in any other outage.
async fn renew(kafka: KafkaConfig, held: Arc<RwLock<Client>>, down: Arc<Down>) {
    loop {
        forgotten(&kafka, &down, asking(current(&held))).await;
        match create(&kafka, &down) {
            Ok(fresh) => {
                tracing::warn!("the producer had forgotten all brokers (librdkafka 5301): another one takes its place");
                let old = std::mem::replace(&mut *held.write().unwrap_or_else(PoisonError::into_inner), fresh);
                // Its destructor waits for its threads.
                _ = tokio::task::spawn_blocking(move || drop(old)).await;
            }
            Err(error) => {
                tracing::error!(%error, "the producer has forgotten all brokers and cannot be made anew; trying again");
                down.again();
            }
        }
    }
}

/// Whether the record may be in the topic. Certain are only the client's own refusals, and the broker's that it
/// would have given to an earlier try, too: the library tells a time-out in the queue and one on the way alike, and
/// keeps it to itself when a code (a sequence that is wrong, replicas that were lost after the append) leaves it open.
fn may_have_been_stored(error: &KafkaError) -> bool {
    !matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::QueueFull
                | RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::InvalidTopic
        )
    )
}

struct Context {
    down: Arc<Down>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => tracing::debug!(facility, message, "kafka producer"),
            _ => tracing::warn!(facility, message, "kafka producer"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka producer");
        self.down.note(&error);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::never_taken(RDKafkaErrorCode::QueueFull, false)]
    #[case::nowhere_to_put_it(RDKafkaErrorCode::UnknownTopicOrPartition, false)]
    #[case::a_try_before_the_topic_was_missed_may_have_been_stored(RDKafkaErrorCode::UnknownPartition, true)]
    #[case::a_try_before_it_may_have_been_allowed(RDKafkaErrorCode::TopicAuthorizationFailed, true)]
    #[case::no_answer(RDKafkaErrorCode::MessageTimedOut, true)]
    #[case::replicas_were_lost_after_it(RDKafkaErrorCode::NotEnoughReplicasAfterAppend, true)]
    #[case::out_of_order(RDKafkaErrorCode::OutOfOrderSequenceNumber, true)]
    #[case::the_producer_is_broken(RDKafkaErrorCode::Fatal, true)]
    fn what_is_not_certainly_refused_may_have_been_stored(#[case] code: RDKafkaErrorCode, #[case] may: bool) {
        assert_eq!(may_have_been_stored(&KafkaError::MessageProduction(code)), may);
    }
}
