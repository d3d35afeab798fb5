//! When a partition has enough in hand. Pure. Pausing throws prefetched records away, so a
//! partition that was paused goes on only when half of its share is worked off.

/// How much one consumer may hold in memory, waiting or at work.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Records, over all partitions.
    pub records: usize,
    /// Bytes of keys and values, over all partitions.
    pub bytes: usize,
    /// Handlers at once. What they need is not counted above.
    pub at_work: usize,
}

/// What a partition holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
}

impl Limits {
    /// The share of one partition when `partitions` are owned: a partition that is stuck cannot
    /// take the room of the others. Never less than one record.
    pub(crate) fn share(&self, partitions: usize) -> Limits {
        let partitions = partitions.max(1);
        Limits { records: (self.records / partitions).max(1), bytes: (self.bytes / partitions).max(1), ..*self }
    }

    /// How much of this share is used, 0 to 1.
    pub(crate) fn load(&self, held: Held) -> f64 {
        let of = |held: usize, share: usize| held as f64 / share as f64;
        of(held.records, self.records).max(of(held.bytes, self.bytes)).min(1.0)
    }

    /// Whether a partition with this share should be paused.
    pub(crate) fn pause(&self, held: Held, paused: bool) -> bool {
        if paused {
            held.records > self.records / 2 || held.bytes > self.bytes / 2
        } else {
            held.records >= self.records || held.bytes >= self.bytes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Limits = Limits { records: 10, bytes: 1000, at_work: 10 };

    fn held(records: usize, bytes: usize) -> Held {
        Held { records, bytes }
    }

    #[test]
    fn a_full_partition_pauses_by_count_or_by_bytes() {
        assert!(!SHARE.pause(held(9, 999), false));
        assert!(SHARE.pause(held(10, 0), false));
        assert!(SHARE.pause(held(1, 1000), false));
    }

    #[test]
    fn a_paused_partition_goes_on_when_half_is_worked_off() {
        assert!(SHARE.pause(held(6, 0), true));
        assert!(SHARE.pause(held(0, 501), true));
        assert!(!SHARE.pause(held(5, 500), true));
    }

    #[test]
    fn a_share_always_lets_one_record_through() {
        let share = Limits { records: 4, bytes: 4, at_work: 4 }.share(48);
        assert!(!share.pause(held(0, 0), false));
        assert!(!share.pause(held(0, 0), true));
    }
}
