//! What one look at Kafka, the pods and the Deployment found.

use std::time::Duration;

/// How far a group has come in a partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Committed {
    /// The next offset to read.
    At(i64),
    /// Nothing was committed yet: the group begins at the log start.
    NoneYet,
}

/// Offsets of one partition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PartitionOffsets {
    /// Its number.
    pub partition: i32,
    /// Offset of the oldest record that is still kept.
    pub low: i64,
    /// Offset that the next record will get.
    pub high: i64,
    /// How far the group has come.
    pub committed: Committed,
}

impl PartitionOffsets {
    /// The next offset that the group will get: never one that was deleted.
    pub(super) fn position(&self) -> i64 {
        match self.committed {
            Committed::At(offset) => offset.max(self.low),
            Committed::NoneYet => self.low,
        }
    }

    /// Records that wait.
    pub(super) fn lag(&self) -> f64 {
        between(self.position(), self.high)
    }

    /// Records that arrived since `before`. An end that went back is another topic of the same name,
    /// and says nothing about a rate.
    pub(super) fn arrived_since(&self, before: &Self) -> f64 {
        between(before.high, self.high)
    }

    /// Records that the group finished since `before`. What was deleted in the meantime was perhaps
    /// never read, and does not count.
    pub(super) fn finished_since(&self, before: &Self) -> f64 {
        match self.committed {
            Committed::At(offset) => between(before.position().max(self.low), offset),
            Committed::NoneYet => 0.0,
        }
    }

    /// The committed offset went back: somebody set it, or it was lost.
    pub(super) fn went_back_since(&self, before: &Self) -> bool {
        self.position() < before.position()
    }
}

/// Offsets from `from` to `to`, none when `to` is lower.
fn between(from: i64, to: i64) -> f64 {
    to.saturating_sub(from).max(0) as f64
}

/// Offsets of the two topics that a router works on, every partition of each.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Offsets {
    /// The topic of messages.
    pub messages: Vec<PartitionOffsets>,
    /// The topic of status updates.
    pub statuses: Vec<PartitionOffsets>,
}

/// What the router pods say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pods {
    /// All are there, and their partitions were the same all the time since the sample before.
    Stable {
        /// Mean over the pods of the share of the time since the sample before that they were busy, 0 to 1.
        busy: f64,
    },
    /// Members or partitions changed since the sample before.
    Rebalancing,
    /// They could not be asked.
    Unknown,
}

/// One look.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When, by a clock that never goes back; its zero is the window's own.
    pub at: Duration,
    /// Replicas in the spec of the Deployment.
    pub replicas: u32,
    /// What the pods say.
    pub pods: Pods,
    /// What Kafka says; none when it could not be asked.
    pub offsets: Option<Offsets>,
}
