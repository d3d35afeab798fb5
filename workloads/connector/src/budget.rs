//! How many calls a second this replica may make: its share of what the account may, less while the
//! provider refuses. Pure. It works by a token bucket of its own and not by a library's, because the
//! rate changes with every partition that comes or goes, and with every refusal.

use std::time::Duration;

use tokio::time::Instant;

/// The part of the limit that is used. The rest is for what the provider counts besides (WhatsApp:
/// inbound messages), for clocks that differ, and for the moment in which a partition changes hands.
const USED: f64 = 0.98;

/// How far back calls that were not made may be caught up with: more than a busy machine makes a
/// timer late, and little enough that what comes after an idle time is within a second's limit.
const CATCH_UP: Duration = Duration::from_millis(250);

/// What a refusal leaves of the rate.
const SHRINK: f64 = 0.7;

/// What refusals leave at least: enough to notice that the provider takes more again.
const LEAST_TRUST: f64 = 0.05;

/// What a second without a refusal gives back, of the full rate: from the first refusal it takes a
/// quarter of a minute.
const RECOVERY: f64 = 0.02;

/// A limit of calls of one account, as one replica holds to it.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Calls a second of the whole account.
    limit: f64,
    /// This replica's part of them, 0 to 1.
    share: f64,
    /// What refusals left of the rate, 0 to 1.
    trust: f64,
    /// Calls that may be made now; less than 1 is none.
    level: f64,
    /// When `trust` and `level` were true.
    at: Instant,
}

/// When there is a call to be had.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Now.
    Now,
    /// Then, as far as can be said.
    At(Instant),
    /// When a share is given: there is none.
    WithAShare,
}

impl Budget {
    /// The budget of a replica that has no share yet. `limit` in calls a second of the whole account.
    pub(crate) fn new(limit: f64, now: Instant) -> Self {
        Self { limit, share: 0.0, trust: 1.0, level: 0.0, at: now }
    }

    /// Calls a second that this replica may make now.
    pub(crate) fn rate(&mut self, now: Instant) -> f64 {
        self.pass(now);
        self.current()
    }

    /// This replica's part of the account, 0 to 1. What the shares of all replicas come to is at most 1.
    pub(crate) fn set_share(&mut self, share: f64, now: Instant) {
        self.pass(now);
        self.share = share;
        self.level = self.level.min(self.depth());
    }

    /// The provider refused for want of room.
    pub(crate) fn refused(&mut self, now: Instant) {
        self.pass(now);
        self.trust = (self.trust * SHRINK).max(LEAST_TRUST);
        self.level = 0.0;
    }

    /// Whether a call may be made.
    pub(crate) fn ready(&mut self, now: Instant) -> Ready {
        self.pass(now);
        match self.current() {
            _ if self.level >= 1.0 => Ready::Now,
            rate if rate > 0.0 => {
                // Rounded up: a sleeper that is a hair early would only sleep again.
                let wait = Duration::from_secs_f64((1.0 - self.level) / rate) + Duration::from_micros(1);
                Ready::At(now + wait)
            }
            _ => Ready::WithAShare,
        }
    }

    /// A call is made.
    pub(crate) fn spend(&mut self) {
        self.level -= 1.0;
    }

    /// Whether refusals still lower the rate.
    pub(crate) fn is_lowered(&self) -> bool {
        self.trust < 1.0
    }

    fn current(&self) -> f64 {
        self.limit * USED * self.share * self.trust
    }

    /// The most that may be made at once.
    fn depth(&self) -> f64 {
        1.0 + self.current() * CATCH_UP.as_secs_f64()
    }

    fn pass(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + passed * self.current()).min(self.depth());
        self.trust = (self.trust + passed * RECOVERY).min(1.0);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// The calls that a replica makes from `start` for so long, when there is always one to make and
    /// its timers are so late.
    fn calls(budget: &mut Budget, start: Instant, length: Duration, late: Duration) -> Vec<Instant> {
        let mut now = start;
        let mut calls = Vec::new();
        while now < start + length {
            match budget.ready(now) {
                Ready::Now => {
                    budget.spend();
                    calls.push(now);
                }
                Ready::At(at) => now = at + late,
                Ready::WithAShare => break,
            }
        }
        calls
    }

