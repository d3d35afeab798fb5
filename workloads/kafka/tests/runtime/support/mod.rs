//! A topic of its own for each test, records in it, and members that note what they handle.

pub mod scale;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat4all_kafka::{
    Consumer, ConsumerMetrics, Ended, Error, Gate, GroupProtocol, Handler, KafkaConfig, Lease, Limits, Producer,
    Record, Settings,
};
use prometheus_client::registry::Registry;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The number of partitions of a test's topic.
pub const PARTITIONS: i32 = 6;

/// A topic with a consumer group.
pub struct Topic {
    pub name: String,
    pub kafka: KafkaConfig,
    pub producer: Producer,
    pub partitions: i32,
}

impl Topic {
    /// A new topic.
    pub async fn create() -> Self {
        Self::with(PARTITIONS, GroupProtocol::default()).await
    }

    /// A new topic with so many partitions, whose consumers share them so.
    pub async fn with(partitions: i32, protocol: GroupProtocol) -> Self {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let bootstrap_servers = std::env::var("KAFKA_BOOTSTRAP_SERVERS").expect("KAFKA_BOOTSTRAP_SERVERS is set");
        let name = format!("runtime-{}", uuid::Uuid::new_v4());
        let admin = admin(&bootstrap_servers);
        let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
        for result in admin.create_topics([&topic], &AdminOptions::new()).await.unwrap() {
            result.unwrap();
        }
        let kafka = KafkaConfig { bootstrap_servers, session_timeout: Duration::from_secs(6), protocol };
        let producer = Producer::connect(&kafka).unwrap();
        Self { name, kafka, producer, partitions }
    }

    /// Produces `per_key` records for each of `keys` keys; the values are `key:number`.
    pub async fn fill(&self, keys: u32, per_key: u32) {
        let sends = (0..keys).map(|key| async move {
            for number in 0..per_key {
                self.put(key, number).await;
            }
        });
        futures::future::join_all(sends).await;
    }

    /// Produces one record as [`Topic::fill`] does, and says in which partition it is.
    pub async fn put(&self, key: u32, number: u32) -> i32 {
        let value = format!("{key}:{number}");
        self.producer.send(&self.name, key.to_string().as_bytes(), value.as_bytes(), &[]).await.unwrap().partition
    }

    /// Produces record 0 for as many keys as it takes until each partition has `wanted` of them, and
    /// gives the keys of each partition.
    pub async fn keys(&self, wanted: usize) -> Vec<Vec<u32>> {
        let mut keys: Vec<Vec<u32>> = (0..self.partitions).map(|_| Vec::new()).collect();
        for key in 0.. {
            let partition = self.put(key, 0).await;
            keys[usize::try_from(partition).unwrap()].push(key);
            if keys.iter().all(|keys| keys.len() >= wanted) {
                break;
            }
        }
        keys
    }

    /// A member of the topic's group.
    pub fn member<H: Handler>(&self, handler: &Arc<H>, gate: Gate) -> Member {
        self.limited_member(handler, gate, Limits { records: 300, bytes: 1 << 20, at_work: 300 })
    }

    /// A member of the topic's group that takes in no more than this.
    pub fn limited_member<H: Handler>(&self, handler: &Arc<H>, gate: Gate, limits: Limits) -> Member {
        let settings = Settings {
            group: format!("{}-group", self.name),
            topics: vec![self.name.clone()],
            limits,
            drain: Duration::from_secs(15),
        };
        let mut registry = Registry::default();
        let metrics = ConsumerMetrics::register(&mut registry);
        let consumer = Consumer::new(&self.kafka, settings, handler.clone(), gate, metrics).unwrap();
        let (pulse, share) = (consumer.pulse(), consumer.share());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(consumer.run(shutdown.clone()));
        Member { shutdown, task, pulse, share, registry }
    }

    /// The sum of the group's committed offsets.
    pub async fn committed(&self) -> i64 {
        self.asked(|consumer, partitions| consumer.committed_offsets(partitions, PATIENCE).unwrap()).await
    }

    /// Commits an offset for the group.
    pub async fn commit(&self, partition: i32, offset: i64) {
        self.asked(move |consumer, mut partitions| {
            let name = partitions.elements()[0].topic().to_owned();
            partitions.set_partition_offset(&name, partition, Offset::Offset(offset)).unwrap();
            consumer.commit(&partitions, CommitMode::Sync).unwrap();
            partitions
        })
        .await;
    }

