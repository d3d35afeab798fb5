//! What looking at the offsets of 1, 10 and 100 clusters costs the operator: time, memory, threads, CPU. A
//! cluster here is what the operator asks Kafka about, two topics with a commit in their groups: it has no pods.
//! Needs a Kafka at KAFKA_BOOTSTRAP_SERVERS and leaves no topic behind; prints a table.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use chat4all_measure::{Rounded, Tables, rounded};
use chat4all_message::Topics;
use chat4all_operator::kafka::Topics as _;
use chat4all_operator::kafka::admin::KafkaAdmin;
use chat4all_operator::kafka::offsets::{KafkaOffsets, OffsetSource};
use chat4all_operator::model::Topic;
use futures::future::join_all;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::Serialize;

const PARTITIONS: i32 = 12;
const INTERVAL: Duration = Duration::from_secs(5);
const ROUNDS: u32 = 6;

/// The names of the fields are the headings.
#[derive(Serialize)]
struct Row {
    clusters: usize,
    /// All of them, with clients that have yet to connect.
    first_looks_ms: Rounded,
    /// One of them, with those that wait for their turn.
    look_mean_ms: Rounded,
    look_slowest_ms: Rounded,
    cpu_ms_for_all: Rounded,
    /// Of the whole process, and what came with these clusters.
    resident_mib: Rounded,
    resident_mib_more: Rounded,
    threads_more: usize,
}

#[tokio::main]
async fn main() {
    let brokers = std::env::var("KAFKA_BOOTSTRAP_SERVERS").expect("KAFKA_BOOTSTRAP_SERVERS is set");
    if cfg!(debug_assertions) {
        println!("built without optimisation: figures are for comparison with each other only");
    }
    println!("Clusters are simulated: two topics of {PARTITIONS} partitions, a commit in their groups, no pods.");
    let mut rows = Vec::new();
    for clusters in [1, 10, 100] {
        eprintln!("{clusters} clusters");
        let run = std::process::id();
        let all: Vec<Topics> =
            (0..clusters).map(|n| Topics::with_prefix(format!("measure-{run}-{clusters}-{n}."))).collect();
        prepare(&brokers, &all).await;
        rows.push(measure(&brokers, &all).await);
        remove(&brokers, &all).await;
    }
    Tables::of("measure-offsets").add(&rows).unwrap();
}

async fn measure(brokers: &str, all: &[Topics]) -> Row {
    let source = KafkaOffsets::default();
    let before = (chat4all_process::resident_bytes().unwrap(), threads());
    let began = Instant::now();
    round(&source, brokers, all).await;
    let first = began.elapsed();
    let cpu = chat4all_process::cpu_time();
    let mut looks = Vec::new();
    for _ in 0..ROUNDS {
        tokio::time::sleep(INTERVAL).await;
        looks.extend(round(&source, brokers, all).await);
    }
    let cpu = (chat4all_process::cpu_time() - cpu) / ROUNDS;
    let mean = looks.iter().sum::<Duration>() / u32::try_from(looks.len()).unwrap();
    let resident = chat4all_process::resident_bytes().unwrap();
    let row = Row {
        clusters: all.len(),
        first_looks_ms: millis(first),
        look_mean_ms: millis(mean),
        look_slowest_ms: millis(looks.into_iter().max().unwrap()),
        cpu_ms_for_all: millis(cpu),
        resident_mib: mib(resident),
        resident_mib_more: mib(resident.saturating_sub(before.0)),
        threads_more: threads() - before.1,
    };
    all.iter().for_each(|topics| source.forget(brokers, topics));
    row
}

fn millis(time: Duration) -> Rounded {
    rounded(time.as_secs_f64() * 1000.0, 1)
}

fn mib(bytes: u64) -> Rounded {
    rounded(bytes as f64 / f64::from(1 << 20), 1)
}

async fn round(source: &KafkaOffsets, brokers: &str, all: &[Topics]) -> Vec<Duration> {
    let looks = all.iter().map(|topics| async move {
        let began = Instant::now();
        let offsets = source.look(brokers, topics).await.unwrap();
        assert_eq!(offsets.messages.len(), PARTITIONS as usize);
        began.elapsed()
    });
    join_all(looks).await
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// The topics of each cluster, with a commit in each group.
async fn prepare(brokers: &str, all: &[Topics]) {
    let topic = |name| Topic { name, partitions: PARTITIONS, replication_factor: 1 };
    let admin = KafkaAdmin::default();
    for topics in all {
        admin.ensure(brokers, &[topic(topics.messages()), topic(topics.status_updates())]).await.done.unwrap();
        for (group, topic) in
            [(topics.router_group(), topics.messages()), (topics.status_group(), topics.status_updates())]
        {
            let consumer: BaseConsumer =
                ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", group).create().unwrap();
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(&topic, 0, Offset::Offset(0)).unwrap();
            tokio::task::spawn_blocking(move || consumer.commit(&list, CommitMode::Sync)).await.unwrap().unwrap();
        }
    }
}

async fn remove(brokers: &str, all: &[Topics]) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    let names: Vec<String> = all.iter().flat_map(|t| [t.messages(), t.status_updates()]).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    admin.delete_topics(&names, &AdminOptions::new()).await.unwrap();
}
