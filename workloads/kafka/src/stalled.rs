//! Sees that a partition stands still: Kafka has records for its group, and the client gets none. A Kafka that lost
//! the end of its metadata, by a full disk or because it was restored from a backup, names older leader epochs than
//! before. The client takes them for outdated news, goes on to ask with the newer epoch, and is refused for as long
//! as it lives (librdkafka 2.12.1, `rd_kafka_toppar_leader_update`). Another client in its place is not.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::assignment::PartitionId;
use crate::config::KafkaConfig;
use crate::consumer::{list, offset};

/// Between two looks. Kafka is asked only about partitions that did not move in between.
const PAUSE: Duration = Duration::from_secs(15);

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// For how long a partition must have had records without moving. Each further time within [`MEMORY`] it must be twice
/// as long: what another client does not mend must not keep the group from all its other work.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_PATIENCE: Duration = Duration::from_secs(600);
const MEMORY: Duration = Duration::from_secs(3600);

/// The next offset that the client gives out; `None` while it gave out none.
type Position = Option<i64>;

/// Looks at the partitions of one member.
pub(crate) struct Stalls {
    kafka: KafkaConfig,
    group: String,
    seen: Seen,
    looked: Instant,
    asking: Option<JoinHandle<KafkaResult<HashSet<PartitionId>>>>,
}

impl Stalls {
    pub(crate) fn of(kafka: &KafkaConfig, group: &str) -> Self {
        Self {
            kafka: kafka.clone(),
            group: group.to_owned(),
            seen: Seen::default(),
            looked: Instant::now(),
            asking: None,
        }
    }

    /// Looks, when that is due, at these positions of the partitions that want records. Gives those that stand still.
    pub(crate) fn look(&mut self, positions: impl FnOnce() -> Vec<(PartitionId, Position)>) -> Vec<PartitionId> {
        if self.looked.elapsed() < PAUSE || self.asking.is_some() {
            return Vec::new();
        }
        self.looked = Instant::now();
        let (unmoved, stalled) = self.seen.look(self.looked, positions());
        if !unmoved.is_empty() {
            let (kafka, group) = (self.kafka.clone(), self.group.clone());
            self.asking = Some(tokio::task::spawn_blocking(move || behind(&kafka, &group, unmoved)));
        }
        stalled
    }

    /// What was seen of this partition says nothing of it any more: it paused meanwhile, or is another's.
    pub(crate) fn forget(&mut self, id: &PartitionId) {
        self.seen.partitions.remove(id);
    }

    /// Nothing of this assignment counts any more.
    pub(crate) fn forget_all(&mut self) {
        self.seen.partitions.clear();
        self.asking = None;
    }

    /// Returns when a question was answered.
    pub(crate) async fn answered(&mut self) {
        let Some(asking) = &mut self.asking else { return std::future::pending().await };
        let answer = asking.await;
        self.asking = None;
        match answer {
            Ok(Ok(behind)) => self.seen.note(Instant::now(), &behind),
            // While Kafka does not answer, nothing stands still because of the client.
            Ok(Err(error)) => {
                tracing::debug!(group = self.group, %error, "could not see whether partitions stand still");
                self.seen.note(Instant::now(), &HashSet::new());
            }
            Err(_) => {}
        }
    }
}

/// What the looks saw. Pure.
#[derive(Default)]
struct Seen {
    partitions: HashMap<PartitionId, Still>,
    /// When partitions stood still the last time, and how long they had to.
    last: Option<(Instant, Duration)>,
}

/// A partition that did not move from its position, and since when Kafka is known to have records behind it.
struct Still {
    position: Position,
    behind: Option<Instant>,
}

