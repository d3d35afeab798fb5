//! What looking at the offsets of 1, 10 and 100 clusters costs: time, memory, threads, CPU. Needs a
//! Kafka at KAFKA_BOOTSTRAP_SERVERS and leaves no topic behind; prints a table.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::{Duration, Instant};

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

const PARTITIONS: i32 = 12;
const INTERVAL: Duration = Duration::from_secs(5);
const ROUNDS: u32 = 6;

#[tokio::main]
async fn main() {
    let brokers = std::env::var("KAFKA_BOOTSTRAP_SERVERS").expect("KAFKA_BOOTSTRAP_SERVERS is set");
    println!("clusters  first look of all  a look (mean, slowest)  RSS more  threads more  CPU of a round");
    for clusters in [1, 10, 100] {
        let run = std::process::id();
        let all: Vec<Topics> =
            (0..clusters).map(|n| Topics::with_prefix(format!("measure-{run}-{clusters}-{n}."))).collect();
        prepare(&brokers, &all).await;
        measure(&brokers, &all).await;
        remove(&brokers, &all).await;
    }
}

async fn measure(brokers: &str, all: &[Topics]) {
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
    let kib = (chat4all_process::resident_bytes().unwrap() - before.0) / 1024;
    println!(
        "{:8}  {:17.0?}  {mean:9.1?}, {:9.1?}  {kib:6} KiB  {:12}  {cpu:.1?}",
        all.len(),
        first,
        looks.iter().max().unwrap(),
        threads() - before.1,
    );
    all.iter().for_each(|topics| source.forget(brokers, topics));
}

async fn round(source: &KafkaOffsets, brokers: &str, all: &[Topics]) -> Vec<Duration> {
    let looks = all.iter().map(|topics| async move {
        let began = Instant::now();
        let offsets = source.look(brokers, topics).await.unwrap();
        assert_eq!(offsets.messages.len(), 12);
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
        admin.ensure(brokers, &[topic(topics.messages()), topic(topics.status_updates())]).await.unwrap();
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
