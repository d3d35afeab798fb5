//! The ledger check on a real Kafka, with real routers and connectors beside it: it finds messages
//! wherever they are, names exactly what was made to be lost, and never calls lost what only moves.
//! Needs `KAFKA_BOOTSTRAP_SERVERS` and `STORE_CONTACT_POINTS`; run with `--ignored`.

#![allow(clippy::unwrap_used)]

#[path = "../../connector/tests/support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chat4all_kafka::ConsumerMetrics;
use chat4all_ledger::{LedgerCheck, Report, Tally};
use chat4all_message::{AcceptedMessage, DeliveryEvent, DeliveryId, DeliveryRef, MessageId, StatusUpdate, Subject};
use chat4all_router::{Config, Router};
use chat4all_store::cassandra::{CassandraConfig, migrate};
use chat4all_store::{Cassandra, Memory, Store};
use futures::FutureExt as _;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use scylla::client::session_builder::SessionBuilder;
use support::{Cluster, MAIN, PARTITIONS, Policies, Running, recipient, with_cluster, with_place};

fn start_router(cluster: &Cluster, store: Arc<dyn Store>) -> Running<chat4all_kafka::Error> {
    let config = Config {
        topics: cluster.topics.clone(),
        connectors: vec![format!("{MAIN}=whatsapp").parse().unwrap()],
        drain: Duration::from_secs(5),
    };
    let producer = cluster.producer.clone();
    let router = Router::new(config, &cluster.kafka, producer, store, ConsumerMetrics::default()).unwrap();
    Running::start(router.pulses(), |shutdown| router.run(shutdown))
}

/// A message of the `number`th conversation, to its customer.
fn message(number: usize) -> AcceptedMessage {
    AcceptedMessage {
        message_id: MessageId::now(),
        conversation_id: format!("c{number}").parse().unwrap(),
        sender: "ana".parse().unwrap(),
        recipient: Some(recipient(number)),
        content: "olá".into(),
        file_id: None,
        media: None,
        template: None,
        inbound: None,
        reply_to: None,
    }
}

/// The delivery of a message that `message` made.
fn reference(message: &AcceptedMessage) -> DeliveryRef {
    DeliveryRef {
        conversation_id: message.conversation_id.clone(),
        message_id: message.message_id,
        delivery_id: DeliveryId::of(message.message_id, message.recipient.as_ref().unwrap()),
    }
}

/// Puts messages where the API puts them.
async fn accept(cluster: &Cluster, messages: &[AcceptedMessage]) {
    let topic = cluster.topics.messages();
    join_all(messages.iter().map(|message| cluster.put(&topic, message.conversation_id.as_str(), message))).await;
}

async fn routed(cluster: &Cluster) {
    cluster.drained(&cluster.topics.router_group(), &[cluster.topics.messages()]).await;
}

async fn statuses_applied(cluster: &Cluster) {
    cluster.drained(&cluster.topics.status_group(), &[cluster.topics.status_updates()]).await;
}

/// Makes a group, which must have no members, pass over all that is in a topic: a planted loss.
async fn pass_over(cluster: &Cluster, group: String, topic: String) {
    let servers = cluster.kafka.bootstrap_servers.clone();
    tokio::task::spawn_blocking(move || {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", servers).set("group.id", group).set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut offsets = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            let (_, end) = consumer.fetch_watermarks(&topic, partition, Duration::from_secs(10)).unwrap();
            offsets.add_partition_offset(&topic, partition, Offset::Offset(end)).unwrap();
        }
        consumer.commit(&offsets, CommitMode::Sync).unwrap();
    })
    .await
    .unwrap();
}

async fn report(check: &LedgerCheck, from: Timestamp) -> Report {
    let report = check.of(from, Timestamp::now() + SignedDuration::from_secs(1)).await.unwrap();
    for tally in [report.messages, report.deliveries] {
        let Tally { accepted, delivered, failed, dead_lettered, in_flight, unaccounted } = tally;
        assert_eq!(accepted, delivered + failed + dead_lettered + in_flight + unaccounted, "{report:?}");
    }
    report
}

fn named(report: &Report) -> BTreeSet<MessageId> {
    report.unaccounted.iter().filter_map(|lost| lost.message_id).collect()
}

fn ids(messages: &[AcceptedMessage]) -> BTreeSet<MessageId> {
    messages.iter().map(|message| message.message_id).collect()
}