    #[test]
    fn a_replica_without_a_share_makes_no_call() {
        let now = Instant::now();
        assert_eq!(Budget::new(80.0, now).ready(now + millis(60_000)), Ready::WithAShare);
    }

    #[test]
    fn late_timers_cost_no_calls() {
        let now = Instant::now();
        for late in [millis(0), millis(1), millis(50)] {
            let mut budget = Budget::new(80.0, now);
            budget.set_share(1.0 / 3.0, now);
            let made = calls(&mut budget, now, millis(10_000), late).len();
            assert!((255..=263).contains(&made), "{made} of 261 with timers that are {late:?} late");
        }
    }

    #[test]
    fn after_an_idle_hour_it_makes_what_a_quarter_of_a_second_allows_and_one() {
        let now = Instant::now();
        let mut budget = Budget::new(80.0, now);
        budget.set_share(1.0, now);
        let later = now + millis(3_600_000);
        let at_once = calls(&mut budget, later, millis(1_000), millis(0)).iter().filter(|at| **at == later).count();
        assert_eq!(at_once, 20);
    }

    #[test]
    fn a_share_that_shrinks_takes_the_unused_calls_along() {
        let now = Instant::now();
        let mut budget = Budget::new(80.0, now);
        budget.set_share(1.0, now);
        budget.set_share(0.0, now + millis(10_000));
        budget.set_share(0.5, now + millis(10_000));
        let at_once = calls(&mut budget, now + millis(10_000), millis(1), millis(0)).len();
        assert!(at_once <= 1, "{at_once}");
    }

    #[test]
    fn refusals_multiply_the_rate_down_and_quiet_time_adds_it_back() {
        let now = Instant::now();
        let mut budget = Budget::new(100.0, now);
        budget.set_share(1.0, now);
        assert_eq!(budget.rate(now).round(), 98.0);
        budget.refused(now);
        assert_eq!(budget.rate(now).round(), 69.0);
        budget.refused(now);
        assert_eq!(budget.rate(now).round(), 48.0);
        assert_eq!(budget.rate(now + millis(5_000)).round(), 58.0);
        assert!(budget.is_lowered());
        assert_eq!(budget.rate(now + millis(26_000)).round(), 98.0);
        assert!(!budget.is_lowered());
    }

    #[test]
    fn it_never_stops_altogether_for_refusals() {
        let now = Instant::now();
        let mut budget = Budget::new(80.0, now);
        budget.set_share(1.0, now);
        (0..100).for_each(|_| budget.refused(now));
        assert!(matches!(budget.ready(now), Ready::At(at) if at < now + millis(1_000)));
    }

    proptest! {
        /// The provider counts by a bucket of one second's calls.
        #[test]
        fn replicas_whose_shares_are_one_stay_within_the_limit_however_partitions_move(
            limit in 20.0f64..1000.0,
            moves in proptest::collection::vec((0usize..12, 0usize..3, 1u64..1500), 1..20),
        ) {
            let start = Instant::now();
            let mut owners = [0usize, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2];
            let mut replicas: Vec<Budget> = (0..3).map(|_| Budget::new(limit, start)).collect();
            let mut now = start;
            let mut made: Vec<Instant> = Vec::new();
            for (partition, to, length) in moves {
                owners[partition] = to;
                for (n, replica) in replicas.iter_mut().enumerate() {
                    let owned = owners.iter().filter(|owner| **owner == n).count();
                    replica.set_share(owned as f64 / 12.0, now);
                }
                for replica in &mut replicas {
                    // With timers on time: one that is late may make a call of this span in the next one.
                    made.extend(calls(replica, now, millis(length), millis(0)).into_iter().filter(|at| *at <= now + millis(length)));
                }
                now += millis(length);
            }
            made.sort();
            let (mut level, mut at) = (limit, start);
            for call in made {
                level = (level + call.duration_since(at).as_secs_f64() * limit).min(limit) - 1.0;
                at = call;
                prop_assert!(level >= 0.0, "refused {:?} after the start", call.duration_since(start));
            }
        }
    }
}
