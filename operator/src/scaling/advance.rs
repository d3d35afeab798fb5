//! Notices work that waits while none is finished.

use std::time::Duration;

/// Records that wait, for each partition, before standing still means anything.
const RECORDS: f64 = 5.0;
/// Intervals without a finished record.
const INTERVALS: u32 = 4;
/// And at least this long.
const STILL: Duration = Duration::from_secs(20);

/// How long one group has finished nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Advance {
    still: Option<(Duration, u32)>,
}

impl Advance {
    /// Notes an interval that ended at a time: records that wait in so many partitions, and that were
    /// finished.
    pub(super) fn note(&mut self, at: Duration, waiting: f64, partitions: usize, done: f64) {
        self.still = match self.still {
            _ if done > 0.0 || waiting <= RECORDS * partitions as f64 => None,
            Some((since, intervals)) => Some((since, intervals + 1)),
            None => Some((at, 1)),
        };
    }

    /// Members are changing, and nothing can be said.
    pub(super) fn disturbed(&mut self) {
        self.still = None;
    }

    /// It stands still.
    pub(super) fn stands_still(&self, now: Duration) -> bool {
        self.still.is_some_and(|(since, intervals)| intervals >= INTERVALS && now.saturating_sub(since) >= STILL)
    }
}
