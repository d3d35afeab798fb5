//! The topics of a cluster: created and grown, never shrunk, never deleted; and how far their consumers
//! are. Here is what is to be done and what can go wrong; [`admin`] does it on a real Kafka, and
//! [`offsets`] looks there.

pub mod admin;
mod clients;
pub mod offsets;
mod remembered;

use std::collections::HashMap;

use async_trait::async_trait;

use crate::model::Topic;
pub use remembered::Remembered;

/// Makes sure that topics exist.
#[async_trait]
pub trait Topics: Send + Sync {
    /// Creates the topics that do not exist on these brokers, and gives partitions to those that
    /// have too few.
    async fn ensure(&self, brokers: &str, topics: &[Topic]) -> Ensured;
}

/// What came of making sure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ensured {
    /// The topics that did not exist, whether they could be created or not.
    pub missing: Vec<String>,
    /// Whether all exist now.
    pub done: Result<(), Error>,
}

impl Ensured {
    /// All were there.
    pub fn all_there() -> Self {
        Self { missing: Vec::new(), done: Ok(()) }
    }
}

impl From<Error> for Ensured {
    fn from(error: Error) -> Self {
        Self { missing: Vec::new(), done: Err(error) }
    }
}

/// Why the topics are not as they should be. The texts name the field and the remedy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// No broker answered.
    #[error(
        "spec.kafka.bootstrapServers: no broker at {brokers} answered ({reason}); correct the addresses, or see whether Kafka runs and advertises names that can be resolved from the operator's namespace"
    )]
    Unreachable {
        /// Who was asked.
        brokers: String,
        /// What the client last complained about.
        reason: String,
    },
    /// Fewer brokers than copies.
    #[error(
        "spec.kafka.replicationFactor: {replication_factor} copies need as many brokers, and Kafka has {brokers}; lower it or add brokers"
    )]
    TooFewBrokers {
        /// Copies wanted.
        replication_factor: i32,
        /// Brokers there.
        brokers: usize,
    },
    /// Kafka refused.
    #[error("spec.kafka: Kafka refused to {action} topic {topic} ({reason}); allow it, or create the topic yourself")]
    Refused {
        /// `create` or `grow`.
        action: &'static str,
        /// The topic.
        topic: String,
        /// What Kafka said.
        reason: String,
    },
    /// A topic is not there.
    #[error(
        "spec.kafka.topicPrefix: topic {topic} does not exist; the operator creates it as soon as Kafka lets it, see the condition KafkaReachable"
    )]
    NoTopic {
        /// The topic.
        topic: String,
    },
    /// Kafka answered without telling the offsets.
    #[error(
        "spec.kafka: Kafka did not tell {what} ({reason}); allow the operator to describe topics and groups, and see whether every partition has a leader"
    )]
    OffsetsUntold {
        /// Which offsets.
        what: String,
        /// What Kafka said.
        reason: String,
    },
    /// The client could not be made or used.
    #[error("spec.kafka.bootstrapServers: cannot be used ({reason}); write host:port of the brokers")]
    Unusable {
        /// What librdkafka said.
        reason: String,
    },
}

impl Error {
    /// The reason for a condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "BrokersUnreachable",
            Self::TooFewBrokers { .. } => "TooFewBrokers",
            Self::Refused { .. } => "TopicRefused",
            Self::NoTopic { .. } => "NoTopic",
            Self::OffsetsUntold { .. } => "OffsetsUntold",
            Self::Unusable { .. } => "BrokersUnusable",
        }
    }
}

/// What is to be done so that the wanted topics exist.
#[derive(Debug, Default, Eq, PartialEq)]
struct Plan<'a> {
    create: Vec<&'a Topic>,
    grow: Vec<&'a Topic>,
}

/// Compares the wanted topics with the partitions of those that exist. A topic with more partitions
/// than wanted is left alone, and so are the copies of one that exists.
fn plan<'a>(wanted: &'a [Topic], partitions: &HashMap<String, usize>) -> Plan<'a> {
    let mut plan = Plan::default();
    for topic in wanted {
        match partitions.get(&topic.name) {
            None => plan.create.push(topic),
            Some(&count) if count < topic.partitions.unsigned_abs() as usize => plan.grow.push(topic),
            Some(_) => {}
        }
    }
    plan
}

/// How many copies must have a record before `acks=all` says so. With one of three brokers away two
/// copies remain, and an accepted message survives the loss of one more.
fn min_insync_replicas(replication_factor: i32) -> &'static str {
    if replication_factor >= 3 { "2" } else { "1" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, partitions: i32) -> Topic {
        Topic { name: name.into(), partitions, replication_factor: 1 }
    }

    #[test]
    fn a_missing_topic_is_created_and_a_small_one_grown() {
        let wanted = [topic("messages", 12), topic("status-updates", 12)];
        let existing = HashMap::from([("status-updates".to_owned(), 6)]);
        let plan = plan(&wanted, &existing);
        assert_eq!(plan.create, [&wanted[0]]);
        assert_eq!(plan.grow, [&wanted[1]]);
    }

    #[test]
    fn a_topic_with_more_partitions_is_never_shrunk() {
        let existing = HashMap::from([("messages".to_owned(), 24)]);
        assert_eq!(plan(&[topic("messages", 12)], &existing), Plan::default());
    }

    #[test]
    fn an_error_names_the_field_and_the_remedy() {
        let error = Error::TooFewBrokers { replication_factor: 3, brokers: 1 };
        assert_eq!(
            error.to_string(),
            "spec.kafka.replicationFactor: 3 copies need as many brokers, and Kafka has 1; lower it or add brokers"
        );
    }

    #[test]
    fn an_accepted_message_has_two_copies_where_there_are_three_brokers() {
        assert_eq!(min_insync_replicas(1), "1");
        assert_eq!(min_insync_replicas(3), "2");
    }
}
