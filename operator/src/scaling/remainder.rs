//! Lag that is no work: markers of transactions lie at the end of a log, count as records in its
//! offsets, and are never delivered to anyone.

use std::time::Duration;

use super::sample::PartitionOffsets;

/// At most this many records of a partition are such a remainder.
const RECORDS: f64 = 5.0;
/// The partition has stood still this long.
const STILL: Duration = Duration::from_secs(15);

/// How long each partition of a topic has stood still.
#[derive(Clone, Debug, Default)]
pub(super) struct Remainder(Vec<Still>);

#[derive(Clone, Copy, Debug)]
struct Still {
    partition: i32,
    high: i64,
    position: i64,
    since: Duration,
}

impl Remainder {
    /// Notes the offsets at a time; they are sorted by partition.
    pub(super) fn note(&mut self, at: Duration, partitions: &[PartitionOffsets]) {
        let noted = partitions.iter().map(|now| {
            let (high, position) = (now.high, now.position());
            let same = |still: &&Still| still.high == high && still.position == position;
            let since = self.of(now.partition).filter(same).map_or(at, |still| still.since);
            Still { partition: now.partition, high, position, since }
        });
        self.0 = noted.collect();
    }

    /// Records that wait in the partition. `idle` says that the pods are there and do nothing, though
    /// they would if there were something to do.
    pub(super) fn lag(&self, at: Duration, partition: &PartitionOffsets, idle: bool) -> f64 {
        let lag = partition.lag();
        let still = || self.of(partition.partition).is_some_and(|still| at.saturating_sub(still.since) >= STILL);
        if idle && lag <= RECORDS && still() { 0.0 } else { lag }
    }

    fn of(&self, partition: i32) -> Option<&Still> {
        self.0.binary_search_by_key(&partition, |still| still.partition).ok().map(|index| &self.0[index])
    }
}
