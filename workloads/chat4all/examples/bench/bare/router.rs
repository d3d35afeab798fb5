//! The loop that consumes, inserts a row and produces.

use std::sync::Arc;

use chat4all_kafka::Producer;
use futures::StreamExt as _;
use jiff::Timestamp;
use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::OwnedMessage;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlDate, CqlTimestamp};
use uuid::Uuid;

use super::{FROM, GROUP, TO};
use crate::place::{contact_points, kafka, variable};

/// Records under way.
const AT_ONCE: usize = 512;
const INSERT: &str = "INSERT INTO messages
    (conversation_id, bucket, created_at, message_id, sender, recipient, content) VALUES (?, ?, ?, ?, ?, ?, ?)";
/// As CQL counts days.
const EPOCH: i64 = 1 << 31;

struct Loop {
    session: Session,
    insert: PreparedStatement,
    producer: Producer,
    to: String,
}

/// Moves records until it is killed.
pub async fn run() {
    let kafka = kafka();
    let profile = ExecutionProfile::builder().consistency(Consistency::LocalQuorum).build();
    let session = SessionBuilder::new()
        .known_nodes(contact_points())
        .default_execution_profile_handle(profile.into_handle())
        .use_keyspace(variable("STORE_KEYSPACE"), true)
        .build()
        .await
        .unwrap();
    let insert = session.prepare(INSERT).await.unwrap();
    let work = Arc::new(Loop { session, insert, producer: Producer::connect(&kafka).unwrap(), to: variable(TO) });
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("group.id", variable(GROUP))
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&[&variable(FROM)]).unwrap();
    // Tasks, as a router's are, so that all cores take part.
    let moved = consumer.stream().map(|record| {
        let (work, record) = (work.clone(), record.unwrap().detach());
        tokio::spawn(async move { work.move_on(&record).await })
    });
    moved.buffer_unordered(AT_ONCE).for_each(|ended| async move { ended.unwrap() }).await;
}

impl Loop {
    async fn move_on(&self, record: &OwnedMessage) {
        let (key, value) = (record.key().unwrap(), record.payload().unwrap());
        let now = Timestamp::now().as_millisecond();
        let bucket = CqlDate(u32::try_from(EPOCH + now / 86_400_000).unwrap());
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        let row = (text(key), bucket, CqlTimestamp(now), Uuid::now_v7(), "ana", None::<&str>, text(value));
        self.session.execute_unpaged(&self.insert, row).await.unwrap();
        self.producer.send(&self.to, key, value, &[]).await.unwrap();
    }
}
