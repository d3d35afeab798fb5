//! A model of the routers and their consumer group: partitions with ends and committed offsets, pods
//! that take a while to start, pauses when members change, replicas that do so much in a second.

use std::collections::VecDeque;
use std::time::Duration;

use chat4all_operator::scaling::{Committed, Offsets, PartitionOffsets, Pods, Sample};

use crate::noise::Noise;

/// Partitions of each topic: the default of the resource.
pub const PARTITIONS: usize = 12;
/// Length of a tick, seconds.
pub const TICK: f64 = 0.25;
/// From the change of the count until a new pod joins the group: this and up to 2 s more.
const POD_START: f64 = 8.0;
/// Nothing is worked on for this long after members changed. The whole group pauses, as with the eager
/// protocol, which is worse than what the cooperative one does.
const REBALANCE: f64 = 1.5;
/// Offsets are committed this often; so are looks at another moment between two commits each time.
const COMMIT: f64 = 0.55;
/// A status update comes back this long after its message was routed.
const STATUS_DELAY: f64 = 1.0;
/// Pods differ by up to this share in what they can do.
const UNEQUAL: f64 = 0.05;

/// What goes on outside during a tick.
pub struct World {
    /// Messages a second.
    pub messages: f64,
    /// Share of each partition in them.
    pub shares: [f64; PARTITIONS],
    /// Records a second of one replica.
    pub capacity: f64,
    /// Records a second that what is behind the replicas can take.
    pub downstream: f64,
    /// Status updates that come back for each message.
    pub statuses_per_message: f64,
}

/// One partition.
#[derive(Clone, Debug, Default)]
struct Log {
    high: u64,
    position: f64,
    committed: u64,
    /// When the records arrived that wait: time, and the end after it.
    waiting: VecDeque<(f64, u64)>,
}

impl Log {
    fn append(&mut self, now: f64, records: u64) {
        if records > 0 {
            self.high += records;
            self.waiting.push_back((now, self.high));
        }
    }

    /// Works off so many records, or what there is; says how many.
    fn advance(&mut self, most: f64) -> f64 {
        let done = self.left().min(most);
        self.position += done;
        while self.waiting.front().is_some_and(|(_, end)| *end as f64 <= self.position + 1e-6) {
            self.waiting.pop_front();
        }
        done
    }

    fn left(&self) -> f64 {
        self.high as f64 - self.position
    }
}

/// A router pod.
#[derive(Clone, Debug)]
struct Pod {
    joins: f64,
    joined: bool,
    able: f64,
    /// Replica-seconds of work, and how many there could have been, since the last look.
    worked: f64,
    present: f64,
}

/// The routers with their two topics.
pub struct Group {
    now: f64,
    messages: Vec<Log>,
    statuses: Vec<Log>,
    coming_back: VecDeque<(f64, f64)>,
    fraction: f64,
    pods: Vec<Pod>,
    paused_until: f64,
    next_commit: f64,
    disturbed: bool,
    arrivals: Noise,
    cluster: Noise,
}

impl Group {
    /// A group of so many routers without any work.
    pub fn new(replicas: u32, seed: u64) -> Self {
        let mut group = Self {
            now: 0.0,
            messages: vec![Log::default(); PARTITIONS],
            statuses: vec![Log::default(); PARTITIONS],
            coming_back: VecDeque::new(),
            fraction: 0.0,
            pods: Vec::new(),
            paused_until: 0.0,
            next_commit: 0.0,
            disturbed: false,
            // Apart, so that every rule meets the same arrivals.
            arrivals: Noise::seeded(seed),
            cluster: Noise::seeded(seed.wrapping_add(1)),
        };
        group.scale(replicas);
        group.pods.iter_mut().for_each(|pod| pod.joins = 0.0);
        group
    }

    /// Seconds since the beginning.
    pub fn now(&self) -> f64 {
        self.now
    }

    /// Pods that there are to be.
    pub fn replicas(&self) -> u32 {
        self.pods.len() as u32
    }

    /// Changes the count; the youngest pods go first.
    pub fn scale(&mut self, replicas: u32) {
        while self.pods.len() > replicas as usize {
            self.members_changed(self.pods.last().is_some_and(|pod| pod.joined));
            self.pods.pop();
        }
        while self.pods.len() < replicas as usize {
            let joins = self.now + POD_START + 2.0 * self.cluster.share();
            let able = 1.0 + UNEQUAL * (2.0 * self.cluster.share() - 1.0);
            self.pods.push(Pod { joins, joined: false, able, worked: 0.0, present: 0.0 });
        }
    }