impl Seen {
    /// Gives the partitions that did not move since the look before, and those of them that stand still.
    fn look(
        &mut self,
        now: Instant,
        positions: Vec<(PartitionId, Position)>,
    ) -> (Vec<(PartitionId, Position)>, Vec<PartitionId>) {
        let mut before = std::mem::take(&mut self.partitions);
        let mut unmoved = Vec::new();
        for (id, position) in positions {
            let still = before.remove(&id).filter(|still| still.position == position);
            if still.is_some() {
                unmoved.push((id.clone(), position));
            }
            self.partitions.insert(id, still.unwrap_or(Still { position, behind: None }));
        }
        let patience = self.patience(now);
        let stands = |still: &Still| still.behind.is_some_and(|since| now.duration_since(since) >= patience);
        let stalled: Vec<_> =
            self.partitions.iter().filter(|(_, still)| stands(still)).map(|(id, _)| id.clone()).collect();
        if !stalled.is_empty() {
            self.last = Some((now, patience));
        }
        (unmoved, stalled)
    }

    fn patience(&self, now: Instant) -> Duration {
        match self.last {
            Some((at, patience)) if now.duration_since(at) < MEMORY => (patience * 2).min(MOST_PATIENCE),
            _ => PATIENCE,
        }
    }

    /// Kafka has records for these, and for no other one that was asked about.
    fn note(&mut self, now: Instant, behind: &HashSet<PartitionId>) {
        for (id, still) in &mut self.partitions {
            still.behind = behind.contains(id).then(|| still.behind.unwrap_or(now));
        }
    }
}

