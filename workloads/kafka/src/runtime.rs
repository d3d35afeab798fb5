//! The consumer's loop: polls always, runs each key's records in order, stores what is done,
//! and drains a partition before it gives it back.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use rdkafka::Message as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::assignment::{Assignment, PartitionId};
use crate::config::KafkaConfig;
use crate::consumer::{Member, Rebalance, give_back, ids, list, offset, take};
use crate::flow::Limits;
use crate::forgotten::forgotten;
use crate::gate::Gate;
use crate::lanes::Lanes;
use crate::last_commit::LastCommit;
use crate::lease::{Ended, Lease};
use crate::metrics::{ConsumerMetrics, Group};
use crate::pulse::Pulse;
use crate::record::Record;
use crate::share::{Share, Shares};
use crate::stalled::Stalls;
use crate::waker::Waker;
use crate::watermark::Ticket;

/// How often completed offsets are stored and deadlines looked at. The client commits what is
/// stored every half second, so a killed process repeats at most what it did in about that time.
const TICK: Duration = Duration::from_millis(100);

/// How often partitions with nothing to do are looked at for what is no record. A marker counts as lag
/// for so long.
const MARKERS: Duration = Duration::from_secs(1);

/// How long leaving the group may take at the end, before the process goes without it. The group
/// then waits for the session time-out.
const LEAVE: Duration = Duration::from_secs(5);

/// How many fetched records are taken in a row before completions are looked at again.
const BATCH: usize = 64;

/// Does what a record asks for.
pub trait Handler: Send + Sync + 'static {
    /// Does all of it, however often it must try: when this returns `Ok`, the record is done and
    /// is not seen again. It may be called again for a record that was done, after a crash.
    /// Returns [`Ended`] to leave the record to the partition's next owner.
    fn handle(&self, record: Record, lease: Lease) -> impl Future<Output = Result<(), Ended>> + Send;
}

/// What to consume, and how much at a time.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The consumer group.
    pub group: String,
    /// The topics.
    pub topics: Vec<String>,
    /// What may be in memory.
    pub limits: Limits,
    /// How long records at work may take to finish when their partition is revoked or the process
    /// stops; then they are cut off. The broker waits for `max.poll.interval.ms` (5 min).
    pub drain: Duration,
}

/// A member of a consumer group that gives each record to a handler.
pub struct Consumer<H> {
    kafka: KafkaConfig,
    member: Member,
    settings: Settings,
    topics: Vec<Arc<str>>,
    handler: Arc<H>,
    gate: Gate,
    pulse: Pulse,
    metrics: ConsumerMetrics,
    group: Group,
    assignment: Assignment,
    lanes: Lanes<Lane, Taken>,
    hasher: RandomState,
    running: JoinSet<Finished>,
    drains: VecDeque<Drain>,
    waker: Waker,
    shares: Shares,
    stalls: Stalls,
    /// When [`MARKERS`] were last looked for.
    markers: Instant,
}

/// The assignment's epoch and the key's hash. Two keys with one hash share a lane, which is harmless.
type Lane = (u64, u64);

/// A record with its place in the order of its partition.
struct Taken {
    ticket: Ticket,
    record: Record,
}

/// A handler came back.
struct Finished {
    id: PartitionId,
    lane: Lane,
    ticket: Ticket,
    offset: i64,
    weight: usize,
    end: End,
}

/// Why a member belongs to its group no more.
enum Outcome {
    Stopped,
    /// Its client has forgotten every broker.
    Forgotten,
    /// Its client gets no records of some partitions.
    Stalled,
}

/// How a handler came back.
enum End {
    Done,
    Released,
    /// Cut off: the partition was given up before the handler came back.
    Fenced,
    Panicked,
}

/// Partitions that were revoked and still have handlers at work.
struct Drain {
    list: TopicPartitionList,
    ids: Vec<PartitionId>,
    lost: bool,
    deadline: Instant,
}