    fn members_changed(&mut self, changed: bool) {
        if changed {
            self.paused_until = self.now + REBALANCE;
            self.disturbed = true;
        }
    }

    /// Lets a tick go by.
    pub fn tick(&mut self, world: &World) {
        self.now += TICK;
        for (log, share) in self.messages.iter_mut().zip(world.shares) {
            log.append(self.now, self.arrivals.arrivals(world.messages * share * TICK));
        }
        self.statuses_come_back();
        let now = self.now;
        let mut joined = false;
        for pod in self.pods.iter_mut().filter(|pod| !pod.joined && pod.joins <= now) {
            pod.joined = true;
            joined = true;
        }
        self.members_changed(joined);
        // What is finished in this tick waits for the next commit.
        if self.now >= self.next_commit {
            self.next_commit += COMMIT;
            for log in self.messages.iter_mut().chain(&mut self.statuses) {
                log.committed = log.position as u64;
            }
        }
        self.work(world);
    }

    fn statuses_come_back(&mut self) {
        while self.coming_back.front().is_some_and(|(due, _)| *due <= self.now) {
            self.fraction += self.coming_back.pop_front().map_or(0.0, |(_, records)| records);
        }
        let mut arrived = [0; PARTITIONS];
        while self.fraction >= 1.0 {
            self.fraction -= 1.0;
            arrived[self.cluster.pick(PARTITIONS)] += 1;
        }
        for (log, records) in self.statuses.iter_mut().zip(arrived) {
            log.append(self.now, records);
        }
    }

    fn work(&mut self, world: &World) {
        let members = self.pods.iter().filter(|pod| pod.joined).count();
        let paused = self.now < self.paused_until;
        let mut routed = 0.0;
        for (place, pod) in self.pods.iter_mut().filter(|pod| pod.joined).enumerate() {
            pod.present += TICK;
            if paused {
                continue;
            }
            let most = (world.capacity * pod.able).min(world.downstream / members as f64) * TICK;
            let mut worked = 0.0;
            let own = || (place..PARTITIONS).step_by(members);
            let share = fair_share(own().flat_map(|own| [self.messages[own].left(), self.statuses[own].left()]), most);
            for own in own() {
                let message = self.messages[own].advance(share);
                routed += message;
                worked += message + self.statuses[own].advance(share);
            }
            pod.worked += TICK * worked / most;
        }
        if world.statuses_per_message > 0.0 && routed > 0.0 {
            self.coming_back.push_back((self.now + STATUS_DELAY, routed * world.statuses_per_message));
        }
    }

    /// Seconds that the oldest record has waited.
    pub fn oldest(&self) -> f64 {
        let logs = self.messages.iter().chain(&self.statuses);
        logs.filter_map(|log| log.waiting.front()).map(|(arrived, _)| self.now - arrived).fold(0.0, f64::max)
    }

    /// Records that are not committed.
    pub fn lag(&self) -> u64 {
        self.messages.iter().chain(&self.statuses).map(|log| log.high - log.committed).sum()
    }

    /// What the operator would find.
    pub fn look(&mut self) -> Sample {
        let offsets = |logs: &[Log]| {
            let offsets = logs.iter().enumerate().map(|(number, log)| PartitionOffsets {
                partition: number as i32,
                low: 0,
                high: log.high as i64,
                committed: Committed::At(log.committed as i64),
            });
            offsets.collect()
        };
        let all_there = self.pods.iter().all(|pod| pod.joined) && self.now >= self.paused_until;
        let busy = self.pods.iter().map(|pod| pod.worked / pod.present.max(TICK)).sum::<f64>() / self.pods.len() as f64;
        let pods = if self.disturbed || !all_there { Pods::Rebalancing } else { Pods::Stable { busy } };
        self.disturbed = false;
        for pod in &mut self.pods {
            (pod.worked, pod.present) = (0.0, 0.0);
        }
        Sample {
            at: Duration::from_secs_f64(self.now),
            replicas: self.replicas(),
            pods,
            offsets: Some(Offsets { messages: offsets(&self.messages), statuses: offsets(&self.statuses) }),
        }
    }
}

/// What each partition may take at most so that all together take `most`: those that hold little leave
/// the rest to the others.
fn fair_share(waiting: impl Iterator<Item = f64> + Clone, most: f64) -> f64 {
    let mut share = 0.0;
    loop {
        let taken: f64 = waiting.clone().filter(|left| *left <= share).sum();
        let more = waiting.clone().filter(|left| *left > share).count();
        if more == 0 {
            return most;
        }
        let larger = (most - taken) / more as f64;
        if larger <= share {
            return share;
        }
        share = larger;
    }
}
