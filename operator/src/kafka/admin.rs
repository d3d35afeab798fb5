//! [`Topics`] on a real Kafka. One client for each list of brokers, shared by the clusters on it and
//! dropped when none has used it for a while or when it failed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication, TopicResult};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext};
use rdkafka::types::RDKafkaRespErr;

use super::{Error, Plan, Topics, min_insync_replicas, plan};
use crate::model::Topic;

/// How long one question to Kafka may take. A broker in the same data centre answers in
/// milliseconds; a reconcile must not hang much longer than a person waits.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A client that nobody used this long is dropped, with its threads and connections.
const IDLE: Duration = Duration::from_secs(600);

/// [`Topics`] through librdkafka.
#[derive(Default)]
pub struct KafkaAdmin {
    clients: Mutex<HashMap<String, Client>>,
}

struct Client {
    handle: Handle,
    used: Instant,
}

/// A producer that never produces: the lightest client that fetches metadata, and unlike
/// `AdminClient` it runs no thread of its own and hands over its log when it is polled.
type Handle = Arc<BaseProducer<Complaints>>;

#[async_trait]
impl Topics for KafkaAdmin {
    async fn ensure(&self, brokers: &str, topics: &[Topic]) -> Result<usize, Error> {
        let handle = self.client(brokers)?;
        let (wanted, asked) = (topics.to_vec(), Arc::clone(&handle));
        let found = blocking(move || look(&asked, &wanted)).await;
        let found = found.map_err(|error| self.unreachable(brokers, &handle, &error));
        drop_elsewhere(handle);
        let found = found?;
        let plan = plan(topics, &found.partitions);
        carry_out(brokers, &plan, found.brokers).await
    }
}

impl KafkaAdmin {
    fn client(&self, brokers: &str) -> Result<Handle, Error> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let idle: Vec<_> = clients.extract_if(|_, client| client.used.elapsed() > IDLE).collect();
        idle.into_iter().for_each(|(_, client)| drop_elsewhere(client.handle));
        if let Some(client) = clients.get_mut(brokers) {
            client.used = Instant::now();
            return Ok(Arc::clone(&client.handle));
        }
        let handle: BaseProducer<Complaints> =
            config(brokers).create_with_context(Complaints::default()).map_err(|e| unusable(&e))?;
        let handle = Arc::new(handle);
        clients.insert(brokers.to_owned(), Client { handle: Arc::clone(&handle), used: Instant::now() });
        Ok(handle)
    }

    /// Forgets the client, so that the next attempt resolves and connects afresh instead of waiting
    /// out a reconnect backoff.
    fn unreachable(&self, brokers: &str, handle: &Handle, error: &KafkaError) -> Error {
        let forgotten = self.clients.lock().unwrap_or_else(PoisonError::into_inner).remove(brokers);
        forgotten.into_iter().for_each(|client| drop_elsewhere(client.handle));
        handle.poll(Duration::ZERO);
        let reason = handle.context().last().or_else(|| error.rdkafka_error_code().map(|code| code.to_string()));
        Error::Unreachable { brokers: brokers.to_owned(), reason: reason.unwrap_or_else(|| error.to_string()) }
    }
}

fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", "chat4all-operator")
        // A question about a topic must not create it with the broker's defaults.
        .set("allow.auto.create.topics", "false")
        .set("socket.timeout.ms", TIMEOUT.as_millis().to_string())
        .set_log_level(RDKafkaLogLevel::Warning);
    config
}

/// What there is.
struct Found {
    brokers: usize,
    /// Partitions of the topics that exist.
    partitions: HashMap<String, usize>,
}

/// Asks for each topic by name: on a Kafka with hundreds of tenants a list of all is megabytes.
fn look(client: &BaseProducer<Complaints>, topics: &[Topic]) -> KafkaResult<Found> {
    let mut found = Found { brokers: 0, partitions: HashMap::new() };
    for topic in topics {
        let metadata = client.client().fetch_metadata(Some(&topic.name), TIMEOUT)?;
        found.brokers = metadata.brokers().len();
        for entry in metadata.topics() {
            match entry.error() {
                None => {
                    found.partitions.insert(entry.name().to_owned(), entry.partitions().len());
                }
                Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => {}
                Some(other) => return Err(KafkaError::MetadataFetch(other.into())),
            }
        }
        client.poll(Duration::ZERO);
    }
    Ok(found)
}

async fn carry_out(brokers: &str, plan: &Plan<'_>, broker_count: usize) -> Result<usize, Error> {
    if plan == &Plan::default() {
        return Ok(0);
    }
    let admin: AdminClient<_> = config(brokers).create().map_err(|e| unusable(&e))?;
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT * 2)).operation_timeout(Some(TIMEOUT));
    let mut results = Vec::new();
    if !plan.create.is_empty() {
        let topics: Vec<_> = plan.create.iter().map(|topic| new_topic(topic)).collect();
        results.push(("create", admin.create_topics(&topics, &options).await));
    }
    if !plan.grow.is_empty() {
        let topics: Vec<_> = plan.grow.iter().map(|topic| new_partitions(topic)).collect();
        results.push(("grow", admin.create_partitions(&topics, &options).await));
    }
    drop_elsewhere(admin);
    let mut changed = 0;
    for (action, answer) in results {
        let answer = answer.map_err(|error| Error::Unreachable {
            brokers: brokers.to_owned(),
            reason: error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string()),
        })?;
        for topic in answer {
            changed += judge(action, topic, plan, broker_count)?;
        }
    }
    Ok(changed)
}

