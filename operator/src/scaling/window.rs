//! The last minutes of samples of one cluster, condensed to what a decision asks of them, and what was
//! learned from them. Bounded.

use std::collections::VecDeque;
use std::time::Duration;

use super::advance::Advance;
use super::arrival::{self, Rate, SPAN_SECONDS, Span};
use super::capacity::Capacity;
use super::downstream::{Downstream, Finding};
use super::interval::Interval;
use super::past::Past;
use super::remainder::Remainder;
use super::sample::{Offsets, PartitionOffsets, Pods, Sample};
use super::statuses::{MOST_PER_MESSAGE, StatusesPerMessage};
use super::work::{Load, Work};

/// Intervals are kept this long: what a step up is compared with.
const INTERVALS_KEPT: Duration = Duration::from_secs(60);
/// But never fewer than these, for long polls.
const INTERVALS_LEAST: usize = 4;
/// Pods that are less busy than this would have time for what lies there.
const IDLE: f64 = 0.2;

/// What is worth keeping over a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Learned {
    /// Records of work that one busy replica finishes in a second; above zero.
    pub capacity: Option<f64>,
    /// Status updates that a message brings back, 0 to 10.
    pub statuses_per_message: f64,
}

/// The last minutes of samples.
#[derive(Clone, Debug, Default)]
pub struct Window {
    latest: Option<Latest>,
    offsets: Option<(Duration, Offsets)>,
    intervals: VecDeque<Interval>,
    work: Option<Work>,
    settled: bool,
    messages_seen: f64,
    past: Past,
    changed: Option<Duration>,
    capacity: Capacity,
    statuses_per_message: StatusesPerMessage,
    downstream: Downstream,
    remainders: [Remainder; 2],
    advance: [Advance; 2],
}

/// The newest sample, without the offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latest {
    pub(super) at: Duration,
    pub(super) replicas: u32,
    pub(super) pods: Pods,
    pub(super) readable: bool,
    /// The members were the same all the time since the sample before.
    undisturbed: bool,
}

impl Window {
    /// An empty window that already knows what was learned before.
    pub fn starting_with(learned: Learned) -> Self {
        Self {
            capacity: Capacity::starting_with(learned.capacity),
            statuses_per_message: StatusesPerMessage::starting_with(learned.statuses_per_message),
            ..Self::default()
        }
    }

    /// Takes a sample in and learns from it. One that is not newer than the newest is left out.
    pub fn push(&mut self, sample: Sample) {
        let before = self.latest;
        if before.is_some_and(|before| sample.at <= before.at) {
            return;
        }
        let Sample { at, replicas, pods, offsets } = sample;
        let changed_from = before.map(|before| before.replicas).filter(|count| *count != replicas);
        if let Some(from) = changed_from {
            self.changed = Some(at);
            self.downstream.changed(at, from, replicas, self.intervals.iter());
        }
        let undisturbed = changed_from.is_none() && pods != Pods::Rebalancing;
        self.latest = Some(Latest { at, replicas, pods, readable: offsets.is_some(), undisturbed });
        if !undisturbed {
            self.advance.iter_mut().for_each(Advance::disturbed);
        }
        match offsets {
            Some(offsets) => {
                let calm = undisturbed && before.is_some_and(|before| before.readable && before.undisturbed);
                self.take_in(at, sorted(offsets), calm.then_some((replicas, pods)));
            }
            None => self.downstream.interrupted(),
        }
    }

    /// What was learned so far.
    pub fn learned(&self) -> Learned {
        Learned { capacity: self.capacity.known(), statuses_per_message: self.statuses_per_message.known() }
    }

    fn take_in(&mut self, at: Duration, offsets: Offsets, members: Option<(u32, Pods)>) {
        self.remainders[0].note(at, &offsets.messages);
        self.remainders[1].note(at, &offsets.statuses);
        if let Some((before_at, before)) = &self.offsets {
            let seconds = at.saturating_sub(*before_at).as_secs_f64();
            let mut interval = Interval::between(before, &offsets, at, seconds);
            if let Some((replicas, pods)) = members {
                interval = interval.by(replicas, pods, before, &offsets);
            }
            self.learn(interval, &offsets);
        }
        self.offsets = Some((at, offsets));
        self.work = self.work_now();
        if let Some(work) = &self.work {
            self.past.note(at, work, self.capacity.known());
        }
    }

    fn learn(&mut self, interval: Interval, offsets: &Offsets) {
        let at = interval.ended;
        let waiting = |partitions: &[PartitionOffsets]| partitions.iter().map(PartitionOffsets::lag).sum();
        self.advance[0].note(at, waiting(&offsets.messages), offsets.messages.len(), interval.messages_done);
        self.advance[1].note(at, waiting(&offsets.statuses), offsets.statuses.len(), interval.statuses_done);
        self.statuses_per_message.learn(&interval);
        self.intervals.push_back(interval.clone());
        let oldest = at.saturating_sub(INTERVALS_KEPT);
        while self.intervals.len() > INTERVALS_LEAST && self.intervals[0].ended < oldest {
            self.intervals.pop_front();
        }
        self.downstream.look(at, offsets.messages.len().max(1) as u32, self.intervals.iter());
        if self.downstream.tells_capacity(&interval) {
            self.capacity.learn(&interval);
        } else {
            self.capacity.interrupted();
        }
    }