/// Runs a test on a keyspace of its own in a real Cassandra, and drops it whatever happens.
async fn with_cassandra(test: impl AsyncFnOnce(Arc<dyn Store>)) {
    let points = std::env::var("STORE_CONTACT_POINTS").unwrap_or_else(|_| "127.0.0.1:9042".to_owned());
    let config = CassandraConfig {
        contact_points: points.split(',').map(str::to_owned).collect(),
        keyspace: format!("test_{}", uuid::Uuid::new_v4().simple()).parse().unwrap(),
    };
    let replication = r#"{"class":"NetworkTopologyStrategy","replication_factor":"1"}"#.parse().unwrap();
    migrate(&config, &replication).await.unwrap();
    let store = Arc::new(Cassandra::connect(&config).await.unwrap());
    let outcome = AssertUnwindSafe(test(store)).catch_unwind().await;
    let session = SessionBuilder::new().known_nodes(&config.contact_points).build().await.unwrap();
    session.query_unpaged(format!("DROP KEYSPACE IF EXISTS \"{}\"", config.keyspace), ()).await.unwrap();
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS and STORE_CONTACT_POINTS"]
async fn messages_are_found_wherever_they_are_and_what_was_lost_is_named() {
    let test = async |cluster: &Cluster, store: Arc<dyn Store>| {
        let topics = &cluster.topics;
        let check = LedgerCheck::new(cluster.kafka.clone(), topics.clone(), store.clone());
        let from = Timestamp::now() - SignedDuration::from_secs(1);
        let ordinary: Vec<AcceptedMessage> = (0..20).map(message).collect();
        let local = AcceptedMessage { recipient: Some("bob".parse().unwrap()), ..message(20) };
        let hopeless = AcceptedMessage { recipient: None, ..message(21) };
        accept(cluster, &ordinary).await;
        accept(cluster, &[local, hopeless]).await;
        cluster.put_bytes(&topics.messages(), "c22", b"no message").await;

        let before = report(&check, from).await;
        assert_eq!((before.messages.accepted, before.messages.in_flight, before.waiting.router), (23, 23, 23));

        let router = start_router(cluster, store.clone());
        routed(cluster).await;
        let routed_once = report(&check, from).await;
        let expected = Tally { accepted: 23, delivered: 1, dead_lettered: 2, in_flight: 20, ..Tally::default() };
        assert_eq!(routed_once.messages, expected, "{routed_once:?}");
        assert_eq!(routed_once.waiting.connectors[MAIN], 20);
        router.stop().await;

        // A connector that lost everything but told of half of them.
        pass_over(cluster, topics.connector_group(MAIN), topics.outbound(MAIN)).await;
        let (told, lost) = ordinary.split_at(10);
        for (number, message) in told.iter().enumerate() {
            let event = match number {
                0 => DeliveryEvent::Failed {
                    code: "1".into(),
                    reason: "no".into(),
                    effort: None,
                    dead_lettered_at: None,
                },
                _ => DeliveryEvent::Sent { provider_id: None, effort: None },
            };
            let subject = Subject::Delivery { delivery: reference(message), connector: MAIN.into() };
            cluster.put_status(&StatusUpdate { subject, at: Timestamp::now(), event, correlation: None }).await;
        }
        let untold = report(&check, from).await;
        assert_eq!((untold.waiting.status, untold.messages.unaccounted), (10, 10), "{untold:?}");
        assert_eq!(named(&untold), ids(lost));

        let router = start_router(cluster, store.clone());
        statuses_applied(cluster).await;
        router.stop().await;
        let expected =
            Tally { accepted: 23, delivered: 10, failed: 1, dead_lettered: 2, in_flight: 0, unaccounted: 10 };
        assert_eq!(report(&check, from).await.messages, expected);

        // Routers that lost what came in the meantime.
        let swallowed: Vec<AcceptedMessage> = (30..35).map(message).collect();
        let since = Timestamp::now();
        accept(cluster, &swallowed).await;
        pass_over(cluster, topics.router_group(), topics.messages()).await;
        let since_then = report(&check, since).await;
        assert_eq!((since_then.messages.accepted, since_then.messages.unaccounted), (5, 5), "the range is kept to");
        assert_eq!(named(&since_then), ids(&swallowed));
        assert_eq!(report(&check, from).await.messages.unaccounted, 15);
        let earlier = check.of(from, since).await.unwrap();
        assert_eq!(earlier.messages.accepted, 23, "ranges that touch have no message in common");
    };
    with_cassandra(async |store| with_cluster(&[MAIN], async |cluster| test(cluster, store).await).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn nothing_is_called_lost_while_everything_moves() {
    with_place(Policies::default(), async |place| {
        let cluster = place.cluster;
        let store: Arc<Memory> = place.memory.clone();
        let check = LedgerCheck::new(cluster.kafka.clone(), cluster.topics.clone(), store.clone());
        let from = Timestamp::now() - SignedDuration::from_secs(1);
        accept(cluster, &(0..100).map(message).collect::<Vec<_>>()).await;
        let mut checked = report(&check, from).await;
        assert_eq!(checked.messages.in_flight, 100);
        let router = start_router(cluster, store).joined().await;
        let connector = place.start().joined().await;
        let load = async {
            for _ in 0..20 {
                accept(cluster, &(0..50).map(message).collect::<Vec<_>>()).await;
            }
        };
        let checks = async {
            while checked.messages.delivered < 1100 {
                checked = report(&check, from).await;
                assert_eq!(named(&checked), BTreeSet::new(), "{checked:?}");
            }
        };
        tokio::join!(load, checks);
        connector.stop().await;
        router.stop().await;
    })
    .await;
}
