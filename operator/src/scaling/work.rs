//! The work that waits and arrives, by partition of messages, in records of work.
//!
//! Status updates are spread evenly over the partitions. Their keys are message ids, so they lie evenly
//! whatever conversation is hot, and a replica with a share of the partitions of messages has the same
//! share of those of status updates.

use super::policy::Policy;

/// Work of one partition of messages with its even share of the status updates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Load {
    /// The partition of messages.
    pub(super) partition: i32,
    /// Records that arrive in a second.
    pub(super) arrival: f32,
    /// Records that wait.
    pub(super) backlog: f32,
}

/// All partitions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Work(pub(super) Box<[Load]>);

impl Work {
    /// Records that arrive in a second.
    pub(super) fn arrival(&self) -> f64 {
        self.0.iter().map(|load| f64::from(load.arrival)).sum()
    }

    /// Records that wait.
    pub(super) fn backlog(&self) -> f64 {
        self.0.iter().map(|load| f64::from(load.backlog)).sum()
    }

    /// Nothing waits and nothing arrives.
    pub(super) fn is_none(&self) -> bool {
        self.0.iter().all(|load| load.arrival == 0.0 && load.backlog == 0.0)
    }

    /// What each partition needs, in records a second.
    pub(super) fn needs(&self, policy: &Policy) -> Vec<f64> {
        self.0.iter().map(|load| load.need(policy)).collect()
    }

    /// At least what `other` is, in each partition.
    pub(super) fn raise_to(&mut self, other: &Self) {
        if self.0.len() != other.0.len() {
            *self = other.clone();
            return;
        }
        for (load, other) in self.0.iter_mut().zip(&other.0) {
            load.arrival = load.arrival.max(other.arrival);
            load.backlog = load.backlog.max(other.backlog);
        }
    }
}

impl Load {
    /// Steady arrival leaves headroom. That headroom also works off what waits, so the two are not added
    /// up: the larger one counts. What waits, and what will while the count is changed, is to be gone
    /// within the target, of which the change takes its part.
    pub(super) fn need(&self, policy: &Policy) -> f64 {
        let (arrival, backlog) = (f64::from(self.arrival), f64::from(self.backlog));
        let (change, target) = (policy.rebalance.as_secs_f64(), policy.drain_target.as_secs_f64());
        let working = (target - change).max(target / 2.0);
        let draining = arrival + (backlog + arrival * change) / working;
        draining.max(arrival / policy.target_utilization)
    }
}
