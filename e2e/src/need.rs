//! How many routers a load needs, computed from the law of docs/decisions.md and not by the operator's code:
//! what the operator decides is compared with it. Pure.

use std::time::Duration;

/// What a load is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Work {
    /// Records of work that arrive in a second.
    pub arrival: f64,
    /// Records of work that one busy router finishes in a second.
    pub capacity: f64,
    /// Records of work that wait.
    pub backlog: f64,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Partitions of the topic of messages.
    pub partitions: u32,
    /// Share of the routers' time that the arrivals may take, above 0 and at most 1.
    pub utilization: f64,
    /// Within what time the backlog is to be gone.
    pub drain: Duration,
}

impl Rules {
    /// Routers for this work, before rounding. The room that is left beside the arrivals also works off what
    /// waits, so the larger of two needs counts: the arrivals with their room; and the arrivals with the
    /// backlog, and with what comes while the group does no work, in what that leaves of the time, at least half.
    pub fn need(&self, work: Work, standstill: Duration) -> f64 {
        let Work { arrival, capacity, backlog } = work;
        let (standstill, drain) = (standstill.as_secs_f64(), self.drain.as_secs_f64());
        let draining = arrival + (backlog + arrival * standstill) / (drain - standstill).max(drain / 2.0);
        draining.max(arrival / self.utilization) / capacity
    }

    /// The count for a need: the next one with which the router with the most partitions has fewer.
    pub fn count(&self, need: f64) -> u32 {
        let enough = |count: &u32| f64::from(*count) >= need;
        let most = |count: u32| self.partitions.div_ceil(count);
        let useful = |count: &u32| *count == 1 || most(*count) < most(*count - 1);
        (1..=self.partitions).filter(useful).find(enough).unwrap_or(self.partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { partitions: 12, utilization: 0.7, drain: Duration::from_secs(120) };

    #[test]
    fn arrivals_are_given_room_and_a_backlog_its_time() {
        let work = Work { arrival: 700.0, capacity: 200.0, backlog: 24_000.0 };
        let need = |work, standstill| (RULES.need(work, Duration::from_secs(standstill)) * 1000.0).round() / 1000.0;
        assert_eq!(need(work, 0), 5.0);
        assert_eq!(need(Work { backlog: 60_000.0, ..work }, 0), 6.0);
        assert_eq!(need(Work { arrival: 0.0, ..work }, 20), 1.2);
    }

    #[test]
    fn the_count_is_one_that_takes_partitions_off_the_fullest_router() {
        let counts: Vec<u32> = [0.0, 1.0, 1.1, 3.9, 4.1, 5.4, 6.1, 99.0].map(|need| RULES.count(need)).into();
        assert_eq!(counts, [1, 1, 2, 4, 6, 6, 12, 12]);
    }
}
