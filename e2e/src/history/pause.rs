//! How long partitions stood still: while they held work and none of it reached the provider.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chat4all_measure::{Work, longest, standstills};
use jiff::Timestamp;

use super::{Accepted, History};

/// Something that was done to the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disturbance {
    /// When.
    pub at: Timestamp,
    /// To whom: the pod's name.
    pub victim: String,
    /// The partitions that lost their consumer by it.
    pub orphaned: BTreeSet<u32>,
}

/// What a disturbance did to the partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pauses {
    /// The disturbance.
    pub disturbance: Disturbance,
    /// The longest standstill of each partition from then until the next disturbance. A partition
    /// that got no work in that time is absent.
    pub by_partition: BTreeMap<u32, Duration>,
}

impl Pauses {
    /// The longest one.
    pub fn longest(&self) -> Duration {
        self.by_partition.values().copied().max().unwrap_or_default()
    }

    /// The longest one among the partitions that lost their consumer.
    pub fn longest_of_orphaned(&self) -> Duration {
        let orphaned = &self.disturbance.orphaned;
        self.by_partition.iter().filter(|(p, _)| orphaned.contains(p)).map(|(_, d)| *d).max().unwrap_or_default()
    }
}

/// The standstills that each disturbance brought, in the order of `disturbances` (by time).
/// `partition_of` tells the partition of a conversation.
pub fn pauses(history: &History, disturbances: &[Disturbance], partition_of: impl Fn(&str) -> u32) -> Vec<Pauses> {
    let standstills = standstills(work(history, partition_of));
    let ends = disturbances.iter().skip(1).map(|next| next.at).chain([Timestamp::MAX]);
    disturbances
        .iter()
        .zip(ends)
        .map(|(disturbance, end)| {
            let longest = longest(&standstills, disturbance.at, end);
            let by_partition = longest.values().map(|found| (found.partition, found.length())).collect();
            Pauses { disturbance: disturbance.clone(), by_partition }
        })
        .collect()
}

/// What the partitions had to do: a message from its acknowledgement until the provider has it.
fn work(history: &History, partition_of: impl Fn(&str) -> u32) -> Vec<Work> {
    let first = history.first_receipts();
    let work = |accepted: &Accepted| {
        let done = first.get(&accepted.message_id)?.at;
        Some(Work { partition: partition_of(&accepted.conversation), waiting: accepted.acked, done })
    };
    history.accepted.iter().filter_map(work).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::Receipt;
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// One partition for each conversation; messages by acknowledgement and receipt, in seconds.
    fn history(messages: &[(&str, i64, i64)]) -> History {
        let mut history = History::default();
        for (n, (conversation, acked, received)) in messages.iter().enumerate() {
            let message_id = Uuid::from_u128(n as u128);
            history.accepted.push(Accepted {
                message_id,
                conversation: (*conversation).into(),
                sequence: n as u64,
                intended: at(*acked),
                sent: at(*acked),
                acked: at(*acked),
                requests: 1,
            });
            history.received.push(Receipt { place: n as u64, at: at(*received), message_id, delivery_id: message_id });
        }
        history
    }

    fn disturbance(second: i64) -> Disturbance {
        Disturbance { at: at(second), victim: "pod".into(), orphaned: BTreeSet::from([0]) }
    }

    fn seconds(pauses: &Pauses) -> Vec<(u32, u64)> {
        pauses.by_partition.iter().map(|(p, d)| (*p, d.as_secs())).collect()
    }

    #[test]
    fn a_pause_lasts_from_the_last_progress_to_the_next_while_work_waits() {
        let history = history(&[("0", 1, 2), ("0", 3, 12), ("0", 4, 12), ("1", 3, 4), ("1", 5, 6)]);
        let pauses = pauses(&history, &[disturbance(3)], |c| c.parse().unwrap());
        assert_eq!(seconds(&pauses[0]), [(0, 9), (1, 1)]);
        assert_eq!((pauses[0].longest().as_secs(), pauses[0].longest_of_orphaned().as_secs()), (9, 9));
    }

    #[test]
    fn a_partition_without_work_does_not_stand_still() {
        let history = history(&[("0", 1, 2), ("0", 60, 61)]);
        assert_eq!(seconds(&pauses(&history, &[disturbance(3)], |_| 0)[0]), [(0, 1)]);
    }

    #[test]
    fn each_disturbance_has_the_pauses_until_the_next() {
        let history = history(&[("0", 1, 5), ("0", 11, 13), ("0", 21, 28)]);
        let found = pauses(&history, &[disturbance(2), disturbance(10), disturbance(20)], |_| 0);
        assert_eq!(found.iter().map(|p| p.longest().as_secs()).collect::<Vec<_>>(), [4, 2, 7]);
    }

    #[test]
    fn a_receipt_before_the_acknowledgement_arrives_is_no_pause() {
        let history = history(&[("0", 5, 4)]);
        assert_eq!(seconds(&pauses(&history, &[disturbance(1)], |_| 0)[0]), [(0, 0)]);
    }
}
