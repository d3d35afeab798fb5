//! A group that is scaled from one member to as many as there are partitions and back to one, while
//! records flow at a steady rate. What is measured is what the handlers saw.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat4all_kafka::{Ended, Gate, GroupProtocol, Handler, Lease, Record};
use futures::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_util::sync::CancellationToken;

use super::{Member, Topic, parsed};

const MEMBERS: i32 = 12;
const KEYS_OF_A_PARTITION: usize = 4;

/// Between two records of one key. The keys of a partition take turns, so that it gets one each 25 ms.
const PACE: Duration = Duration::from_millis(100);

/// What handling one record takes.
const WORK: Duration = Duration::from_millis(10);

/// So many records in a row by one member, in each partition: the group has settled.
const SETTLED: usize = 60;

/// How long the group may take to settle. Brokers let members of the `consumer` protocol ask every five
/// seconds, and a change takes a few rounds.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of it.
#[derive(Debug)]
#[allow(dead_code, reason = "the benchmark shows what no test looks at")]
pub struct Report {
    pub handled: usize,
    pub lost: usize,
    /// Records handled after a later one of their key.
    pub out_of_order: usize,
    /// Records handled again.
    pub twice: usize,
    pub up: Change,
    pub down: Change,
}

/// One change of the number of members.
#[derive(Debug)]
#[allow(dead_code, reason = "the benchmark shows what no test looks at")]
pub struct Change {
    /// Until the last partition was with its new owner.
    pub settled: Duration,
    /// The longest time without a record in a partition that kept its owner.
    pub kept: Duration,
    /// The longest time without a record in one that got another owner.
    pub moved: Duration,
}

/// A record was handled.
#[derive(Clone, Copy)]
struct Event {
    at: Instant,
    member: i32,
    partition: i32,
    key: u32,
    number: u32,
}

#[derive(Clone)]
struct Worker {
    member: i32,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Handler for Worker {
    async fn handle(&self, record: Record, _: Lease) -> Result<(), Ended> {
        sleep(WORK).await;
        let (key, number) = parsed(&record);
        let mut events = self.events.lock().unwrap();
        events.push(Event { at: Instant::now(), member: self.member, partition: record.partition, key, number });
        Ok(())
    }
}

/// Scales a group up and down.
pub async fn up_and_down(protocol: GroupProtocol) -> Report {
    let topic = Arc::new(Topic::with(MEMBERS, protocol).await);
    let keys = topic.keys(KEYS_OF_A_PARTITION).await;
    let events = Arc::new(Mutex::new(Vec::new()));
    let member = |member| topic.member(&Arc::new(Worker { member, events: events.clone() }), Gate::always_open());

    let first = member(0).joined().await;
    let stop = CancellationToken::new();
    let turns = keys.iter().flat_map(|keys| keys.iter().zip((0..KEYS_OF_A_PARTITION).cycle()));
    let flow = turns.map(|(key, turn)| {
        let start = Instant::now() + PACE * u32::try_from(turn).unwrap() / KEYS_OF_A_PARTITION as u32;
        tokio::spawn(produce(topic.clone(), *key, start, stop.clone()))
    });
    let flow: Vec<_> = flow.collect();
    settled(&events, 1).await;

    let began = Instant::now();
    let others: Vec<Member> = (1..MEMBERS).map(member).collect();
    settled(&events, 12).await;
    let up = change(&events, began);

    let began = Instant::now();
    join_all(others.into_iter().map(Member::stop)).await;
    settled(&events, 1).await;
    let down = change(&events, began);

    stop.cancel();
    let mut produced = BTreeSet::new();
    for (key, task) in keys.iter().flatten().zip(flow) {
        produced.extend((0..task.await.unwrap()).map(|number| (*key, number)));
    }
    let last = Instant::now();
    let missing = || {
        let handled: BTreeSet<_> = events.lock().unwrap().iter().map(|event| (event.key, event.number)).collect();
        produced.difference(&handled).count()
    };
    while missing() > 0 && last.elapsed() < super::PATIENCE {
        sleep(PACE).await;
    }
    let lost = missing();
    first.stop().await;
    if let Ok(topic) = Arc::try_unwrap(topic) {
        topic.delete().await;
    }

    let events = events.lock().unwrap();
    let mut seen = BTreeSet::new();
    let mut latest = BTreeMap::new();
    let (mut twice, mut out_of_order) = (0, 0);
    for event in events.iter() {
        if !seen.insert((event.key, event.number)) {
            twice += 1;
            continue;
        }
        let latest = latest.entry(event.key).or_insert(event.number);
        if *latest > event.number {
            out_of_order += 1;
        }
        *latest = event.number.max(*latest);
    }
    Report { handled: seen.len(), lost, out_of_order, twice, up, down }
}

/// Produces the records of one key, each after the one before was acknowledged; record 0 is there
/// already. Gives how many there are.
async fn produce(topic: Arc<Topic>, key: u32, start: Instant, stop: CancellationToken) -> u32 {
    let mut pace = interval_at(start, PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut number = 1;
    while stop.run_until_cancelled(pace.tick()).await.is_some() {
        topic.put(key, number).await;
        number += 1;
    }
    number
}

/// Waits until this many members have all partitions, and have had them for a while.
async fn settled(events: &Mutex<Vec<Event>>, members: usize) {
    let began = Instant::now();
    loop {
        let owners: Vec<_> = by_partition(&events.lock().unwrap()).values().map(|events| owner(events)).collect();
        let distinct: BTreeSet<_> = owners.iter().flatten().collect();
        if owners.len() == 12 && owners.iter().all(Option::is_some) && distinct.len() == members {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "the group did not settle: {owners:?}");
        sleep(PACE).await;
    }
}

/// The member that handled the last records of a partition, if it was one alone.
fn owner(events: &[Event]) -> Option<i32> {
    let last = events.last_chunk::<SETTLED>()?;
    last.iter().all(|event| event.member == last[0].member).then_some(last[0].member)
}

fn by_partition(events: &[Event]) -> BTreeMap<i32, Vec<Event>> {
    let mut partitions: BTreeMap<i32, Vec<Event>> = BTreeMap::new();
    for event in events {
        partitions.entry(event.partition).or_default().push(*event);
    }
    partitions
}

/// What a change that began then brought about.
fn change(events: &Mutex<Vec<Event>>, began: Instant) -> Change {
    let mut change = Change { settled: Duration::ZERO, kept: Duration::ZERO, moved: Duration::ZERO };
    for events in by_partition(&events.lock().unwrap()).values() {
        // From the last record before the change on.
        let from = events.partition_point(|event| event.at < began).saturating_sub(1);
        let events = &events[from..];
        let pause = events.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or_default();
        match events.windows(2).rev().find(|pair| pair[0].member != pair[1].member) {
            Some(handover) => {
                change.moved = change.moved.max(pause);
                change.settled = change.settled.max(handover[1].at - began);
            }
            None => change.kept = change.kept.max(pause),
        }
    }
    change
}
