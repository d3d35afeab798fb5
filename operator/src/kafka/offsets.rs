//! How far the routers' groups are, on a real Kafka: committed offsets, log ends and log beginnings, in
//! one request each for every broker that is asked. Joins no group and creates no topic.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::Semaphore;

use super::Error;
use super::clients::{Clients, Complaints, Handle, TIMEOUT, Whom, blocking, unreachable};
use crate::scaling::{Committed, Offsets, PartitionOffsets};

/// Looks at the offsets of a cluster's routers.
#[async_trait]
pub trait OffsetSource: Send + Sync {
    /// Every partition of the topics of messages and of statuses, with the offsets of the groups that
    /// read them.
    async fn look(&self, brokers: &str, topics: &chat4all_message::Topics) -> Result<Offsets, Error>;

    /// The cluster is gone: lets go what was kept for it.
    fn forget(&self, brokers: &str, topics: &chat4all_message::Topics);
}

/// How many clusters ask one Kafka at the same time. Each holds a thread for as long as Kafka takes.
const TURNS: usize = 4;

/// How long brokers that did not answer are not asked again, so that the clusters on them do not wait
/// out a time-out each.
const UNREACHABLE_FOR: Duration = Duration::from_secs(4);

/// For how long the number of a topic's partitions is taken for known. It grows when the resource says
/// so, and never shrinks.
const PARTITIONS_FOR: Duration = Duration::from_secs(60);

/// How often a question is put to leaders that say they are none, and the pause between. It lasts for a
/// moment after a topic was created or its leader changed, while the brokers learn of it.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// [`OffsetSource`] through librdkafka.
#[derive(Default)]
pub struct KafkaOffsets {
    clients: Clients,
    kafkas: Mutex<HashMap<String, Arc<Kafka>>>,
}

/// One Kafka.
struct Kafka {
    turns: Semaphore,
    known: Mutex<Known>,
}

/// What is known of it.
#[derive(Default)]
struct Known {
    partitions: HashMap<String, (Instant, i32)>,
    unreachable: Option<(Instant, Error)>,
}

impl Kafka {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn is_of_use(&mut self) -> bool {
        self.partitions.retain(|_, (at, _)| at.elapsed() < PARTITIONS_FOR);
        self.unreachable.take_if(|(at, _)| at.elapsed() >= UNREACHABLE_FOR);
        !self.partitions.is_empty() || self.unreachable.is_some()
    }
}

#[async_trait]
impl OffsetSource for KafkaOffsets {
    async fn look(&self, brokers: &str, topics: &chat4all_message::Topics) -> Result<Offsets, Error> {
        let kafka = self.kafka(brokers);
        // Nobody closes it.
        let _turn = kafka.turns.acquire().await;
        if let Some((_, error)) = &kafka.known().unreachable {
            return Err(error.clone());
        }
        let reader = |topic, group| {
            let group = self.clients.asking(&whom(brokers, Some(group)))?;
            Ok::<_, Error>(Reader { topic, group })
        };
        let question = Question {
            brokers: brokers.to_owned(),
            logs: self.clients.asking(&whom(brokers, None))?,
            messages: reader(topics.messages(), topics.router_group())?,
            statuses: reader(topics.status_updates(), topics.status_group())?,
        };
        let asked = Arc::clone(&kafka);
        let answer = blocking(move || question.ask(&asked)).await;
        if let Err(error @ Error::Unreachable { .. }) = &answer {
            kafka.known().unreachable = Some((Instant::now(), error.clone()));
            self.clients.forget(&whom(brokers, None));
            self.forget(brokers, topics);
        }
        answer
    }

    fn forget(&self, brokers: &str, topics: &chat4all_message::Topics) {
        for group in [topics.router_group(), topics.status_group()] {
            self.clients.forget(&whom(brokers, Some(group)));
        }
    }
}

impl KafkaOffsets {
    fn kafka(&self, brokers: &str) -> Arc<Kafka> {
        let mut kafkas = self.kafkas.lock().unwrap_or_else(PoisonError::into_inner);
        kafkas.retain(|_, kafka| Arc::strong_count(kafka) > 1 || kafka.known().is_of_use());
        let kafka = || Arc::new(Kafka { turns: Semaphore::new(TURNS), known: Mutex::default() });
        let kafka = kafkas.entry(brokers.to_owned()).or_insert_with(kafka);
        kafka.known().is_of_use();
        Arc::clone(kafka)
    }
}

