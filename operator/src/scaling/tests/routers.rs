//! Routers for the tests: they do what they can of what lies there, and can be made to do less.

use std::time::Duration;

use crate::api::Autoscaling;
use crate::scaling::{
    Committed, Decision, Learned, Offsets, PartitionOffsets, Pods, Policy, Sample, Verdict, Window, decide,
};
use crate::validate::scaling;

pub const PARTITIONS: usize = 12;
pub const POLL: u64 = 5;

/// What a resource without any wishes gets.
pub fn policy() -> Policy {
    scaling(&Autoscaling::default(), PARTITIONS as i32).policy
}

/// Routers with evenly spread messages and no status updates.
pub struct Routers {
    pub window: Window,
    pub policy: Policy,
    pub at: u64,
    pub replicas: u32,
    /// Records a second of one of them.
    pub capacity: i64,
    /// Records a second of what is behind all of them.
    pub downstream: i64,
    /// What the pods say instead of how busy they are.
    pub pods: Option<Pods>,
    pub offsets: Offsets,
    pub readable: bool,
}

impl Routers {
    /// So many, of which it is known what one can do.
    pub fn known(replicas: u32, capacity: i64) -> Self {
        let learned = Learned { capacity: Some(capacity as f64), statuses_per_message: 0.0 };
        Self { window: Window::starting_with(learned), ..Self::unknown(replicas, capacity) }
    }

    /// So many, of which it is not known yet.
    pub fn unknown(replicas: u32, capacity: i64) -> Self {
        let partition = |partition| PartitionOffsets { partition, low: 0, high: 0, committed: Committed::At(0) };
        let topic: Vec<_> = (0..PARTITIONS as i32).map(partition).collect();
        Self {
            window: Window::default(),
            policy: policy(),
            at: 0,
            replicas,
            capacity,
            downstream: i64::MAX,
            pods: None,
            offsets: Offsets { messages: topic.clone(), statuses: topic },
            readable: true,
        }
    }

    pub fn lag(&self) -> f64 {
        self.offsets.messages.iter().map(PartitionOffsets::lag).sum()
    }

    /// Puts records into every partition.
    pub fn backlog(mut self, records: i64) -> Self {
        self.arrive(records);
        self
    }

    fn arrive(&mut self, records: i64) {
        for partition in &mut self.offsets.messages {
            partition.high += records / PARTITIONS as i64;
        }
    }

    /// Lets the time of a poll go by with so many messages a second, and looks.
    pub fn poll(&mut self, arrival: i64) -> Decision {
        self.arrive(arrival * POLL as i64);
        let able = (self.capacity * i64::from(self.replicas)).min(self.downstream) * POLL as i64 / PARTITIONS as i64;
        let mut done = 0;
        for partition in &mut self.offsets.messages {
            let records = able.min(partition.lag() as i64);
            if records > 0 {
                done += records;
                partition.committed = Committed::At(partition.position() + records);
            }
        }
        let busy = done as f64 / (able * PARTITIONS as i64).max(1) as f64;
        self.look(self.pods.unwrap_or(Pods::Stable { busy }))
    }

    /// Looks, and nothing else has happened.
    pub fn look(&mut self, pods: Pods) -> Decision {
        self.at += POLL;
        let offsets = self.readable.then(|| self.offsets.clone());
        self.window.push(Sample { at: Duration::from_secs(self.at), replicas: self.replicas, pods, offsets });
        decide(&self.window, &self.policy)
    }

    /// So many seconds of polls, with every decision done; returns the last.
    pub fn follow(&mut self, seconds: u64, arrival: i64) -> Decision {
        let mut last = self.poll(arrival);
        for _ in 1..seconds / POLL {
            if let Verdict::Scale { to, .. } = last.verdict {
                self.scale(to);
            }
            last = self.poll(arrival);
        }
        last
    }

    /// So many seconds of polls, with nothing done; returns the last decision.
    pub fn watch(&mut self, seconds: u64, arrival: i64) -> Decision {
        (0..seconds / POLL).map(|_| self.poll(arrival)).last().expect("some polls")
    }

    /// Changes the count; the members find each other within the time of one poll.
    pub fn scale(&mut self, to: u32) {
        self.replicas = to;
        self.look(Pods::Rebalancing);
    }
}