impl<H: Handler> Consumer<H> {
    /// A consumer that joins its group when it is run.
    pub fn new(
        kafka: &KafkaConfig,
        settings: Settings,
        handler: Arc<H>,
        gate: Gate,
        metrics: ConsumerMetrics,
    ) -> Result<Self, Error> {
        Ok(Self {
            kafka: kafka.clone(),
            member: Member::new(kafka, &settings.group)?,
            topics: settings.topics.iter().map(|t| t.as_str().into()).collect(),
            group: Group { group: settings.group.clone() },
            shares: Shares::of(&settings.topics),
            stalls: Stalls::of(kafka, &settings.group),
            settings,
            handler,
            gate,
            pulse: Pulse::default(),
            metrics,
            assignment: Assignment::default(),
            lanes: Lanes::default(),
            hasher: RandomState::new(),
            running: JoinSet::new(),
            drains: VecDeque::new(),
            waker: Waker::default(),
            markers: Instant::now(),
        })
    }

    /// The loop's signs of life.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// The part of the topics' partitions that this member owns.
    pub fn share(&self) -> Share {
        self.shares.share()
    }

    /// Consumes until `shutdown`; then finishes what is at work, commits and leaves the group.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        loop {
            let outcome = self.belong(&shutdown).await;
            self.give_up().await;
            let why = match outcome {
                Ok(Outcome::Forgotten) => "it had forgotten all brokers (librdkafka 5301)",
                Ok(Outcome::Stalled) => "it got no records",
                Ok(Outcome::Stopped) | Err(_) => {
                    leave(self.member, &self.group).await;
                    return outcome.map(drop);
                }
            };
            tracing::warn!(group = self.group.group, why, "another member takes the place of this one");
            let fresh = Member::new(&self.kafka, &self.settings.group)?;
            leave(std::mem::replace(&mut self.member, fresh), &self.group).await;
        }
    }

    /// Belongs to the group for as long as it can.
    async fn belong(&mut self, shutdown: &CancellationToken) -> Result<Outcome, Error> {
        let topics: Vec<&str> = self.settings.topics.iter().map(String::as_str).collect();
        self.member
            .client
            .subscribe(&topics)
            .map_err(|source| Error::Subscribe { topics: self.settings.topics.clone(), source })?;
        let (kafka, client) = (self.kafka.clone(), self.member.client.clone());
        let asked = client.clone();
        let forgotten = forgotten(&kafka, &client.context().down, move |patience| asked.fetch_metadata(None, patience));
        tokio::select! {
            ended = self.consume(shutdown) => ended,
            () = forgotten => Ok(Outcome::Forgotten),
        }
    }

    /// Lets everything go. Other than after a shutdown there may be handlers at work: they end before
    /// their partitions are somebody else's.
    async fn give_up(&mut self) {
        self.running.shutdown().await;
        self.drains.clear();
        for id in self.assignment.ids() {
            self.assignment.give_up(&id);
        }
        self.lanes = Lanes::default();
        self.stalls.forget_all();
        self.show();
        self.pulse.set_joined(false);
        self.waker.rest().await;
        self.shares.rest().await;
    }

    /// Consumes until it is to stop or cannot go on; what is at work is finished and committed then.
    async fn consume(&mut self, shutdown: &CancellationToken) -> Result<Outcome, Error> {
        let client = self.member.client.clone();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // From then on nothing new is begun, and what runs may finish until this instant.
        let mut stopping: Option<Instant> = None;
        let mut outcome = Outcome::Stopped;
        let mut last_commit = LastCommit::default();
        loop {
            tokio::select! {
                // Completions come first: they make room, and what is done is never held up by what is new.
                biased;
                Some(finished) = self.running.join_next() => {
                    self.finish(finished)?;
                    while let Some(finished) = self.running.try_join_next() {
                        self.finish(finished)?;
                    }
                }
                Some(rebalance) = self.member.rebalances.recv() => {
                    self.rebalance(rebalance)?;
                    if stopping.is_some() {
                        self.end(&self.assignment.ids());
                    }
                }
                () = self.gate.moved() => self.repause(),
                () = last_commit.ended() => return Ok(outcome),
                () = self.waker.answered() => self.waker.go_on(&self.member.client),
                () = self.shares.answered() => self.show(),
                () = self.stalls.answered() => {}
                _ = tick.tick() => {
                    self.shares.ask(&self.member.client);
                    self.pass_markers();
                    self.store();
                    if stopping.is_none() && self.stands_still() {
                        outcome = Outcome::Stalled;
                        stopping = Some(self.stop());
                    }
                }
                () = shutdown.cancelled(), if stopping.is_none() => stopping = Some(self.stop()),
                message = client.recv() => {
                    self.receive(message)?;
                    // What is fetched already costs nothing to take, and completions would else go first every time.
                    for _ in 0..BATCH {
                        let Some(message) = client.recv().now_or_never() else { break };
                        self.receive(message)?;
                    }
                }
            }
            self.begin();
            self.pulse.beat();
            self.settle_drains()?;
            if let Some(deadline) = stopping
                && self.finished(deadline)
            {
                self.store();
                last_commit.begin(&client);
            }
        }
    }

    /// Begins nothing new any more; gives until when the handlers may work.
    fn stop(&mut self) -> Instant {
        self.end(&self.assignment.ids());
        Instant::now() + self.settings.drain
    }

    /// Whether partitions that want records get none, though there are some.
    fn stands_still(&mut self) -> bool {
        let (assignment, client) = (&mut self.assignment, &self.member.client);
        // The client pauses everything while it gives something back.
        let gives_nothing_back = self.drains.is_empty();
        let stalled = self.stalls.look(|| {
            let positions = client.position().unwrap_or_default();
            let wanting = assignment.iter_mut().filter(|(_, owned)| gives_nothing_back && !owned.paused);
            wanting.map(|(id, _)| (id.clone(), offset(&positions, id))).collect()
        });
        if !stalled.is_empty() {
            tracing::warn!(group = self.group.group, partitions = %Named(&stalled),
                "no records come, though Kafka has some");
        }
        !stalled.is_empty()
    }

    /// Whether no handler is at work any more; sees to it after the deadline.
    fn finished(&mut self, deadline: Instant) -> bool {
        if Instant::now() >= deadline {
            self.cut_off();
        }
        self.drains.is_empty() && self.assignment.idle(&self.assignment.ids())
    }

    /// Ends the handlers that are late, before their partitions can be somebody else's.
    fn cut_off(&mut self) {
        for (id, owned) in self.assignment.iter_mut().filter(|(_, owned)| owned.held.records > 0) {
            if !owned.fence.is_cancelled() {
                tracing::warn!(topic = %id.topic, partition = id.partition, running = owned.running,
                    "cut off records at work; the partition's next owner repeats them");
                owned.fence.cancel();
            }
        }
    }

    /// A record or an error came from Kafka. The client mends what can be mended by itself.
    fn receive(&mut self, message: Result<BorrowedMessage<'_>, KafkaError>) -> Result<(), Error> {
        match message {
            Ok(message) => self.take_in(&message),
            Err(error @ KafkaError::MessageConsumptionFatal(_)) => return Err(self.fatal(error)),
            Err(error) => tracing::warn!(group = self.group.group, %error, "kafka consumer"),
        }
        Ok(())
    }

    /// Puts a record into its lane.
    fn take_in(&mut self, message: &BorrowedMessage<'_>) {
        let Some(topic) = self.topics.iter().find(|t| ***t == *message.topic()).cloned() else { return };
        let id = PartitionId { topic: topic.clone(), partition: message.partition() };
        let Some(owned) = self.assignment.get(&id).filter(|owned| !owned.ending.is_cancelled()) else {
            // Fetched before its partition was revoked; the next owner fetches it again.
            return;
        };
        if owned.watermark.goes_back(message.offset()) {
            tracing::info!(topic = %id.topic, partition = id.partition, offset = message.offset(),
                "a record comes again, or the log was truncated or made anew; it is handled after what came before");
        }
        let ticket = owned.watermark.begin(message.offset());
        let record = Record::of(message, topic);
        owned.hold(record.weight());
        let key = match &record.key {
            Some(key) => self.hasher.hash_one(key),
            // Without a key nothing promises an order: a lane of its own.
            None => self.hasher.hash_one(record.offset),
        };
        let lane = (owned.epoch, key);
        self.lanes.enter(lane, Taken { ticket, record });
        self.repause_one(&id);
    }

    /// Begins what has its turn, as far as there is room.
    fn begin(&mut self) {
        while self.running.len() < self.settings.limits.at_work
            && let Some((lane, taken)) = self.lanes.next()
        {
            self.start(lane, taken);
        }
    }

    /// Gives a record to the handler.
    fn start(&mut self, lane: Lane, Taken { ticket, record }: Taken) {
        let id = PartitionId { topic: record.topic.clone(), partition: record.partition };
        let Some(owned) = self.assignment.in_epoch(&id, lane.0) else { return };
        owned.running += 1;
        owned.begun = owned.begun.max(Some(ticket));
        let lease = Lease::until(owned.ending.clone()).in_epoch(owned.epoch);
        let fence = owned.fence.clone();
        let handler = self.handler.clone();
        let (offset, weight) = (record.offset, record.weight());
        self.running.spawn(async move {
            let work = AssertUnwindSafe(handler.handle(record, lease)).catch_unwind();
            let end = match fence.run_until_cancelled(work).await {
                Some(Ok(Ok(()))) => End::Done,
                Some(Ok(Err(Ended { .. }))) => End::Released,
                Some(Err(_)) => End::Panicked,
                None => End::Fenced,
            };
            Finished { id, lane, ticket, offset, weight, end }
        });
    }

    /// A handler came back.
    fn finish(&mut self, finished: Result<Finished, tokio::task::JoinError>) -> Result<(), Error> {
        // The task catches panics and nobody aborts it; only a runtime that is shutting down gets here.
        let Ok(Finished { id, lane, ticket, offset, weight, end }) = finished else { return Ok(()) };
        match end {
            End::Panicked => {
                return Err(Error::Panicked { topic: id.topic.to_string(), partition: id.partition, offset });
            }
            End::Released => _ = self.metrics.released.get_or_create(&self.group).inc(),
            End::Done => _ = self.metrics.records.get_or_create(&self.group).inc(),
            End::Fenced => {}
        }
        let Some(owned) = self.assignment.in_epoch(&id, lane.0) else { return Ok(()) };
        owned.running -= 1;
        owned.let_go(weight);
        if matches!(end, End::Done) {
            owned.watermark.complete(ticket);
        } else {
            // What waits behind it must not overtake it.
            for withdrawn in self.lanes.withdraw_behind(lane) {
                owned.let_go(withdrawn.record.weight());
            }
        }
        self.lanes.advance(lane);
        self.repause_one(&id);
        Ok(())
    }

    /// The group asks for something.
    fn rebalance(&mut self, rebalance: Rebalance) -> Result<(), Error> {
        self.metrics.rebalances.get_or_create(&self.group).inc();
        match rebalance {
            Rebalance::Assign(partitions) => {
                let ids = ids(&partitions);
                tracing::info!(group = self.group.group, partitions = %Named(&ids), "assigned");
                take(&*self.member.client, &partitions).map_err(|source| self.fatal(source))?;
                // The client remembers that a partition was paused when it was here before.
                self.member.client.resume(&partitions).map_err(|source| self.fatal(source))?;
                for id in ids {
                    if let Some(epoch) = self.assignment.give_up(&id) {
                        self.lanes.forget(|lane| lane.0 == epoch);
                    }
                    self.stalls.forget(&id);
                    self.assignment.take(id);
                }
                self.pulse.set_joined(true);
                // More partitions come with an assignment, be it an empty one.
                self.shares.count_anew();
                self.shares.ask(&self.member.client);
                self.repause();
                self.wake();
            }
            Rebalance::Revoke { partitions, lost } => {
                let ids = ids(&partitions);
                tracing::info!(group = self.group.group, partitions = %Named(&ids), lost, "revoked");
                self.end(&ids);
                self.drains.push_back(Drain {
                    list: partitions,
                    ids,
                    lost,
                    deadline: Instant::now() + self.settings.drain,
                });
            }
        }
        Ok(())
    }

    /// Wakes the handlers that wait, and begins nothing new in these partitions but what stands
    /// before something that was begun: a hole there would make the next owner repeat all behind it.
    fn end(&mut self, ids: &[PartitionId]) {
        let mut begun = HashMap::new();
        for id in ids {
            let Some(owned) = self.assignment.get(id) else { continue };
            owned.ending.cancel();
            begun.insert(owned.epoch, owned.begun);
        }
        let late = |lane: &Lane, taken: &Taken| begun.get(&lane.0).is_some_and(|begun| Some(taken.ticket) > *begun);
        for Taken { record, .. } in self.lanes.withdraw(late) {
            let id = PartitionId { topic: record.topic.clone(), partition: record.partition };
            if let Some(owned) = self.assignment.get(&id) {
                owned.let_go(record.weight());
            }
        }
        self.repause();
    }

    /// Gives back the revoked partitions whose handlers are done, or late.
    fn settle_drains(&mut self) -> Result<(), Error> {
        while let Some(drain) = self.drains.front() {
            let idle = self.assignment.idle(&drain.ids);
            if !(idle || drain.lost || Instant::now() >= drain.deadline) {
                return Ok(());
            }
            let Some(drain) = self.drains.pop_front() else { return Ok(()) };
            if !idle {
                tracing::warn!(group = self.group.group, partitions = %Named(&drain.ids), lost = drain.lost,
                    "gave up partitions with records at work; their next owner repeats them");
            }
            if !drain.lost {
                self.store();
            }
            for id in &drain.ids {
                if let Some(epoch) = self.assignment.give_up(id) {
                    self.lanes.forget(|lane| lane.0 == epoch);
                }
            }
            give_back(&*self.member.client, &drain.list).map_err(|source| self.fatal(source))?;
            self.repause();
            self.wake();
            self.show();
        }
        Ok(())
    }

    /// Lets partitions with nothing to do go past what is no record. A transaction ends with a marker,
    /// which is given to nobody: behind the last record it would stay as lag until the next one comes.
    fn pass_markers(&mut self) {
        if self.markers.elapsed() < MARKERS || !self.assignment.iter_mut().any(|(_, owned)| owned.is_clear()) {
            return;
        }
        self.markers = Instant::now();
        let Ok(positions) = self.member.client.position() else { return };
        for at in positions.elements() {
            let id = PartitionId { topic: at.topic().into(), partition: at.partition() };
            if let Offset::Offset(next) = at.offset()
                && let Some(owned) = self.assignment.get(&id).filter(|owned| owned.is_clear())
            {
                owned.watermark.pass(next);
            }
        }
    }

    /// Stores the frontiers that moved; the client commits them.
    fn store(&mut self) {
        let mut offsets = TopicPartitionList::new();
        for (id, owned) in self.assignment.iter_mut() {
            if let Some(frontier) = owned.moved_frontier()
                && let Err(error) = offsets.add_partition_offset(&id.topic, id.partition, Offset::Offset(frontier))
            {
                tracing::error!(topic = %id.topic, partition = id.partition, frontier, %error, "no such offset");
            }
        }
        if offsets.count() > 0
            && let Err(error) = self.member.client.store_offsets(&offsets)
        {
            // A partition that was lost in this moment; its next owner repeats the work.
            tracing::debug!(group = self.group.group, %error, "offsets not stored");
        }
        self.show();
    }

    /// Says in the metrics what is owned and held.
    fn show(&mut self) {
        let gauge = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let in_flight: usize = self.assignment.iter_mut().map(|(_, owned)| owned.held.records).sum();
        self.metrics.in_flight.get_or_create(&self.group).set(gauge(in_flight));
        let paused = self.assignment.iter_mut().filter(|(_, owned)| owned.paused).count();
        self.metrics.paused.get_or_create(&self.group).set(gauge(paused));
        self.shares.tell(self.assignment.len());
        self.metrics.partitions.get_or_create(&self.group).set(gauge(self.assignment.len()));
        let at_work = self.running.len() as f64 / self.settings.limits.at_work as f64;
        let load = self.assignment.load(&self.settings.limits, self.gate.is_open()).max(at_work.min(1.0));
        self.metrics.busy.note(&self.group.group, load);
    }

    /// Pauses and resumes partitions by what they hold and by the gate.
    fn repause(&mut self) {
        let changes = self.assignment.repause(&self.settings.limits, self.gate.is_open());
        self.tell(&changes);
    }

    /// The same for one partition, whose records changed.
    fn repause_one(&mut self, id: &PartitionId) {
        let change = self.assignment.repause_one(id, &self.settings.limits, self.gate.is_open());
        if let Some(pause) = change {
            self.tell(&[(id.clone(), pause)]);
        }
    }

    /// Tells the client which partitions to pause and which to go on with.
    fn tell(&mut self, changes: &[(PartitionId, bool)]) {
        changes.iter().for_each(|(id, _)| self.stalls.forget(id));
        for pause in [true, false] {
            let changed = list(changes.iter().filter(|(_, p)| *p == pause).map(|(id, _)| id));
            if changed.count() == 0 {
                continue;
            }
            let done = if pause { self.member.client.pause(&changed) } else { self.member.client.resume(&changed) };
            if let Err(error) = done {
                tracing::warn!(group = self.group.group, pause, %error, "could not pause or resume partitions");
            }
            if !pause {
                let go_on = changes.iter().filter(|(_, pause)| !pause).map(|(id, _)| id.clone());
                self.waker.wake(&self.member.client, go_on);
            }
        }
    }

    /// Sees to it that partitions which are not paused are fetched at once.
    fn wake(&mut self) {
        let awake = self.assignment.iter_mut().filter(|(_, owned)| !owned.paused).map(|(id, _)| id.clone());
        self.waker.wake(&self.member.client, awake);
    }

    fn fatal(&self, source: KafkaError) -> Error {
        Error::Fatal { group: self.group.group.clone(), source }
    }
}

