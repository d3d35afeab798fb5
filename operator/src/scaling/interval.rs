//! What happened between two looks at Kafka: records that arrived and records that were finished.

use std::time::Duration;

use super::sample::{Offsets, PartitionOffsets, Pods};

/// A partition waits when more than this many seconds of what its topic finishes, and a few records,
/// lie in it: commits come every half second, so less than that is ordinary.
const WAITING_SECONDS: f64 = 2.0;
/// The few records.
const WAITING_RECORDS: f64 = 8.0;

/// From one look to the next.
#[derive(Clone, Debug)]
pub(super) struct Interval {
    /// When it ended.
    pub(super) ended: Duration,
    /// How long it was.
    pub(super) seconds: f64,
    /// Messages that arrived, by partition.
    pub(super) messages_arrived: Box<[f32]>,
    /// Status updates that arrived.
    pub(super) statuses_arrived: f64,
    /// Messages that were finished.
    pub(super) messages_done: f64,
    /// Status updates that were finished.
    pub(super) statuses_done: f64,
    /// What it tells about the replicas.
    pub(super) effort: Effort,
}

/// What an interval tells about what a replica can do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Effort {
    /// Nothing: members changed in it or shortly before.
    Unusable,
    /// All replicas were at work all the time.
    Usable {
        /// How many.
        replicas: u32,
        /// Share of the time that they were busy; none when they could not be asked.
        busy: Option<f64>,
        /// Records waited for each of them all the time.
        saturated: bool,
    },
}

impl Interval {
    /// What happened from `before` to `now`.
    pub(super) fn between(before: &Offsets, now: &Offsets, ended: Duration, seconds: f64) -> Self {
        Self {
            ended,
            seconds,
            messages_arrived: pairs(&before.messages, &now.messages)
                .map(|pair| pair.map_or(0.0, |(before, now)| now.arrived_since(before)) as f32)
                .collect(),
            statuses_arrived: sum(&before.statuses, &now.statuses, PartitionOffsets::arrived_since),
            messages_done: sum(&before.messages, &now.messages, PartitionOffsets::finished_since),
            statuses_done: sum(&before.statuses, &now.statuses, PartitionOffsets::finished_since),
            effort: Effort::Unusable,
        }
    }

    /// The same, telling what `replicas` did that were there all the time.
    pub(super) fn by(mut self, replicas: u32, pods: Pods, before: &Offsets, now: &Offsets) -> Self {
        let went_back = |before: &[PartitionOffsets], now: &[PartitionOffsets]| {
            pairs(before, now).flatten().any(|(before, now)| now.went_back_since(before))
        };
        let busy = match pods {
            Pods::Stable { busy } if busy.is_finite() => Some(busy.clamp(0.0, 1.0)),
            _ => None,
        };
        if replicas > 0 && !went_back(&before.messages, &now.messages) && !went_back(&before.statuses, &now.statuses) {
            let everywhere = self.waits_everywhere(before) && self.waits_everywhere(now);
            self.effort = Effort::Usable { replicas, busy, saturated: everywhere };
        }
        self
    }

    /// Messages that arrived, of all partitions.
    pub(super) fn all_messages_arrived(&self) -> f64 {
        self.messages_arrived.iter().map(|records| f64::from(*records)).sum()
    }

    /// Records that were finished.
    pub(super) fn done(&self) -> f64 {
        self.messages_done + self.statuses_done
    }

    /// Whether records lie in every partition of a topic, so that no replica could be without work.
    fn waits_everywhere(&self, offsets: &Offsets) -> bool {
        let waits = |partitions: &[PartitionOffsets], done: f64| {
            let share = done / self.seconds / partitions.len().max(1) as f64;
            let ordinary = WAITING_RECORDS + WAITING_SECONDS * share;
            !partitions.is_empty() && partitions.iter().all(|partition| partition.lag() > ordinary)
        };
        waits(&offsets.messages, self.messages_done) || waits(&offsets.statuses, self.statuses_done)
    }
}

/// Each partition of `now` with itself `before`; both are sorted. One that was not there has no past.
fn pairs<'a>(
    before: &'a [PartitionOffsets],
    now: &'a [PartitionOffsets],
) -> impl Iterator<Item = Option<(&'a PartitionOffsets, &'a PartitionOffsets)>> {
    now.iter().map(|now| {
        let found = before.binary_search_by_key(&now.partition, |before| before.partition).ok()?;
        Some((&before[found], now))
    })
}

fn sum(
    before: &[PartitionOffsets],
    now: &[PartitionOffsets],
    records: impl Fn(&PartitionOffsets, &PartitionOffsets) -> f64,
) -> f64 {
    pairs(before, now).flatten().map(|(before, now)| records(now, before)).sum()
}
