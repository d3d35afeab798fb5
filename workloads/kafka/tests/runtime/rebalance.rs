//! Members that come and go while records flow.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chat4all_kafka::{Ended, Gate, GroupProtocol, Handler, Lease, Record};
use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::support::{Notes, Topic, eventually, parsed, scale};

/// Notes everything; the second record of some keys is held in hand until all are let go.
struct Holding {
    notes: Notes,
    held: BTreeSet<u32>,
    in_hand: AtomicUsize,
    let_go: CancellationToken,
}

impl Handler for Holding {
    async fn handle(&self, record: Record, _: Lease) -> Result<(), Ended> {
        let (key, number) = parsed(&record);
        if number == 1 && self.held.contains(&key) {
            self.in_hand.fetch_add(1, Ordering::Relaxed);
            self.let_go.cancelled().await;
        }
        self.notes.note(&record);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_member_that_is_slow_to_give_back_pauses_no_partition_that_another_member_keeps() {
    const RECORDS: u32 = 50;
    let topic = Topic::create().await;
    let keys = topic.keys(2).await;
    let [quick, new] = [(); 2].map(|()| Arc::new(Notes::default()));
    let slow = Arc::new(Holding {
        notes: Notes::default(),
        held: keys.iter().map(|keys| keys[0]).collect(),
        in_hand: AtomicUsize::new(0),
        let_go: CancellationToken::new(),
    });
    let first = topic.member(&quick, Gate::always_open()).joined().await;
    let second = topic.member(&slow, Gate::always_open());
    eventually("the two share the partitions", || (first.partitions(), second.partitions()) == (3, 3)).await;
    join_all(keys.iter().map(|keys| topic.put(keys[0], 1))).await;
    eventually("the second has one record of each in hand", || slow.in_hand.load(Ordering::Relaxed) == 3).await;

    let third = topic.member(&new, Gate::always_open());
    eventually("the first has given one back", || first.partitions() == 2).await;
    let before = quick.handled().len();
    for number in 2..2 + RECORDS {
        join_all(keys.iter().map(|keys| topic.put(keys[1], number))).await;
    }
    let kept = 2 * RECORDS as usize;
    eventually("what the first keeps goes on", || quick.handled().len() == before + kept).await;
    assert_eq!(second.partitions(), 3, "the second still holds what it is to give back");

    slow.let_go.cancel();
    let total = keys.iter().map(Vec::len).sum::<usize>() + keys.len() * (1 + RECORDS as usize);
    let handled = || [quick.handled(), slow.notes.handled(), new.handled()].concat();
    eventually("all is handled", || handled().len() >= total).await;
    for member in [first, second, third] {
        member.stop().await;
    }
    let mut handled = handled();
    handled.sort_unstable();
    handled.dedup();
    assert_eq!(handled.len(), total, "each once");
    topic.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn the_members_shares_are_one_together_whoever_comes_and_goes_and_when_the_topic_grows() {
    let topic = Topic::create().await;
    let notes = Arc::new(Notes::default());
    let first = topic.member(&notes, Gate::always_open());
    eventually("one member has all", || first.share() == 1.0).await;
    let second = topic.member(&notes, Gate::always_open());
    let third = topic.member(&notes, Gate::always_open());
    let third_of_it = |share: f64| (share - 1.0 / 3.0).abs() < 1e-9;
    eventually("three have a third each", || [&first, &second, &third].iter().all(|m| third_of_it(m.share()))).await;
    third.stop().await;
    eventually("two have a half each", || (first.share(), second.share()) == (0.5, 0.5)).await;
    topic.grow(8).await;
    eventually("of the new partitions, too", || (first.partitions(), second.partitions()) == (4, 4)).await;
    eventually("two have a half each", || (first.share(), second.share()) == (0.5, 0.5)).await;
    first.stop().await;
    second.stop().await;
    topic.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KAFKA_BOOTSTRAP_SERVERS"]
async fn a_group_that_grows_to_the_maximum_and_shrinks_to_one_under_load_loses_repeats_and_reorders_nothing() {
    let report = scale::up_and_down(GroupProtocol::default()).await;
    assert_eq!((report.lost, report.twice, report.out_of_order), (0, 0, 0), "{report:?}");
}
