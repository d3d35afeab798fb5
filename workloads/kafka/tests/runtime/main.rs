//! The consumer runtime on a real Kafka: order, commits, rebalances, stops, crashes.

#![allow(clippy::unwrap_used)]

mod rebalance;
mod support;
mod transactions;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat4all_kafka::{Ended, Gate, Handler, Lease, Limits, Record, gate};
use support::{Notes, Topic, assert_each_once_in_order, eventually, parsed};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn every_record_is_handled_once_and_each_key_in_order() {
    let topic = Topic::create().await;
    topic.fill(50, 40).await;
    let notes = Arc::new(Notes::default());
    let member = topic.member(&notes, Gate::always_open());
    eventually("all are handled", || notes.handled().len() >= 2000).await;
    member.stop().await;
    assert_each_once_in_order(&notes.handled(), 50, 40);
    assert_eq!(topic.committed().await, 2000);
    topic.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_graceful_stop_in_the_middle_repeats_nothing_and_loses_nothing() {
    let topic = Topic::create().await;
    topic.fill(50, 40).await;
    let notes = Notes::slow(Duration::from_millis(5));
    let first = topic.member(&notes, Gate::always_open());
    eventually("some are handled", || notes.handled().len() >= 500).await;
    first.stop().await;
    let before = notes.handled().len();
    assert!(before < 2000, "stopped in the middle");
    assert_eq!(topic.committed().await, i64::try_from(before).unwrap());
    let second = topic.member(&notes, Gate::always_open());
    eventually("all are handled", || notes.handled().len() >= 2000).await;
    second.stop().await;
    assert_each_once_in_order(&notes.handled(), 50, 40);
    topic.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn members_that_join_and_leave_with_work_in_flight_repeat_nothing_and_keep_the_order() {
    let topic = Topic::create().await;
    topic.fill(60, 100).await;
    let notes = Notes::slow(Duration::from_millis(20));
    let stays = topic.member(&notes, Gate::always_open()).joined().await;
    for _ in 0..3 {
        let before = notes.handled().len();
        let guest = topic.member(&notes, Gate::always_open()).joined().await;
        eventually("work goes on with the guest", || notes.handled().len() >= (before + 600).min(6000)).await;
        guest.stop().await;
    }
    eventually("all are handled", || notes.handled().len() >= 6000).await;
    stays.stop().await;
    assert_each_once_in_order(&notes.handled(), 60, 100);
    topic.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn after_a_crash_only_what_was_not_committed_is_repeated_and_nothing_is_lost() {
    let topic = Topic::create().await;
    topic.fill(50, 40).await;
    let notes = Notes::slow(Duration::from_millis(5));
    let first = topic.member(&notes, Gate::always_open());
    eventually("some are handled", || notes.handled().len() >= 500).await;
    first.abort().await;
    let committed = usize::try_from(topic.committed().await).unwrap();
    let before = notes.handled().len();
    assert!(committed <= before, "committed {committed} of {before}");
    let second = topic.member(&notes, Gate::always_open());
    eventually("all are handled", || notes.handled().len() >= before + 2000 - committed).await;
    second.stop().await;
    let mut all = notes.handled();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 2000);
    assert_eq!(topic.committed().await, 2000);
    topic.delete().await;
}

/// One key waits until its lease ends.
struct OneStuck {
    notes: Arc<Notes>,
    stuck: u32,
    released: AtomicUsize,
}

impl Handler for OneStuck {
    async fn handle(&self, record: Record, lease: Lease) -> Result<(), Ended> {
        if parsed(&record).0 == self.stuck {
            let waited = lease.unless_ending(std::future::pending::<()>()).await;
            self.released.fetch_add(1, Ordering::Relaxed);
            return waited;
        }
        self.notes.note(&record);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_key_that_waits_holds_back_nobody_else_and_is_left_to_the_next_member() {
    let topic = Topic::create().await;
    topic.fill(40, 20).await;
    let notes = Arc::new(Notes::default());
    let handler = Arc::new(OneStuck { notes: notes.clone(), stuck: 7, released: AtomicUsize::new(0) });
    let first = topic.member(&handler, Gate::always_open());
    eventually("all others are handled", || notes.handled().len() >= 39 * 20).await;
    let took = first.stop().await;
    assert!(took < Duration::from_secs(8), "a waiting handler ends at once; stopping took {took:?}");
    assert_eq!(handler.released.load(Ordering::Relaxed), 1);
    let second = topic.member(&notes, Gate::always_open());
    let stuck = || notes.handled().iter().filter(|h| h.0 == 7).count();
    eventually("the waiting key is handled by the next member", || stuck() >= 20).await;
    second.stop().await;
    assert_eq!(topic.committed().await, 800);
    topic.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn more_waiting_records_than_the_limit_pause_the_partition_and_the_member_stays_in_the_group() {
    let topic = Topic::create().await;
    topic.fill(1, 200).await;
    let notes = Arc::new(Notes::default());
    let handler = Arc::new(OneStuck { notes: notes.clone(), stuck: 0, released: AtomicUsize::new(0) });
    let member = topic.member(&handler, Gate::always_open()).joined().await;
    // Two session time-outs: a member that stopped polling or heartbeating would be gone.
    tokio::time::sleep(topic.kafka.session_timeout * 2).await;
    assert!(member.pulse.age() < Duration::from_secs(2));
    assert!(member.pulse.joined());
    member.stop().await;
    let second = topic.member(&notes, Gate::always_open());
    eventually("all are handled", || notes.handled().len() >= 200).await;
    second.stop().await;
    assert_each_once_in_order(&notes.handled(), 1, 200);
    topic.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_closed_gate_stops_the_flow_and_an_open_one_lets_everything_through() {
    let topic = Topic::create().await;
    let (keeper, closed) = gate();
    keeper.set_open(false);
    let notes = Arc::new(Notes::default());
    let member = topic.member(&notes, closed).joined().await;
    topic.fill(20, 50).await;
    let before = notes.handled().len();
    assert_eq!(before, 0, "handled behind a closed gate");
    keeper.set_open(true);
    eventually("all are handled", || notes.handled().len() >= 1000).await;
    member.stop().await;
    assert_each_once_in_order(&notes.handled(), 20, 50);
    topic.delete().await;
}

/// Notes what it handles, and how much of it at once at most.
#[derive(Default)]
struct Counting {
    notes: Arc<Notes>,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Handler for Counting {
    async fn handle(&self, record: Record, lease: Lease) -> Result<(), Ended> {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        let outcome = self.notes.handle(record, lease).await;
        self.now.fetch_sub(1, Ordering::Relaxed);
        outcome
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn with_room_for_a_few_at_work_nothing_is_lost_repeated_or_reordered_by_a_guest_and_a_stop() {
    const FEW: Limits = Limits { records: 600, bytes: 1 << 20, at_work: 4 };
    let topic = Topic::create().await;
    topic.fill(50, 40).await;
    let counting = Arc::new(Counting { notes: Notes::slow(Duration::from_millis(20)), ..Counting::default() });
    let handled = || counting.notes.handled().len();
    let first = topic.limited_member(&counting, Gate::always_open(), FEW);
    eventually("some are handled", || handled() >= 200).await;
    assert_eq!(counting.most.load(Ordering::Relaxed), 4, "no more than there is room for, and no less");
    let guest = topic.limited_member(&counting, Gate::always_open(), FEW).joined().await;
    eventually("more are handled", || handled() >= 700).await;
    guest.stop().await;
    first.stop().await;
    let before = handled();
    assert!(before < 2000, "stopped in the middle");
    assert_eq!(topic.committed().await, i64::try_from(before).unwrap());
    let last = topic.limited_member(&counting, Gate::always_open(), FEW);
    eventually("all are handled", || handled() >= 2000).await;
    last.stop().await;
    assert_each_once_in_order(&counting.notes.handled(), 50, 40);
    topic.delete().await;
}

/// Panics over one record.
struct Fragile;

impl Handler for Fragile {
    async fn handle(&self, record: Record, _: Lease) -> Result<(), Ended> {
        assert_ne!(parsed(&record), (3, 3), "a planted fault");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_handler_that_panics_ends_the_member_and_its_record_is_not_committed() {
    let topic = Topic::create().await;
    topic.fill(5, 10).await;
    let member = topic.member(&Arc::new(Fragile), Gate::always_open());
    let error = member.failure().await;
    assert!(error.to_string().contains("panicked"), "{error}");
    assert!(topic.committed().await < 50);
    topic.delete().await;
}
