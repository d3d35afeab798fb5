//! How long a partition stood still. It stands still while it holds work and none of it is done; a
//! partition without work does not count as standing.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

/// Something that was to be done in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// The partition.
    pub partition: u32,
    /// Since when it waited, as its sender knows.
    pub waiting: Timestamp,
    /// When it was done.
    pub done: Timestamp,
}

/// From one sign of progress to the next, with work waiting all the while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standstill {
    /// The partition.
    pub partition: u32,
    /// The sign of progress before, or since when there was work.
    pub from: Timestamp,
    /// The next sign of progress.
    pub to: Timestamp,
}

impl Standstill {
    /// How long it lasted.
    pub fn length(&self) -> Duration {
        self.to.duration_since(self.from).try_into().unwrap_or_default()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Work,
    Progress,
}

/// Every standstill that this work went through: partition by partition, in the order of time.
pub fn standstills(work: impl IntoIterator<Item = Work>) -> Vec<Standstill> {
    let mut events: BTreeMap<u32, Vec<(Timestamp, Event)>> = BTreeMap::new();
    for Work { partition, waiting, done } in work {
        let events = events.entry(partition).or_default();
        // It may be done before its sender hears that it waits.
        events.push((waiting.min(done), Event::Work));
        events.push((done, Event::Progress));
    }
    let mut found = Vec::new();
    for (partition, mut events) in events {
        events.sort();
        let mut waiting = 0_u64;
        let mut since = Timestamp::MIN;
        for (at, event) in events {
            match event {
                Event::Work => {
                    if waiting == 0 {
                        since = at;
                    }
                    waiting += 1;
                }
                Event::Progress => {
                    found.push(Standstill { partition, from: since, to: at });
                    waiting -= 1;
                    since = at;
                }
            }
        }
    }
    found
}

/// The longest standstill of each partition, of those that ended at `from` or later and began before `to`. A
/// partition that got no work in that time is absent.
pub fn longest(standstills: &[Standstill], from: Timestamp, to: Timestamp) -> BTreeMap<u32, Standstill> {
    let mut longest: BTreeMap<u32, Standstill> = BTreeMap::new();
    for standstill in standstills.iter().filter(|s| s.to >= from && s.from < to) {
        let known = longest.entry(standstill.partition).or_insert(*standstill);
        if standstill.length() > known.length() {
            *known = *standstill;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn work(partition: u32, waiting: i64, done: i64) -> Work {
        Work { partition, waiting: at(waiting), done: at(done) }
    }

    fn seconds(standstills: &[Standstill], from: i64, to: i64) -> Vec<(u32, u64)> {
        longest(standstills, at(from), at(to)).values().map(|s| (s.partition, s.length().as_secs())).collect()
    }

    #[test]
    fn a_partition_stands_still_from_one_progress_to_the_next_while_work_waits() {
        let found = standstills([work(0, 1, 2), work(0, 3, 12), work(0, 4, 13), work(7, 5, 4)]);
        assert_eq!(found.iter().map(|s| s.length().as_secs()).collect::<Vec<_>>(), [1, 9, 1, 0]);
    }

    #[test]
    fn the_longest_is_looked_for_among_those_that_reach_into_the_time() {
        let found = standstills([work(0, 1, 9), work(0, 10, 14), work(0, 20, 22), work(1, 30, 31)]);
        assert_eq!(seconds(&found, 0, 100), [(0, 8), (1, 1)]);
        assert_eq!(seconds(&found, 12, 20), [(0, 4)]);
        assert_eq!(seconds(&found, 12, 12), [(0, 4)]);
        assert!(seconds(&found, 100, 200).is_empty());
    }
}
