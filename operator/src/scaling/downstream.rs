//! Notices that more replicas did not finish more: then what they write to or call is the limit, and
//! still more of them would only hurt it.

use std::time::Duration;

use super::interval::{Effort, Interval};
use super::replicas::{fit, level_from};

/// A smaller step up cannot be told from noise.
const STEP: f64 = 1.3;
/// The gain must be at least this share of what the step promised.
const GAIN: f64 = 0.5;
/// Saturated intervals before the step that a judgement needs.
const BEFORE: usize = 2;
/// Saturated intervals after it.
const AFTER: usize = 3;
/// Busy replicas are saturated from here on.
const SATURATED: f64 = 0.9;
/// Throughputs that differ by less are the same.
const SAME: f64 = 1.1;
/// What was found is believed this long after it was last seen; then one small step up may try.
const BELIEVED: Duration = Duration::from_secs(600);
/// And then it is forgotten, tried or not.
const REMEMBERED: Duration = Duration::from_secs(1800);

/// Compares throughput before and after steps up.
#[derive(Clone, Debug, Default)]
pub(super) struct Downstream {
    /// The last step up, while there is something to compare with.
    step: Option<Step>,
    finding: Option<Finding>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    at: Duration,
    from: u32,
    to: u32,
    /// Records a second before it.
    throughput: f64,
}

/// More replicas did not finish more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Finding {
    /// The count that finishes as much.
    pub(super) enough: u32,
    /// The largest count to go to while this is believed: more than enough when it is to be tried again.
    pub(super) most: u32,
    /// When more than enough were tried.
    pub(super) since: Duration,
    /// When it was last seen.
    seen: Duration,
}

impl Downstream {
    /// The count went from `from` to `to`; `intervals` are those before, the newest last.
    pub(super) fn changed<'a>(
        &mut self,
        at: Duration,
        from: u32,
        to: u32,
        intervals: impl DoubleEndedIterator<Item = &'a Interval>,
    ) {
        self.step = None;
        if f64::from(to) >= STEP * f64::from(from) {
            self.step = throughput(intervals, from, BEFORE).map(|throughput| Step { at, from, to, throughput });
        }
    }

    /// Kafka was away. What is finished before routers have found it again says nothing about a step up.
    pub(super) fn interrupted(&mut self) {
        self.step = None;
    }

    /// Looks at the newest intervals, the newest last, of a topic with so many partitions.
    pub(super) fn look<'a>(
        &mut self,
        now: Duration,
        partitions: u32,
        intervals: impl DoubleEndedIterator<Item = &'a Interval>,
    ) {
        self.doubt(now, partitions);
        let Some(step) = self.step else { return };
        let since = intervals.filter(|interval| interval.ended > step.at);
        let Some(throughput) = throughput(since, step.to, AFTER) else { return };
        let (before, after) = (f64::from(step.from), f64::from(step.to));
        if throughput >= step.throughput * (1.0 + GAIN * (after / before - 1.0)) {
            *self = Self::default();
            return;
        }
        let share = throughput / f64::from(partitions);
        let enough = fit(&vec![share; partitions as usize], SAME * step.throughput / before).replicas;
        let enough = enough.clamp(step.from, step.to);
        self.finding = Some(Finding { enough, most: enough, since: step.at, seen: now });
    }

    /// What was found long ago may be over.
    fn doubt(&mut self, now: Duration, partitions: u32) {
        let Some(finding) = &mut self.finding else { return };
        let age = now.saturating_sub(finding.seen);
        if age > REMEMBERED {
            self.finding = None;
        } else if age > BELIEVED {
            let larger = (f64::from(finding.enough) * STEP).ceil() as u32;
            finding.most = level_from(larger, partitions);
        }
    }

    /// What was found.
    pub(super) fn finding(&self) -> Option<Finding> {
        self.finding
    }

    /// What the replicas finish says what they can do. Not so while a step up was not judged yet, or was
    /// judged to have brought nothing.
    pub(super) fn tells_capacity(&self, interval: &Interval) -> bool {
        let Effort::Usable { replicas, .. } = interval.effort else { return false };
        match self.finding {
            Some(finding) if replicas > finding.enough => false,
            _ => self.step.is_none() || !is_saturated(interval),
        }
    }
}

/// Records a second that `replicas` finished in the newest saturated intervals, when there are `enough`.
fn throughput<'a>(
    intervals: impl DoubleEndedIterator<Item = &'a Interval>,
    replicas: u32,
    enough: usize,
) -> Option<f64> {
    let of_these = |interval: &&Interval| {
        matches!(interval.effort, Effort::Usable { replicas: count, .. } if count == replicas) && is_saturated(interval)
    };
    let newest: Vec<_> = intervals.rev().filter(of_these).take(2 * enough).collect();
    let seconds: f64 = newest.iter().map(|interval| interval.seconds).sum();
    (newest.len() >= enough).then(|| newest.iter().map(|interval| interval.done()).sum::<f64>() / seconds)
}

/// Only the pods themselves can say that all of them were there.
fn is_saturated(interval: &Interval) -> bool {
    match interval.effort {
        Effort::Usable { saturated, busy: Some(busy), .. } => saturated || busy >= SATURATED,
        Effort::Usable { busy: None, .. } | Effort::Unusable => false,
    }
}
