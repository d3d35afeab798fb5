//! Transactions of other producers: their markers take offsets and are no records.

use std::sync::Arc;

use chat4all_kafka::Gate;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::support::{Notes, PATIENCE, Topic, eventually, eventually_asked};

/// How a transaction ends.
#[derive(Clone, Copy)]
enum End {
    Commit,
    Abort,
}

/// Produces records to partition 0 in one transaction. The broker answers when the end is decided; it writes the
/// marker a moment later, and until then a reader of what is committed sees the partition end before it.
async fn transaction(topic: &Topic, records: u32, end: End) {
    let (servers, name) = (topic.kafka.bootstrap_servers.clone(), topic.name.clone());
    let produce = move || {
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", servers).set("transactional.id", &name).create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        for number in 0..records {
            let value = format!("0:{number}");
            producer.send(BaseRecord::<str, str>::to(&name).partition(0).payload(&value).key("0")).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        match end {
            End::Commit => producer.commit_transaction(PATIENCE).unwrap(),
            End::Abort => producer.abort_transaction(PATIENCE).unwrap(),
        }
    };
    tokio::task::spawn_blocking(produce).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn the_marker_of_a_transaction_does_not_stay_as_lag() {
    let topic = Topic::create().await;
    let notes = Arc::new(Notes::default());
    let member = topic.member(&notes, Gate::always_open()).joined().await;

    transaction(&topic, 3, End::Commit).await;
    eventually_asked("three records and a marker", async || topic.ends().await == 4).await;
    eventually("the records are handled", || notes.handled().len() == 3).await;
    eventually_asked("the marker is behind", async || topic.committed().await == 4).await;

    transaction(&topic, 2, End::Abort).await;
    eventually_asked("two records that count for nothing and a marker", async || topic.ends().await == 7).await;
    eventually_asked("the second marker is behind", async || topic.committed().await == 7).await;
    assert_eq!(notes.handled().len(), 3);
    member.stop().await;
    topic.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_member_that_begins_before_a_marker_passes_it() {
    let topic = Topic::create().await;
    transaction(&topic, 1, End::Commit).await;
    topic.commit(0, 1).await;
    let notes = Arc::new(Notes::default());
    let member = topic.member(&notes, Gate::always_open());
    eventually_asked("the marker is behind", async || topic.committed().await == 2).await;
    assert_eq!(notes.handled().len(), 0);
    member.stop().await;
    topic.delete().await;
}
