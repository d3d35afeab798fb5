//! Topics and a keyspace of the bench's own, the connector in them, and what its metrics say.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat4all_channels::ChannelConfig;
use chat4all_connector::{BreakerPolicy, Config, Connector, ConnectorMetrics, Error, RetryPolicy};
use chat4all_kafka::{ConsumerMetrics, GroupProtocol, KafkaConfig, Producer};
use chat4all_message::{AcceptedMessage, Channel, Delivery, MessageId, Topics};
use chat4all_store::Cassandra;
use chat4all_store::cassandra::{CassandraConfig, migrate};
use futures::stream::{self, StreamExt as _};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use scylla::client::session_builder::SessionBuilder;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::provider::{NUMBER_ID, Provider, TOKEN};

const NAME: &str = "bench";
/// The number of a cluster's topics where nothing else is set.
const PARTITIONS: i32 = 12;
const PATIENCE: Duration = Duration::from_secs(600);

pub struct Place {
    topics: Topics,
    kafka: KafkaConfig,
    producer: Producer,
    cassandra: CassandraConfig,
    store: Arc<Cassandra>,
    pub channel: Arc<dyn chat4all_channels::Channel>,
    registry: Mutex<Registry>,
    consumers: ConsumerMetrics,
    metrics: ConnectorMetrics,
    _credentials: TempDir,
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("set {name}, as e2e/backends.sh env prints it"))
}

impl Place {
    pub async fn create(provider: &Provider) -> Self {
        let unique = uuid::Uuid::new_v4().simple();
        let kafka = KafkaConfig {
            bootstrap_servers: setting("KAFKA_BOOTSTRAP_SERVERS"),
            session_timeout: Duration::from_secs(6),
            protocol: GroupProtocol::default(),
        };
        let topics = Topics::with_prefix(format!("bench-{unique}."));
        let all = names(&topics);
        let new = all.iter().map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1)));
        for created in admin(&kafka).create_topics(&new.collect::<Vec<_>>(), &AdminOptions::new()).await.unwrap() {
            created.unwrap();
        }
        let cassandra = CassandraConfig {
            contact_points: setting("STORE_CONTACT_POINTS").split(',').map(str::to_owned).collect(),
            keyspace: format!("bench_{unique}").parse().unwrap(),
        };
        let replication = r#"{"class":"NetworkTopologyStrategy","replication_factor":"1"}"#.parse().unwrap();
        migrate(&cassandra, &replication).await.unwrap();
        let credentials = TempDir::new().unwrap();
        std::fs::write(credentials.path().join("access-token"), TOKEN).unwrap();
        let channel = ChannelConfig {
            connector: NAME.into(),
            base_url: Some(provider.url.clone()),
            account: format!(r#"{{"phoneNumberId":"{NUMBER_ID}"}}"#),
            credentials_dir: credentials.path().into(),
        };
        let mut registry = Registry::default();
        Self {
            producer: Producer::connect(&kafka).unwrap(),
            store: Arc::new(Cassandra::connect(&cassandra).await.unwrap()),
            channel: chat4all_channels::open(Channel::Whatsapp, &channel).unwrap(),
            consumers: ConsumerMetrics::register(&mut registry),
            metrics: ConnectorMetrics::register(&mut registry),
            registry: Mutex::new(registry),
            topics,
            kafka,
            cassandra,
            _credentials: credentials,
        }
    }

    /// Removes the topics and the keyspace.
    pub async fn remove(self) {
        let names = names(&self.topics);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        admin(&self.kafka).delete_topics(&names, &AdminOptions::new()).await.unwrap();
        let session = SessionBuilder::new().known_nodes(&self.cassandra.contact_points).build().await.unwrap();
        session.query_unpaged(format!("DROP KEYSPACE \"{}\"", self.cassandra.keyspace), ()).await.unwrap();
    }

    /// Puts so many deliveries before the connector, each to a recipient of its own.
    pub async fn order(&self, deliveries: usize) {
        let topic = self.topics.outbound(NAME);
        let orders = stream::iter(0..deliveries).map(|number| {
            let delivery = delivery(number);
            let topic = &topic;
            async move {
                let (key, value) = (delivery.recipient.to_string(), serde_json::to_vec(&delivery).unwrap());
                self.producer.send(topic, key.as_bytes(), &value, &[]).await.unwrap();
            }
        });
        orders.buffer_unordered(512).for_each(|()| std::future::ready(())).await;
    }

    pub fn start(&self, retry: RetryPolicy) -> Running {
        let config = Config {
            name: NAME.into(),
            topics: self.topics.clone(),
            // Never opens: what waits here shall be the recipients.
            breaker: BreakerPolicy { minimum_calls: u32::MAX, ..BreakerPolicy::default() },
            retry,
            pace: chat4all_channels::Pace::UNLIMITED,
            on_unknown_outcome: Default::default(),
            hold_for: Duration::from_secs(900),
            request_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(5),
        };
        let connector = Connector::new(
            config,
            self.channel.clone(),
            &self.kafka,
            self.producer.clone(),
            self.store.clone(),
            self.consumers.clone(),
            self.metrics.clone(),
        )
        .unwrap();
        let shutdown = CancellationToken::new();
        Running { task: tokio::spawn(connector.run(shutdown.clone())), shutdown }
    }

    /// Deliveries whose outcome was told.
    pub fn told(&self) -> u64 {
        self.sum("connector_deliveries_total")
    }

    /// Calls that the provider refused for now.
    pub fn refused(&self) -> u64 {
        self.sum("connector_calls_total{") - self.sum_of("connector_calls_total{", "accepted")
    }

    fn sum(&self, name: &str) -> u64 {
        self.sum_of(name, "")
    }

    fn sum_of(&self, name: &str, label: &str) -> u64 {
        let mut text = String::new();
        encode(&mut text, &self.registry.lock().unwrap()).unwrap();
        let series = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        series.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
    }

    pub async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A connector at work.
pub struct Running {
    task: JoinHandle<Result<(), Error>>,
    shutdown: CancellationToken,
}

impl Running {
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// For one whose recipients wait longer than anybody would.
    pub fn cut_off(self) {
        self.task.abort();
    }
}

/// A delivery to the `number`th recipient.
pub fn delivery(number: usize) -> Delivery {
    let recipient: chat4all_message::Address = format!("whatsapp:+55629{number:08}").parse().unwrap();
    let message = AcceptedMessage {
        message_id: MessageId::now(),
        conversation_id: format!("c{number}").parse().unwrap(),
        sender: "ana".parse().unwrap(),
        recipient: Some(recipient.clone()),
        content: "Your order is on its way and will be with you between ten and twelve.".into(),
        file_id: None,
        media: None,
        template: None,
        inbound: None,
        reply_to: None,
    };
    Delivery::of(&message, recipient, NAME)
}

/// The memory of this process that is in use, in bytes.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn names(topics: &Topics) -> [String; 4] {
    [topics.outbound(NAME), topics.inbound(NAME), topics.status_updates(), topics.dead_letters()]
}

fn admin(kafka: &KafkaConfig) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", &kafka.bootstrap_servers).create().unwrap()
}