fn whom(brokers: &str, group: Option<String>) -> Whom {
    Whom { brokers: brokers.to_owned(), group }
}

/// One look, with the clients that it takes.
struct Question {
    brokers: String,
    /// Knows the topics' logs.
    logs: Handle,
    messages: Reader,
    statuses: Reader,
}

/// A topic and the client of the group that reads it.
struct Reader {
    topic: String,
    group: Handle,
}

impl Question {
    /// Asks; blocks for [`TIMEOUT`] at most.
    fn ask(&self, kafka: &Kafka) -> Result<Offsets, Error> {
        let end = Instant::now() + TIMEOUT;
        for client in [&self.logs, &self.messages.group, &self.statuses.group] {
            // What it complained about earlier is no reason for what happens now.
            Complaints::of(client);
        }
        let messages = self.committed(&self.messages, kafka, end)?;
        let statuses = self.committed(&self.statuses, kafka, end)?;
        // After the commits, so that nothing is committed beyond its end.
        let logs = self.logs(&[&messages, &statuses], end).inspect_err(|_| kafka.known().partitions.clear())?;
        Ok(Offsets {
            messages: joined(&self.messages.topic, &messages, &logs)?,
            statuses: joined(&self.statuses.topic, &statuses, &logs)?,
        })
    }

    /// The committed offsets of every partition, from the coordinator of the group.
    fn committed(&self, reader: &Reader, kafka: &Kafka, end: Instant) -> Result<TopicPartitionList, Error> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&reader.topic, 0, self.partitions(&reader.topic, kafka, end)? - 1);
        let found = reader.group.committed_offsets(list, left(end));
        found.map_err(|e| self.failure(&reader.group, &e, format!("the offsets committed for {}", reader.topic)))
    }

    /// Ends and beginnings of the logs, from the leaders of the partitions. The two are asked for as if
    /// they were points in time, by which the protocol knows them: one request for each leader instead
    /// of one for each partition.
    fn logs(&self, lists: &[&TopicPartitionList], end: Instant) -> Result<Logs, Error> {
        let ask = |what| {
            let mut tries = 1;
            loop {
                let mut list = TopicPartitionList::new();
                for element in lists.iter().flat_map(|list| list.elements()) {
                    list.add_partition_offset(element.topic(), element.partition(), what)?;
                }
                match self.logs.offsets_for_times(list, left(end)) {
                    Err(error) if is_passing(&error) && tries < TRIES => std::thread::sleep(PAUSE),
                    answer => return answer,
                }
                tries += 1;
            }
        };
        let failure = |error| {
            let what = format!("where the logs of {} and {} end", self.messages.topic, self.statuses.topic);
            self.failure(&self.logs, &error, what)
        };
        Ok(Logs { ends: ask(Offset::End).map_err(failure)?, beginnings: ask(Offset::Beginning).map_err(failure)? })
    }

    fn partitions(&self, topic: &str, kafka: &Kafka, end: Instant) -> Result<i32, Error> {
        if let Some((_, known)) = kafka.known().partitions.get(topic) {
            return Ok(*known);
        }
        let what = || format!("the partitions of {topic}");
        let found = self.logs.fetch_metadata(Some(topic), left(end));
        let found = found.map_err(|error| self.failure(&self.logs, &error, what()))?;
        let entry = found.topics().iter().find(|entry| entry.name() == topic);
        let partitions = match entry.map(|entry| (entry.error(), entry.partitions().len())) {
            None | Some((Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), _)) => {
                return Err(Error::NoTopic { topic: topic.to_owned() });
            }
            Some((Some(other), _)) => {
                let reason = RDKafkaErrorCode::from(other).to_string();
                return Err(Error::OffsetsUntold { what: what(), reason });
            }
            Some((None, partitions)) => i32::try_from(partitions).unwrap_or(i32::MAX),
        };
        kafka.known().partitions.insert(topic.to_owned(), (Instant::now(), partitions));
        Ok(partitions)
    }

    /// Whether nobody answered, or an answer told nothing.
    fn failure(&self, client: &Handle, error: &KafkaError, what: String) -> Error {
        use RDKafkaErrorCode as Code;
        let code = error.rdkafka_error_code();
        if matches!(code, Some(Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve)) {
            return unreachable(&self.brokers, client, error);
        }
        match Complaints::of(client) {
            Some(reason) => Error::Unreachable { brokers: self.brokers.clone(), reason },
            None => {
                let reason = code.map_or_else(|| error.to_string(), |code| code.to_string());
                Error::OffsetsUntold { what, reason }
            }
        }
    }
}