/// Those partitions that have records at their position, as Kafka tells another client. Where the member was given
/// none yet, it begins where the group is, or with the first record.
fn behind(
    kafka: &KafkaConfig,
    group: &str,
    partitions: Vec<(PartitionId, Position)>,
) -> KafkaResult<HashSet<PartitionId>> {
    let client: BaseConsumer = kafka.onlooker(Some(group)).create()?;
    let ids = || list(partitions.iter().map(|(id, _)| id));
    let at = |offset: Offset| -> KafkaResult<TopicPartitionList> {
        let mut asked = ids();
        asked.set_all_offsets(offset)?;
        client.offsets_for_times(asked, TIMEOUT)
    };
    let (begins, ends) = (at(Offset::Beginning)?, at(Offset::End)?);
    let committed = client.committed_offsets(ids(), TIMEOUT)?;
    let has_records = |(id, position): &(PartitionId, Position)| {
        let (begin, end) = (offset(&begins, id)?, offset(&ends, id)?);
        let next = position.or_else(|| offset(&committed, id)).unwrap_or(begin).max(begin);
        // A log that came back shorter has records before the position, too: a sound client begins it anew.
        Some(begin < end && next != end)
    };
    Ok(partitions.iter().filter(|at| has_records(at) == Some(true)).map(|(id, _)| id.clone()).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus_client::registry::Registry;
    use rdkafka::mocking::{MockCluster, MockCoordinator};
    use rdkafka::producer::DefaultProducerContext;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::{Semaphore, watch};
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::AbortOnDropHandle;

    use super::*;
    use crate::{
        Consumer, ConsumerMetrics, Ended, Gate, GroupProtocol, Handler, Lease, Limits, Producer, Record, Settings,
    };

    const TOPIC: &str = "messages";
    const GROUP: &str = "a-group";

    fn id(partition: i32) -> PartitionId {
        PartitionId { topic: TOPIC.into(), partition }
    }

    /// What is seen of partitions 0 and 1 by looks at these positions, [`PAUSE`] apart, while Kafka has records for 0.
    fn stalled(seen: &mut Seen, now: &mut Instant, positions: &[Position]) -> Vec<PartitionId> {
        let mut all = Vec::new();
        for position in positions {
            let (unmoved, stalled) = seen.look(*now, vec![(id(0), *position), (id(1), Some(7))]);
            let behind = unmoved.into_iter().map(|(id, _)| id).filter(|unmoved| *unmoved == id(0)).collect();
            seen.note(*now, &behind);
            all.extend(stalled);
            *now += PAUSE;
        }
        all
    }

    #[test]
    fn a_partition_with_records_stands_still_when_it_does_not_move_from_where_it_is_or_begins() {
        for position in [None, Some(3)] {
            assert_eq!(stalled(&mut Seen::default(), &mut Instant::now(), &[position; 3]), [id(0)]);
        }
    }

    #[test]
    fn a_partition_that_moves_or_that_is_seen_for_the_first_time_does_not_stand_still() {
        assert!(
            stalled(&mut Seen::default(), &mut Instant::now(), &[None, None, Some(1), Some(1), Some(2)]).is_empty()
        );
    }

    #[test]
    fn what_another_client_does_not_mend_is_tried_ever_more_seldom_and_is_news_after_an_hour() {
        let (mut seen, mut now) = (Seen::default(), Instant::now());
        let looks = |seen: &mut Seen, now: &mut Instant| {
            seen.partitions.clear();
            let mut looks = 0;
            while stalled(seen, now, &[Some(3)]).is_empty() {
                looks += 1;
            }
            looks
        };
        let each: Vec<u32> = (0..8).map(|_| looks(&mut seen, &mut now)).collect();
        assert!(each.is_sorted() && each[0] < each[2], "{each:?}");
        assert!(PAUSE * each[7] > MOST_PATIENCE && PAUSE * each[7] <= MOST_PATIENCE + 3 * PAUSE, "{each:?}");
        now += MEMORY;
        assert_eq!(looks(&mut seen, &mut now), each[0]);
    }

    /// A Kafka whose topic has had so many leaders, broker 1 each time, and where another broker coordinates the group:
    /// the library looks for a coordinator that it knows where that one was first.
    fn kafka(leaders: usize, coordinator: i32) -> MockCluster<'static, DefaultProducerContext> {
        let kafka = MockCluster::new(2).unwrap();
        kafka.create_topic(TOPIC, 1, 1).unwrap();
        (0..leaders).for_each(|_| kafka.partition_leader(TOPIC, 0, Some(1)).unwrap());
        kafka.coordinator(MockCoordinator::Group(GROUP.into()), coordinator).unwrap();
        kafka
    }

    /// An address that stays while what is behind it changes.
    async fn address(mut of: watch::Receiver<String>) -> (KafkaConfig, AbortOnDropHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = KafkaConfig {
            bootstrap_servers: listener.local_addr().unwrap().to_string(),
            session_timeout: Duration::from_secs(6),
            protocol: GroupProtocol::default(),
        };
        let relay = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let server = of.borrow_and_update().split(',').next().unwrap().to_owned();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        (config, AbortOnDropHandle::new(relay))
    }

    struct Counting {
        handled: Semaphore,
    }

    impl Handler for Counting {
        async fn handle(&self, _: Record, _: Lease) -> Result<(), Ended> {
            self.handled.add_permits(1);
            Ok(())
        }
    }

    async fn produce(kafka: &KafkaConfig) {
        Producer::connect(kafka).unwrap().send(TOPIC, b"key", b"-", &[]).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_consumer_whose_kafka_came_back_with_older_leader_epochs_gets_its_records() {
        let before = kafka(5, 1);
        let (moved, behind) = watch::channel(before.bootstrap_servers());
        let (config, _relay) = address(behind).await;
        let handler = Arc::new(Counting { handled: Semaphore::new(0) });
        let settings = Settings {
            group: GROUP.into(),
            topics: vec![TOPIC.into()],
            limits: Limits { records: 10, bytes: 1 << 20, at_work: 10 },
            drain: Duration::from_secs(3),
        };
        let metrics = ConsumerMetrics::register(&mut Registry::default());
        let consumer = Consumer::new(&config, settings, handler.clone(), Gate::always_open(), metrics).unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(consumer.run(shutdown.clone()));
        let handled = async |what: &str| {
            let handled = tokio::time::timeout(Duration::from_secs(120), handler.handled.acquire()).await;
            handled.expect(what).unwrap().forget();
        };
        for _ in 0..2 {
            produce(&config).await;
            handled("a record is handled").await;
        }

        let restored = kafka(1, 2);
        moved.send(restored.bootstrap_servers()).unwrap();
        drop(before);
        // Its log ends before the consumer's position.
        produce(&config).await;
        handled("the record of the Kafka that came back is handled").await;
        shutdown.cancel();
        running.await.unwrap().unwrap();
    }
}