    /// The sum of the partitions' ends.
    pub async fn ends(&self) -> i64 {
        self.asked(|consumer, mut partitions| {
            partitions.set_all_offsets(Offset::End).unwrap();
            consumer.offsets_for_times(partitions, PATIENCE).unwrap()
        })
        .await
    }

    /// The sum of offsets that a consumer of the group finds out about all partitions.
    async fn asked(
        &self,
        ask: impl FnOnce(BaseConsumer, TopicPartitionList) -> TopicPartitionList + Send + 'static,
    ) -> i64 {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.kafka.bootstrap_servers)
            .set("group.id", format!("{}-group", self.name))
            .create()
            .unwrap();
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_range(&self.name, 0, self.partitions - 1);
        let found = tokio::task::spawn_blocking(move || ask(consumer, partitions)).await.unwrap();
        found.elements().iter().map(|e| if let Offset::Offset(n) = e.offset() { n } else { 0 }).sum()
    }

    /// Gives the topic this many partitions.
    pub async fn grow(&self, partitions: usize) {
        let admin = admin(&self.kafka.bootstrap_servers);
        let grown = admin.create_partitions(&[NewPartitions::new(&self.name, partitions)], &AdminOptions::new()).await;
        grown.unwrap().remove(0).unwrap();
    }

    /// Removes the topic.
    pub async fn delete(self) {
        let admin = admin(&self.kafka.bootstrap_servers);
        admin.delete_topics(&[&self.name], &AdminOptions::new()).await.unwrap();
    }
}

fn admin(bootstrap_servers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", bootstrap_servers).create().unwrap()
}

/// A running consumer.
pub struct Member {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
    pub pulse: chat4all_kafka::Pulse,
    share: chat4all_kafka::Share,
    registry: Registry,
}

impl Member {
    /// Waits until the group has given it an assignment.
    pub async fn joined(self) -> Self {
        eventually("the member joins", || self.pulse.joined()).await;
        self
    }

    /// How many partitions it has, by its own metric.
    pub fn partitions(&self) -> usize {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let line = text.lines().find(|line| line.starts_with("consumer_partitions{"));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// Which part of the topic's partitions it has.
    pub fn share(&self) -> f64 {
        self.share.clone().now()
    }

    /// Stops it as SIGTERM does; gives how long that took.
    pub async fn stop(self) -> Duration {
        let started = Instant::now();
        self.shutdown.cancel();
        timeout(PATIENCE, self.task).await.expect("the member stops").unwrap().unwrap();
        started.elapsed()
    }

    /// Ends it without a word to its own code.
    pub async fn abort(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Notes what it handles, after an optional pause.
#[derive(Default)]
pub struct Notes {
    handled: Mutex<Vec<(u32, u32)>>,
    pub pause: Duration,
}

impl Notes {
    pub fn slow(pause: Duration) -> Arc<Self> {
        Arc::new(Self { pause, ..Self::default() })
    }

    pub fn handled(&self) -> Vec<(u32, u32)> {
        self.handled.lock().unwrap().clone()
    }

    pub fn note(&self, record: &Record) {
        self.handled.lock().unwrap().push(parsed(record));
    }
}

impl Handler for Notes {
    async fn handle(&self, record: Record, _: Lease) -> Result<(), Ended> {
        sleep(self.pause).await;
        self.note(&record);
        Ok(())
    }
}

/// Key and number of a record that [`Topic::fill`] made.
pub fn parsed(record: &Record) -> (u32, u32) {
    let text = std::str::from_utf8(&record.value).unwrap();
    let (key, number) = text.split_once(':').unwrap();
    (key.parse().unwrap(), number.parse().unwrap())
}

/// Asserts that each record was handled exactly once, and each key's in order.
pub fn assert_each_once_in_order(handled: &[(u32, u32)], keys: u32, per_key: u32) {
    for key in 0..keys {
        let numbers: Vec<u32> = handled.iter().filter(|h| h.0 == key).map(|h| h.1).collect();
        assert_eq!(numbers, (0..per_key).collect::<Vec<_>>(), "key {key}");
    }
}

/// Waits until it holds.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until it holds, by a question that takes time.
pub async fn eventually_asked(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(100)).await;
    }
}

impl Member {
    /// Waits for the error that ends it.
    pub async fn failure(self) -> Error {
        timeout(PATIENCE, self.task).await.expect("the member ends").unwrap().expect_err("it ends with an error")
    }
}
