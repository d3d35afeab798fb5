//! Topics, a keyspace and secrets of the bench's own; conversations in them; and how far topics are.

use std::sync::Arc;
use std::time::Duration;

use chat4all_kafka::{GroupProtocol, KafkaConfig, Placed, Producer};
use chat4all_message::{AcceptedMessage, Address, ConversationId, MessageId, Topics};
use chat4all_store::cassandra::CassandraConfig;
use chat4all_store::{Cassandra, Conversations as _};
use futures::stream::{self, StreamExt as _};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use scylla::client::session_builder::SessionBuilder;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::process;

/// The connector whose deliveries routers make.
pub const CONNECTOR: &str = "bench";
/// The user whose messages they are; the password is the same.
pub const USER: &str = "ana";
pub const CONVERSATIONS: usize = 1000;
/// The number of a cluster's topics where nothing else is set.
pub const PARTITIONS: i32 = 12;
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a topic may take to grow as far as is waited for.
const PATIENCE: Duration = Duration::from_secs(300);

pub struct Place {
    pub topics: Topics,
    pub store: Arc<Cassandra>,
    /// What `chat4all` and the floors are started with.
    pub settings: Vec<(&'static str, String)>,
    /// Of each topic.
    pub partitions: i32,
    producer: Producer,
    all: Vec<String>,
    keyspace: String,
    _files: TempDir,
}

pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; e2e/backends.sh env prints those of the engines"))
}

/// A number that may be set.
pub fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

pub fn kafka() -> KafkaConfig {
    KafkaConfig {
        bootstrap_servers: variable("KAFKA_BOOTSTRAP_SERVERS"),
        session_timeout: Duration::from_secs(6),
        protocol: GroupProtocol::default(),
    }
}

pub fn contact_points() -> Vec<String> {
    variable("STORE_CONTACT_POINTS").split(',').map(str::to_owned).collect()
}

impl Place {
    /// With [`CONVERSATIONS`] whose members are known, and so many partitions in each topic.
    pub async fn create(partitions: i32) -> Self {
        let unique = Uuid::new_v4().simple();
        let (prefix, keyspace) = (format!("bench-{unique}."), format!("bench_{unique}"));
        let topics = Topics::with_prefix(&prefix);
        let files = secrets();
        let folder = |name: &str| files.path().join(name).display().to_string();
        let settings = vec![
            ("KAFKA_TOPIC_PREFIX", prefix),
            ("STORE_KEYSPACE", keyspace.clone()),
            ("STORE_REPLICATION", r#"{"class":"NetworkTopologyStrategy","replication_factor":"1"}"#.into()),
            ("CONNECTORS", format!("{CONNECTOR}=whatsapp")),
            ("AUTH_DIR", folder("auth")),
            ("WEBHOOKS_DIR", folder("webhooks")),
        ];
        process::run("migrate", &settings).await;
        let cassandra = CassandraConfig { contact_points: contact_points(), keyspace: keyspace.parse().unwrap() };
        let place = Self {
            all: vec![
                topics.messages(),
                topics.status_updates(),
                topics.dead_letters(),
                topics.outbound(CONNECTOR),
                topics.inbound(CONNECTOR),
                bare(&topics),
            ],
            producer: Producer::connect(&kafka()).unwrap(),
            store: Arc::new(Cassandra::connect(&cassandra).await.unwrap()),
            topics,
            partitions,
            settings,
            keyspace,
            _files: files,
        };
        let new = place.all.iter().map(|name| NewTopic::new(name, partitions, TopicReplication::Fixed(1)));
        for created in admin().create_topics(&new.collect::<Vec<_>>(), &AdminOptions::new()).await.unwrap() {
            created.unwrap();
        }
        for number in 0..CONVERSATIONS {
            place.store.add_members(&conversation(number), &members(number)).await.unwrap();
        }
        place
    }

    /// Removes the topics and the keyspace.
    pub async fn remove(self) {
        let names: Vec<&str> = self.all.iter().map(String::as_str).collect();
        admin().delete_topics(&names, &AdminOptions::new()).await.unwrap();
        let session = SessionBuilder::new().known_nodes(contact_points()).build().await.unwrap();
        session.query_unpaged(format!("DROP KEYSPACE \"{}\"", self.keyspace), ()).await.unwrap();
    }

    /// The settings, and those of a floor.
    pub fn and(&self, more: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
        [&self.settings, more].concat()
    }

    /// The topic that floors produce into.
    pub fn bare(&self) -> String {
        bare(&self.topics)
    }

    /// Puts so many accepted messages into the topic of messages, the conversations in turn.
    pub async fn accept(&self, messages: usize) {
        let accepted = stream::iter(0..messages).map(|number| {
            let message = message(number % CONVERSATIONS);
            async move { self.put(&message).await }
        });
        accepted.buffer_unordered(4096).for_each(|_| std::future::ready(())).await;
    }

    /// Puts one accepted message into the topic of messages, and says where it is.
    pub async fn put(&self, message: &AcceptedMessage) -> Placed {
        let (key, value) = (message.conversation_id.as_str(), serde_json::to_vec(message).unwrap());
        self.producer.send(&self.topics.messages(), key.as_bytes(), &value, &[]).await.unwrap()
    }

    /// Lets a group that has no member begin at what comes next.
    pub fn pass(&self, group: &str) {
        let ends = Progress::of(group, &self.topics.messages(), self.partitions);
        ends.client.commit(&ends.ends(), CommitMode::Sync).unwrap();
    }

    /// How far this topic is.
    pub fn progress(&self, topic: &str) -> Progress {
        Progress::of("bench", topic, self.partitions)
    }
}

/// How far a topic is.
pub struct Progress {
    client: BaseConsumer,
    asked: TopicPartitionList,
}

impl Progress {
    fn of(group: &str, topic: &str, partitions: i32) -> Self {
        let client = ClientConfig::new()
            .set("bootstrap.servers", kafka().bootstrap_servers)
            .set("group.id", group)
            .create()
            .unwrap();
        let mut asked = TopicPartitionList::new();
        for partition in 0..partitions {
            asked.add_partition_offset(topic, partition, Offset::End).unwrap();
        }
        Self { client, asked }
    }