/// Closes the client, which commits and leaves the group. Its destructor waits for the broker, so it runs
/// aside and not for ever. Unsubscribing before would not be quicker: closed while it is still giving
/// partitions back, the client forgets to leave, and the group waits for the session time-out.
async fn leave(member: Member, group: &Group) {
    let closed = tokio::task::spawn_blocking(move || drop(member));
    if tokio::time::timeout(LEAVE, closed).await.is_err() {
        tracing::warn!(group = group.group, "the group did not answer; leaving without it");
    }
}

/// Partitions in a log line.
struct Named<'a>(&'a [PartitionId]);

impl std::fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort();
        for (n, id) in sorted.into_iter().enumerate() {
            write!(f, "{}{}[{}]", if n > 0 { " " } else { "" }, id.topic, id.partition)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use prometheus_client::registry::Registry;
    use rdkafka::ClientConfig;
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    use rdkafka::client::DefaultClientContext;
    use rdkafka::consumer::BaseConsumer;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::{GroupProtocol, Producer};

    const PATIENCE: Duration = Duration::from_secs(30);
    const RECORDS: i64 = 20;

    /// Waits for a permit, then notes the offset.
    struct Held {
        permits: Semaphore,
        begun: Semaphore,
        handled: Mutex<BTreeSet<i64>>,
    }

    impl Handler for Held {
        async fn handle(&self, record: Record, _: Lease) -> Result<(), Ended> {
            self.begun.add_permits(1);
            self.permits.acquire().await.unwrap().forget();
            self.handled.lock().unwrap().insert(record.offset);
            Ok(())
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
    async fn records_at_work_are_finished_and_committed_though_the_client_gives_later_ones_out_again() {
        let bootstrap_servers = std::env::var("KAFKA_BOOTSTRAP_SERVERS").expect("KAFKA_BOOTSTRAP_SERVERS is set");
        let topic = format!("again-{}", uuid::Uuid::new_v4());
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &bootstrap_servers).create().unwrap();
        let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
        admin.create_topics([&new], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
        let kafka = KafkaConfig {
            bootstrap_servers: bootstrap_servers.clone(),
            session_timeout: Duration::from_secs(6),
            protocol: GroupProtocol::default(),
        };
        let producer = Producer::connect(&kafka).unwrap();
        for key in 0..RECORDS {
            producer.send(&topic, key.to_string().as_bytes(), b"-", &[]).await.unwrap();
        }

        let handler =
            Arc::new(Held { permits: Semaphore::new(0), begun: Semaphore::new(0), handled: Mutex::default() });
        let group = format!("{topic}-group");
        let settings = Settings {
            group: group.clone(),
            topics: vec![topic.clone()],
            limits: Limits { records: 300, bytes: 1 << 20, at_work: 300 },
            drain: Duration::from_secs(15),
        };
        let metrics = ConsumerMetrics::register(&mut Registry::default());
        let in_flight = {
            let (metrics, group) = (metrics.clone(), Group { group: group.clone() });
            move || metrics.in_flight.get_or_create(&group).get()
        };
        let consumer = Consumer::new(&kafka, settings, handler.clone(), Gate::always_open(), metrics).unwrap();
        let client = consumer.member.client.clone();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(consumer.run(shutdown.clone()));

        let until = async |what: &str, right: fn(i64) -> bool| {
            let waiting = async {
                while !right(in_flight()) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(PATIENCE, waiting).await.expect(what);
        };
        until("all are told to be at work", |records| records >= RECORDS).await;
        let begun = |count: i64| handler.begun.acquire_many(count.try_into().unwrap());
        tokio::time::timeout(PATIENCE, begun(RECORDS)).await.expect("all are at work").unwrap().forget();
        let half = RECORDS / 2;
        let seeker = client.clone();
        let seek = move || seeker.seek(&topic, 0, Offset::Offset(half), PATIENCE).map(|()| topic);
        let topic = tokio::task::spawn_blocking(seek).await.unwrap().unwrap();
        drop(client);
        until("half of them come again", |records| records != RECORDS).await;
        handler.permits.add_permits(usize::try_from(RECORDS + half).unwrap());
        tokio::time::timeout(PATIENCE, begun(half)).await.expect("they are handled again").unwrap().forget();
        shutdown.cancel();
        tokio::time::timeout(PATIENCE, running).await.expect("it stops").unwrap().unwrap();

        assert_eq!(*handler.handled.lock().unwrap(), (0..RECORDS).collect::<BTreeSet<_>>());
        let committed = tokio::task::spawn_blocking(move || {
            let asked: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", &bootstrap_servers)
                .set("group.id", &group)
                .create()
                .unwrap();
            let mut partitions = TopicPartitionList::new();
            partitions.add_partition(&topic, 0);
            asked.committed_offsets(partitions, PATIENCE).unwrap().elements()[0].offset()
        });
        assert_eq!(committed.await.unwrap(), Offset::Offset(RECORDS));
    }
}