/// What became of one topic: how many it changed, or why not.
fn judge(action: &'static str, topic: TopicResult, plan: &Plan<'_>, brokers: usize) -> Result<usize, Error> {
    match topic {
        Ok(name) => {
            tracing::info!(topic = name, action, "changed a topic");
            Ok(1)
        }
        // Someone else was faster; the next look judges its partitions.
        Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(0),
        Err((name, RDKafkaErrorCode::InvalidReplicationFactor)) => Err(Error::TooFewBrokers {
            replication_factor: plan.create.iter().find(|t| t.name == name).map_or(0, |t| t.replication_factor),
            brokers,
        }),
        Err((topic, code)) => Err(Error::Refused { action, topic, reason: code.to_string() }),
    }
}

/// Bytes that a record may have; a broker takes 1 MiB by default. A webhook of 3 MB is 4 MB in the journal,
/// and a dead letter is as large as its record, with headers.
const LARGEST_RECORD: &str = "6291456";

fn new_topic(topic: &Topic) -> NewTopic<'_> {
    NewTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(topic.replication_factor))
        .set("min.insync.replicas", min_insync_replicas(topic.replication_factor))
        .set("max.message.bytes", LARGEST_RECORD)
}

fn new_partitions(topic: &Topic) -> NewPartitions<'_> {
    NewPartitions::new(&topic.name, topic.partitions.unsigned_abs() as usize)
}

fn unusable(error: &KafkaError) -> Error {
    Error::Unusable { reason: error.to_string() }
}

/// Runs what blocks where it may. A panic there counts as a closed client.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> KafkaResult<T> + Send + 'static) -> KafkaResult<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(KafkaError::Canceled))
}

/// Dropping a client waits for its threads and, with requests in flight, for their end.
fn drop_elsewhere(client: impl Send + 'static) {
    tokio::task::spawn_blocking(move || drop(client));
}

/// Keeps what librdkafka last complained about; its error codes alone say "transport failure" for a
/// name that does not resolve and a port that is closed alike.
#[derive(Default)]
struct Complaints(Mutex<Option<String>>);

impl Complaints {
    fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Complaints {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "librdkafka");
        if facility == "FAIL" {
            // "[thrd:kafka:9092/bootstrap]: kafka:9092/bootstrap: Failed to resolve ... (after 3ms in state CONNECT)"
            let text = message.rsplit_once("/bootstrap: ").map_or(message, |(_, text)| text);
            let text = text.split_once(" (after ").map_or(text, |(text, _)| text);
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
    }
}

impl ProducerContext for Complaints {
    type DeliveryOpaque = ();
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(prefix: &str, partitions: i32) -> Vec<Topic> {
        let topic = |name: &str| Topic { name: format!("{prefix}{name}"), partitions, replication_factor: 1 };
        vec![topic("messages"), topic("status-updates")]
    }

    #[tokio::test]
    async fn brokers_that_do_not_answer_are_named_with_the_reason() {
        // Port 1 of the loopback is closed.
        let error = KafkaAdmin::default().ensure("127.0.0.1:1", &topics("", 1)).await.unwrap_err();
        assert_eq!(error.reason(), "BrokersUnreachable");
        let text = error.to_string();
        assert!(text.starts_with("spec.kafka.bootstrapServers: no broker at 127.0.0.1:1 answered ("), "{text}");
        assert!(text.contains("Connection refused"), "{text}");
    }

    #[tokio::test]
    #[ignore = "needs a Kafka at KAFKA_BOOTSTRAP_SERVERS"]
    async fn topics_are_created_once_and_grown_once_and_never_shrunk() {
        let brokers = std::env::var("KAFKA_BOOTSTRAP_SERVERS").unwrap();
        let prefix = format!("operator-test-{}.", std::process::id());
        let kafka = KafkaAdmin::default();
        assert_eq!(kafka.ensure(&brokers, &topics(&prefix, 3)).await, Ok(2));
        assert_eq!(kafka.ensure(&brokers, &topics(&prefix, 3)).await, Ok(0));
        assert_eq!(kafka.ensure(&brokers, &topics(&prefix, 6)).await, Ok(2));
        assert_eq!(kafka.ensure(&brokers, &topics(&prefix, 3)).await, Ok(0));
        assert_eq!(kafka.ensure(&brokers, &topics(&prefix, 6)).await, Ok(0));

        let mut many = topics(&format!("{prefix}copies."), 1);
        many.iter_mut().for_each(|topic| topic.replication_factor = 15);
        let error = kafka.ensure(&brokers, &many).await.unwrap_err();
        assert_eq!(error.reason(), "TooFewBrokers");
    }
}