/// Log ends and beginnings of both topics.
struct Logs {
    ends: TopicPartitionList,
    beginnings: TopicPartitionList,
}

/// What was found about one topic, partition by partition. All or nothing: half of a backlog would be
/// taken for the whole.
fn joined(topic: &str, committed: &TopicPartitionList, logs: &Logs) -> Result<Vec<PartitionOffsets>, Error> {
    let partition = |element: &TopicPartitionListElem<'_>| {
        let partition = element.partition();
        let what = |what: &str| format!("{what} of {topic}[{partition}]");
        let log = |list: &TopicPartitionList, name: &str| {
            let found = list.find_partition(topic, partition);
            let found = found.map_or(Ok(Offset::Invalid), |element| element.error().map(|()| element.offset()));
            match found {
                Ok(Offset::Offset(offset)) => Ok(offset),
                Ok(_) => Err(Error::OffsetsUntold { what: what(name), reason: "it has no leader".into() }),
                Err(error) => Err(Error::OffsetsUntold { what: what(name), reason: error.to_string() }),
            }
        };
        let committed = match element.error().map(|()| element.offset()) {
            Ok(Offset::Offset(offset)) => Committed::At(offset),
            Ok(_) => Committed::NoneYet,
            Err(error) => {
                let what = what("the committed offset");
                return Err(Error::OffsetsUntold { what, reason: error.to_string() });
            }
        };
        let (low, high) = (log(&logs.beginnings, "the log's beginning")?, log(&logs.ends, "the log's end")?);
        Ok(PartitionOffsets { partition, low, high, committed })
    };
    committed.elements().iter().map(partition).collect()
}

/// Whether the brokers do not agree yet who leads.
fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::NotLeaderForPartition | Code::LeaderNotAvailable | Code::FencedLeaderEpoch | Code::UnknownLeaderEpoch
        )
    )
}

fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

