//! The topics of one cluster in a real Kafka, under a prefix that no other test has: what is put
//! into them, what stands in them, and how far a consumer group is.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use chat4all_kafka::{GroupProtocol, KafkaConfig, Placed, Producer};
use chat4all_message::{StatusUpdate, Topics};
use futures::FutureExt as _;
use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::Headers as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::PATIENCE;

/// The number of partitions of each topic.
pub const PARTITIONS: i32 = 6;

/// The topics of one cluster.
pub struct Cluster {
    pub topics: Topics,
    pub kafka: KafkaConfig,
    pub producer: Producer,
    names: Vec<String>,
}

/// Runs a test on a cluster of its own, with topics for these connectors, and removes the topics whatever happens.
pub async fn with_cluster<T>(connectors: &[&str], test: impl AsyncFnOnce(&Cluster) -> T) -> T {
    let cluster = Cluster::create(connectors).await;
    let outcome = AssertUnwindSafe(test(&cluster)).catch_unwind().await;
    cluster.delete().await;
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Cluster {
    async fn create(connectors: &[&str]) -> Self {
        let bootstrap_servers = std::env::var("KAFKA_BOOTSTRAP_SERVERS")
            .expect("set KAFKA_BOOTSTRAP_SERVERS, as e2e/backends.sh env prints it");
        let topics = Topics::with_prefix(format!("test-{}.", uuid::Uuid::new_v4().simple()));
        let mut names = vec![topics.messages(), topics.status_updates(), topics.dead_letters()];
        names.extend(connectors.iter().flat_map(|name| [topics.outbound(name), topics.inbound(name)]));
        let new: Vec<NewTopic<'_>> =
            names.iter().map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1))).collect();
        for created in admin(&bootstrap_servers).create_topics(&new, &AdminOptions::new()).await.unwrap() {
            created.unwrap();
        }
        let protocol = GroupProtocol::default();
        let kafka = KafkaConfig { bootstrap_servers, session_timeout: Duration::from_secs(6), protocol };
        let producer = Producer::connect(&kafka).unwrap();
        Self { topics, kafka, producer, names }
    }

    async fn delete(&self) {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        for deleted in admin(&self.kafka.bootstrap_servers).delete_topics(&names, &AdminOptions::new()).await.unwrap() {
            deleted.unwrap();
        }
    }

    /// Puts a record into a topic.
    pub async fn put(&self, topic: &str, key: &str, value: &impl Serialize) -> Placed {
        self.put_bytes(topic, key, &serde_json::to_vec(value).unwrap()).await
    }

    /// Puts bytes into a topic.
    pub async fn put_bytes(&self, topic: &str, key: &str, value: &[u8]) -> Placed {
        self.producer.send(topic, key.as_bytes(), value, &[]).await.unwrap()
    }

    /// Puts a status where connectors put it.
    pub async fn put_status(&self, update: &StatusUpdate) {
        self.put(&self.topics.status_updates(), &update.key(), update).await;
    }

    /// Everything in a topic, partition by partition, each in its order.
    pub async fn read(&self, topic: &str) -> Vec<Seen> {
        let (kafka, topic) = (self.kafka.clone(), topic.to_owned());
        tokio::task::spawn_blocking(move || read(&reader(&kafka, None), &topic)).await.unwrap()
    }

    /// The values in a topic, partition by partition.
    pub async fn read_as<T: DeserializeOwned>(&self, topic: &str) -> Vec<T> {
        self.read(topic).await.iter().map(|seen| serde_json::from_slice(&seen.value).unwrap()).collect()
    }

    /// The statuses that were put out.
    pub async fn statuses(&self) -> Vec<StatusUpdate> {
        self.read_as(&self.topics.status_updates()).await
    }

    /// The records that were given up.
    pub async fn dead_letters(&self) -> Vec<Seen> {
        self.read(&self.topics.dead_letters()).await
    }

    /// Waits until the group has committed everything in these topics.
    pub async fn drained(&self, group: &str, topics: &[String]) {
        let (kafka, group, topics) = (self.kafka.clone(), group.to_owned(), topics.to_vec());
        tokio::task::spawn_blocking(move || {
            let consumer = reader(&kafka, Some(&group));
            let deadline = Instant::now() + PATIENCE;
            loop {
                let open: Vec<String> = topics.iter().flat_map(|topic| lag(&consumer, topic)).collect();
                if open.is_empty() {
                    return;
                }
                assert!(Instant::now() < deadline, "not committed within {PATIENCE:?} by {group}: {open:?}");
                std::thread::sleep(Duration::from_millis(50));
            }
        })
        .await
        .unwrap();
    }

    /// How many members the group has now.
    pub async fn members(&self, group: &str) -> usize {
        let (kafka, group) = (self.kafka.clone(), group.to_owned());
        tokio::task::spawn_blocking(move || {
            let groups = reader(&kafka, None).client().fetch_group_list(Some(&group), PATIENCE).unwrap();
            groups.groups().iter().map(|group| group.members().len()).sum()
        })
        .await
        .unwrap()
    }

    /// Makes the group, which must have no members, read the topic again from its beginning: as after a
    /// crash that came before the first commit.
    pub async fn rewind(&self, group: &str, topic: &str) {
        let (kafka, group, topic) = (self.kafka.clone(), group.to_owned(), topic.to_owned());
        tokio::task::spawn_blocking(move || {
            let mut offsets = TopicPartitionList::new();
            for partition in 0..PARTITIONS {
                offsets.add_partition_offset(&topic, partition, Offset::Offset(0)).unwrap();
            }
            let consumer = reader(&kafka, Some(&group));
            consumer.commit(&offsets, CommitMode::Sync).unwrap();
        })
        .await
        .unwrap();
    }
}

