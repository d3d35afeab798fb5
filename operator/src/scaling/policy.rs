//! What the resource asks of the scaling, checked: bounds, targets and times.

use std::time::Duration;

/// The rules of one cluster's routers.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Fewest replicas, at least 1.
    pub min: u32,
    /// Most replicas, already cut to the partitions; at least `min`.
    pub max: u32,
    /// Partitions of the topic of messages, at least 1: more replicas than these would idle.
    pub partitions: u32,
    /// Time in which a backlog is to be worked off.
    pub drain_target: Duration,
    /// Share of a replica's capacity that steady arrival may use, above 0 and at most 1.
    pub target_utilization: f64,
    /// For how long fewer replicas must have been enough before one level is taken away.
    pub stabilization: Duration,
    /// After any change of the count nothing is changed for this long, in either direction.
    pub cooldown: Duration,
    /// From a change of the count until it brings something: the start of pods and the pause of the group.
    /// Nothing is counted upon meanwhile.
    pub rebalance: Duration,
}

impl Policy {
    /// The nearest count within the bounds.
    pub fn within_bounds(&self, replicas: i32) -> i32 {
        let count = |bound: u32| i32::try_from(bound).unwrap_or(i32::MAX);
        replicas.clamp(count(self.min), count(self.max))
    }
}