#[cfg(test)]
mod tests {
    use chat4all_message::Topics;
    use rdkafka::ClientConfig;
    use rdkafka::admin::{AdminClient, AdminOptions};
    use rdkafka::client::DefaultClientContext;
    use rdkafka::consumer::{BaseConsumer, CommitMode};
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};

    use super::*;
    use crate::kafka::Topics as _;
    use crate::kafka::admin::KafkaAdmin;
    use crate::model::Topic;

    const PARTITIONS: i32 = 3;

    /// librdkafka's own stand-in for a Kafka, with the topics in it.
    fn kafka(topics: &Topics) -> MockCluster<'static, DefaultProducerContext> {
        let kafka = MockCluster::new(1).unwrap();
        for topic in [topics.messages(), topics.status_updates()] {
            kafka.create_topic(&topic, PARTITIONS, 1).unwrap();
        }
        kafka
    }

    fn produce(brokers: &str, topic: &str, partition: i32, records: usize) {
        let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
        for _ in 0..records {
            producer.send(BaseRecord::<(), str>::to(topic).partition(partition).payload("hello")).unwrap();
        }
        producer.flush(TIMEOUT).unwrap();
    }

    fn commit(brokers: &str, group: &str, topic: &str, partition: i32, offset: i64) {
        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
        consumer.commit(&list, CommitMode::Sync).unwrap();
    }

    fn at(partition: i32, high: i64, committed: Committed) -> PartitionOffsets {
        PartitionOffsets { partition, low: 0, high, committed }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_partition_is_told_with_what_its_own_group_committed() {
        let topics = Topics::with_prefix("acme.");
        let kafka = kafka(&topics);
        let brokers = kafka.bootstrap_servers();
        produce(&brokers, &topics.messages(), 1, 5);
        commit(&brokers, &topics.router_group(), &topics.messages(), 1, 3);
        produce(&brokers, &topics.status_updates(), 2, 7);

        let source = KafkaOffsets::default();
        let offsets = source.look(&brokers, &topics).await.unwrap();
        let none = Committed::NoneYet;
        assert_eq!(offsets.messages, [at(0, 0, none), at(1, 5, Committed::At(3)), at(2, 0, none)]);
        assert_eq!(offsets.statuses, [at(0, 0, none), at(1, 0, none), at(2, 7, none)]);

        produce(&brokers, &topics.messages(), 1, 1);
        let offsets = source.look(&brokers, &topics).await.unwrap();
        assert_eq!(offsets.messages[1], at(1, 6, Committed::At(3)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_topic_that_is_not_there_is_named_and_not_made() {
        let kafka = kafka(&Topics::default());
        let source = KafkaOffsets::default();
        let topics = Topics::with_prefix("other.");
        for _ in 0..2 {
            let error = source.look(&kafka.bootstrap_servers(), &topics).await.unwrap_err();
            assert_eq!(error, Error::NoTopic { topic: "other.messages".into() });
        }
    }

    #[tokio::test]
    async fn brokers_that_do_not_answer_are_named_with_the_reason_and_not_asked_again_at_once() {
        // Port 1 of the loopback is closed.
        let source = KafkaOffsets::default();
        let error = source.look("127.0.0.1:1", &Topics::default()).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("spec.kafka.bootstrapServers: no broker at 127.0.0.1:1 answered ("), "{text}");
        assert!(text.contains("Connection refused"), "{text}");
        assert_eq!(source.clients.count(), 0, "a client that failed is not kept");
        assert_eq!(source.look("127.0.0.1:1", &Topics::with_prefix("other.")).await, Err(error));
        assert_eq!(source.clients.count(), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_partition_without_a_leader_leaves_the_whole_unknown() {
        let topics = Topics::default();
        let kafka = kafka(&topics);
        kafka.partition_leader(&topics.messages(), 2, None).unwrap();
        let error = KafkaOffsets::default().look(&kafka.bootstrap_servers(), &topics).await.unwrap_err();
        assert_eq!(error.reason(), "OffsetsUntold");
        assert!(error.to_string().contains("messages[2]"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_cluster_that_is_gone_leaves_no_client_behind_but_the_one_that_others_use() {
        let (first, second) = (Topics::with_prefix("a."), Topics::with_prefix("b."));
        let kafka = kafka(&first);
        for topic in [second.messages(), second.status_updates()] {
            kafka.create_topic(&topic, PARTITIONS, 1).unwrap();
        }
        let (source, brokers) = (KafkaOffsets::default(), kafka.bootstrap_servers());
        source.look(&brokers, &first).await.unwrap();
        source.look(&brokers, &second).await.unwrap();
        assert_eq!(source.clients.count(), 5);
        source.forget(&brokers, &first);
        assert_eq!(source.clients.count(), 3);
        source.forget(&brokers, &second);
        assert_eq!(source.clients.count(), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs a Kafka at KAFKA_BOOTSTRAP_SERVERS"]
    async fn a_log_that_lost_its_beginning_is_told_so_and_looking_joins_no_group() {
        let brokers = std::env::var("KAFKA_BOOTSTRAP_SERVERS").unwrap();
        let topics = Topics::with_prefix(format!("offsets-test-{}.", std::process::id()));
        let names = [topics.messages(), topics.status_updates()];
        let wanted = names.clone().map(|name| Topic { name, partitions: PARTITIONS, replication_factor: 1 });
        KafkaAdmin::default().ensure(&brokers, &wanted).await.done.unwrap();
        produce(&brokers, &topics.messages(), 1, 5);
        commit(&brokers, &topics.router_group(), &topics.messages(), 1, 1);
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &brokers).create().unwrap();
        let mut deleted = TopicPartitionList::new();
        deleted.add_partition_offset(&topics.messages(), 1, Offset::Offset(3)).unwrap();
        admin.delete_records(&deleted, &AdminOptions::new()).await.unwrap();

        let source = KafkaOffsets::default();
        let offsets = source.look(&brokers, &topics).await.unwrap();
        let committed = Committed::At(1);
        assert_eq!(offsets.messages[1], PartitionOffsets { partition: 1, low: 3, high: 5, committed });
        assert_eq!(offsets.statuses.len(), 3);

        let group = topics.router_group();
        let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", &brokers).create().unwrap();
        let found = client.fetch_group_list(Some(&group), TIMEOUT).unwrap();
        assert_eq!(found.groups().iter().map(|group| group.members().len()).sum::<usize>(), 0);
        let names = names.each_ref().map(String::as_str);
        admin.delete_topics(&names, &AdminOptions::new()).await.unwrap();
    }
}
