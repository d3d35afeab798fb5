//! [`Topics`] on a real Kafka.

use std::collections::HashMap;

use async_trait::async_trait;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication, TopicResult};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::clients::{Clients, Complaints, TIMEOUT, Whom, blocking, config, drop_elsewhere, unreachable, unusable};
use super::{Ensured, Error, Plan, Topics, min_insync_replicas, plan};
use crate::model::Topic;

/// [`Topics`] through librdkafka.
#[derive(Default)]
pub struct KafkaAdmin {
    clients: Clients,
}

#[async_trait]
impl Topics for KafkaAdmin {
    async fn ensure(&self, brokers: &str, topics: &[Topic]) -> Ensured {
        let found = match self.look(brokers, topics).await {
            Ok(found) => found,
            Err(error) => return error.into(),
        };
        let plan = plan(topics, &found.partitions);
        let missing = plan.create.iter().map(|topic| topic.name.clone()).collect();
        Ensured { missing, done: carry_out(brokers, &plan, found.brokers).await }
    }
}

impl KafkaAdmin {
    async fn look(&self, brokers: &str, topics: &[Topic]) -> Result<Found, Error> {
        let whom = Whom { brokers: brokers.to_owned(), group: None };
        let client = self.clients.asking(&whom)?;
        let (wanted, named) = (topics.to_vec(), whom.brokers.clone());
        let found = blocking(move || look(&client, &wanted).map_err(|e| unreachable(&named, &client, &e))).await;
        found.inspect_err(|_| self.clients.forget(&whom))
    }
}

/// What there is.
struct Found {
    brokers: usize,
    /// Partitions of the topics that exist.
    partitions: HashMap<String, usize>,
}

/// Asks for each topic by name: on a Kafka with hundreds of tenants a list of all is megabytes.
fn look(client: &BaseConsumer<Complaints>, topics: &[Topic]) -> KafkaResult<Found> {
    let mut found = Found { brokers: 0, partitions: HashMap::new() };
    for topic in topics {
        let metadata = client.fetch_metadata(Some(&topic.name), TIMEOUT)?;
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
    }
    Ok(found)
}

async fn carry_out(brokers: &str, plan: &Plan<'_>, broker_count: usize) -> Result<(), Error> {
    if plan == &Plan::default() {
        return Ok(());
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
    for (action, answer) in results {
        let answer = answer.map_err(|error| Error::Unreachable {
            brokers: brokers.to_owned(),
            reason: error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string()),
        })?;
        for topic in answer {
            judge(action, topic, plan, broker_count)?;
        }
    }
    Ok(())
}

/// What became of one topic.
fn judge(action: &'static str, topic: TopicResult, plan: &Plan<'_>, brokers: usize) -> Result<(), Error> {
    match topic {
        Ok(name) => {
            tracing::info!(topic = name, action, "changed a topic");
            Ok(())
        }
        // Someone else was faster; the next look judges its partitions.
        Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(prefix: &str, partitions: i32) -> Vec<Topic> {
        let topic = |name: &str| Topic { name: format!("{prefix}{name}"), partitions, replication_factor: 1 };
        vec![topic("messages"), topic("status-updates")]
    }

    /// A broker shows a topic, or that it grew, a moment after the controller said so.
    fn until_shown(brokers: &str, topics: &[Topic]) {
        let client = Clients::default().asking(&Whom { brokers: brokers.to_owned(), group: None }).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while plan(topics, &look(&client, topics).unwrap().partitions) != Plan::default() {
            assert!(std::time::Instant::now() < deadline, "not shown");
        }
    }

    #[tokio::test]
    async fn brokers_that_do_not_answer_are_named_with_the_reason() {
        // Port 1 of the loopback is closed.
        let error = KafkaAdmin::default().ensure("127.0.0.1:1", &topics("", 1)).await.done.unwrap_err();
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
        let missing = vec![format!("{prefix}messages"), format!("{prefix}status-updates")];
        assert_eq!(kafka.ensure(&brokers, &topics(&prefix, 3)).await, Ensured { missing, done: Ok(()) });
        until_shown(&brokers, &topics(&prefix, 3));
        for partitions in [3, 6, 3, 6] {
            assert_eq!(kafka.ensure(&brokers, &topics(&prefix, partitions)).await, Ensured::all_there());
            until_shown(&brokers, &topics(&prefix, partitions));
        }

        let mut many = topics(&format!("{prefix}copies."), 1);
        many.iter_mut().for_each(|topic| topic.replication_factor = 15);
        let refused = kafka.ensure(&brokers, &many).await;
        assert_eq!(refused.missing.len(), 2);
        assert_eq!(refused.done.unwrap_err().reason(), "TooFewBrokers");
    }
}