    fn ends(&self) -> TopicPartitionList {
        tokio::task::block_in_place(|| self.client.offsets_for_times(self.asked.clone(), TIMEOUT)).unwrap()
    }

    /// Records that were ever in the topic.
    pub fn records(&self) -> i64 {
        self.ends().elements().iter().map(|partition| partition.offset().to_raw().unwrap()).sum()
    }

    /// Waits until the topic holds so many records; returns how many it holds then.
    pub async fn until(&self, wanted: i64) -> i64 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let records = self.records();
            if records >= wanted {
                return records;
            }
            assert!(Instant::now() < deadline, "{records} of {wanted} records after {PATIENCE:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

pub fn conversation(number: usize) -> ConversationId {
    format!("order-{number}").parse().unwrap()
}

pub fn recipient(number: usize) -> Address {
    format!("whatsapp:+55629{number:08}").parse().unwrap()
}

pub fn members(number: usize) -> [Address; 2] {
    [USER.parse().unwrap(), recipient(number)]
}

/// A text of 100 bytes.
pub const TEXT: &str =
    "Your order is on its way and will be with you between ten and twelve. Answer STOP to hear no more ..";

/// A message of the `number`th conversation, accepted now.
pub fn message(number: usize) -> AcceptedMessage {
    AcceptedMessage {
        message_id: MessageId::now(),
        conversation_id: conversation(number),
        sender: USER.parse().unwrap(),
        recipient: Some(recipient(number)),
        content: TEXT.into(),
        file_id: None,
        media: None,
        template: None,
        reply_to: None,
        inbound: None,
    }
}

fn bare(topics: &Topics) -> String {
    topics.outbound("bare")
}

/// The files that a cluster mounts from Secrets.
fn secrets() -> TempDir {
    let files = TempDir::new().unwrap();
    let write = |folder: &str, name: &str, text: &str| {
        let folder = files.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), text).unwrap();
    };
    let hash = chat4all_api::users::hash_password(USER);
    write("auth", "jwt-key", &Uuid::new_v4().simple().to_string());
    write("auth", "users.yaml", &format!("- {{username: {USER}, passwordHash: \"{hash}\", role: user}}\n"));
    write(&format!("webhooks/{CONNECTOR}"), "app-secret", "secret-of-the-bench");
    write(&format!("webhooks/{CONNECTOR}"), "verify-token", "token-of-the-bench");
    files
}

fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", kafka().bootstrap_servers).create().unwrap()
}