    /// Arrival and backlog of each partition, once there are two looks.
    fn work_now(&mut self) -> Option<Work> {
        let (at, offsets) = self.offsets.as_ref()?;
        let span = self.span()?;
        let statuses_per_message = self.statuses_per_message.known();
        let chosen = || self.intervals.iter().rev().skip(span.skip).take(span.take);
        let seconds: f64 = chosen().map(|interval| interval.seconds).sum();

        let idle = matches!(self.latest.map(|latest| latest.pods), Some(Pods::Stable { busy }) if busy < IDLE);
        let lag = |topic: usize, partition: &PartitionOffsets| self.remainders[topic].lag(*at, partition, idle);
        let statuses_waiting: f64 = offsets.statuses.iter().map(|partition| lag(1, partition)).sum();
        let messages = offsets.messages.iter().enumerate().map(|(index, partition)| {
            let arrived = |interval: &Interval| f64::from(interval.messages_arrived.get(index).copied().unwrap_or(0.0));
            (partition.partition, chosen().map(arrived).sum::<f64>() / seconds, lag(0, partition))
        });
        let messages: Vec<_> = messages.collect();
        let share = 1.0 / messages.len().max(1) as f64;
        let arriving =
            statuses_per_message * messages.iter().map(|(_, arrival, _)| arrival).sum::<f64>() + self.unexplained();
        let waiting = statuses_per_message * messages.iter().map(|(.., lag)| lag).sum::<f64>() + statuses_waiting;
        let loads = messages.into_iter().map(|(partition, arrival, backlog)| Load {
            partition,
            arrival: (arrival + arriving * share) as f32,
            backlog: (backlog + waiting * share) as f32,
        });
        let work = Work(loads.collect());
        self.settled = span.settled;
        self.messages_seen = work.arrival() * seconds / (1.0 + statuses_per_message);
        Some(work)
    }

    /// Status updates in a second that no finished message accounts for, over all intervals kept. Answers
    /// come some looks after their message, and come while nothing is finished: what could be one is none
    /// of these.
    fn unexplained(&self) -> f64 {
        let sum = |of: fn(&Interval) -> f64| self.intervals.iter().map(of).sum::<f64>();
        let seconds = sum(|interval| interval.seconds);
        if seconds < SPAN_SECONDS {
            return 0.0;
        }
        let most = MOST_PER_MESSAGE * sum(|interval| interval.messages_done);
        ((sum(|interval| interval.statuses_arrived) - most) / seconds).max(0.0)
    }

    /// The intervals that tell the present rate of arrival.
    fn span(&self) -> Option<Span> {
        let unit = 1.0 + self.statuses_per_message.known();
        let mut seconds = 0.0;
        let recent = self.intervals.iter().rev().take_while(|interval| {
            let within = seconds < SPAN_SECONDS;
            seconds += interval.seconds;
            within
        });
        let rates = recent.map(|interval| {
            let records = interval.all_messages_arrived() * unit;
            Rate { per_second: records / interval.seconds, seconds: interval.seconds }
        });
        let rates: Vec<_> = rates.collect();
        (!rates.is_empty()).then(|| arrival::span(&rates, unit))
    }

    pub(super) fn latest(&self) -> Option<Latest> {
        self.latest
    }

    /// The work as of the newest readable sample, once there are two.
    pub(super) fn work(&self) -> Option<&Work> {
        self.work.as_ref()
    }

    /// Neither the rate of arrival nor what a replica can do is just changing.
    pub(super) fn is_settled(&self) -> bool {
        self.settled && self.capacity.is_settled()
    }

    /// About how many messages, with what they bring back, the rate of arrival was taken from.
    pub(super) fn messages_seen(&self) -> f64 {
        self.messages_seen
    }

    pub(super) fn past(&self) -> &Past {
        &self.past
    }

    /// When the count last changed, if that was seen.
    pub(super) fn changed(&self) -> Option<Duration> {
        self.changed
    }

    pub(super) fn capacity(&self) -> &Capacity {
        &self.capacity
    }

    pub(super) fn downstream(&self) -> Option<Finding> {
        self.downstream.finding()
    }

    /// Work waits, and none is finished.
    pub(super) fn stands_still(&self) -> bool {
        self.latest.is_some_and(|latest| self.advance.iter().any(|advance| advance.stands_still(latest.at)))
    }

    /// Records a second that were finished of late.
    pub(super) fn finishing(&self) -> f64 {
        let newest = || self.intervals.iter().rev().take(INTERVALS_LEAST);
        let seconds: f64 = newest().map(|interval| interval.seconds).sum();
        if seconds > 0.0 { newest().map(Interval::done).sum::<f64>() / seconds } else { 0.0 }
    }
}

/// By number, each once.
fn sorted(mut offsets: Offsets) -> Offsets {
    for partitions in [&mut offsets.messages, &mut offsets.statuses] {
        partitions.sort_by_key(|partition| partition.partition);
        partitions.dedup_by_key(|partition| partition.partition);
    }
    offsets
}