fn admin(bootstrap_servers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", bootstrap_servers).create().unwrap()
}

/// A client that looks and joins no group; with a group's name it can see the group's offsets.
fn reader(kafka: &KafkaConfig, group: Option<&str>) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("group.id", group.unwrap_or("test-readers-that-commit-nothing"))
        .set("enable.auto.commit", "false")
        .create()
        .unwrap()
}

/// One past the last offset of each partition.
fn ends(consumer: &BaseConsumer, topic: &str) -> Vec<i64> {
    (0..PARTITIONS).map(|partition| end(consumer, topic, partition)).collect()
}

/// A topic that is new has no leaders for a moment.
fn end(consumer: &BaseConsumer, topic: &str, partition: i32) -> i64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match consumer.fetch_watermarks(topic, partition, PATIENCE) {
            Ok((_, end)) => return end,
            Err(error) => assert!(Instant::now() < deadline, "no end of {topic}[{partition}]: {error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn lag(consumer: &BaseConsumer, topic: &str) -> Vec<String> {
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_range(topic, 0, PARTITIONS - 1);
    // A broker that was just started has no coordinator for the first group for a moment.
    let committed = match consumer.committed_offsets(partitions, PATIENCE) {
        Ok(committed) => committed,
        Err(error) => return vec![format!("{topic}: {error}")],
    };
    let open = |(partition, end): (i32, i64)| {
        let found = committed.find_partition(topic, partition).unwrap();
        let at = if let Offset::Offset(at) = found.offset() { at } else { 0 };
        (at < end).then(|| format!("{topic}[{partition}] {at} of {end}"))
    };
    (0..PARTITIONS).zip(ends(consumer, topic)).filter_map(open).collect()
}

fn read(consumer: &BaseConsumer, topic: &str) -> Vec<Seen> {
    let ends = ends(consumer, topic);
    let mut from = TopicPartitionList::new();
    for partition in (0..PARTITIONS).filter(|p| ends[*p as usize] > 0) {
        from.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    let mut left: i64 = ends.iter().sum();
    let mut seen = Vec::new();
    if left == 0 {
        return seen;
    }
    consumer.assign(&from).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while left > 0 {
        assert!(Instant::now() < deadline, "{left} records of {topic} could not be read within {PATIENCE:?}");
        let Some(message) = consumer.poll(Duration::from_millis(200)) else { continue };
        let message = message.unwrap();
        if message.offset() < ends[message.partition() as usize] {
            left -= 1;
            seen.push(Seen::of(&message));
        }
    }
    seen.sort_by_key(|record| (record.partition, record.offset));
    seen
}

/// A record as it stands in a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub partition: i32,
    pub offset: i64,
    pub key: String,
    pub value: Vec<u8>,
    pub headers: BTreeMap<String, String>,
}

impl Seen {
    fn of(message: &rdkafka::message::BorrowedMessage<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(text).unwrap_or_default(),
            value: message.payload().unwrap_or_default().to_vec(),
            headers: headers.map(|h| (h.key.to_owned(), text(h.value.unwrap_or_default()))).collect(),
        }
    }
}

/// Asserts that a record was given up as the design says: its key and bytes as they were, where it
/// came from and why.
pub fn assert_dead_letter(letter: &Seen, topic: &str, group: &str, from: Placed, key: &str, value: &[u8]) {
    assert_eq!((letter.key.as_str(), letter.value.as_slice()), (key, value));
    let header = |name: &str| letter.headers.get(name).map_or("(missing)", String::as_str);
    assert_eq!(header("kafka_dlt-original-topic"), topic);
    assert_eq!(header("kafka_dlt-original-partition"), from.partition.to_string());
    assert_eq!(header("kafka_dlt-original-offset"), from.offset.to_string());
    assert_eq!(header("kafka_dlt-original-consumer-group"), group);
    assert!(header("kafka_dlt-original-timestamp").parse::<i64>().unwrap() > 1_700_000_000_000, "{letter:?}");
    assert!(!header("kafka_dlt-exception-message").is_empty());
    assert_eq!(header("chat4all-replays"), "0");
}
