//! Notices that more replicas did not finish more: then what they write to or call is the limit, and
//! still more of them would only hurt it.

use std::time::Duration;

use super::interval::{Effort, Interval};
use super::replicas::{fit, level_from};

/// A smaller step up cannot be told from noise.
const STEP: f64 = 1.3;
/// The gain must be at least this share of what the step promised.
const GAIN: f64 = 0.5;
/// What a judgement needs before the step.
const BEFORE: Enough = Enough { intervals: 2, seconds: 8.0 };
/// What it needs after it.
const AFTER: Enough = Enough { intervals: 3, seconds: 12.0 };
/// The newest of so many times as long are taken where there are as many. Replicas with little CPU commit in
/// lumps some seconds apart, and what is finished between two of them says little.
const LONGER: f64 = 2.5;
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

/// Saturated intervals that make a judgement.
#[derive(Clone, Copy)]
struct Enough {
    /// At least so many,
    intervals: usize,
    /// which are at least so long together.
    seconds: f64,
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
    enough: Enough,
) -> Option<f64> {
    let of_these = |interval: &&Interval| {
        matches!(interval.effort, Effort::Usable { replicas: count, .. } if count == replicas) && is_saturated(interval)
    };
    let (mut count, mut seconds, mut done) = (0, 0.0, 0.0);
    for interval in intervals.rev().filter(of_these) {
        if count >= enough.intervals && seconds >= LONGER * enough.seconds {
            break;
        }
        count += 1;
        seconds += interval.seconds;
        done += interval.done();
    }
    (count >= enough.intervals && seconds >= enough.seconds).then(|| done / seconds)
}

/// Only the pods themselves can say that all of them were there.
fn is_saturated(interval: &Interval) -> bool {
    match interval.effort {
        Effort::Usable { saturated, busy: Some(busy), .. } => saturated || busy >= SATURATED,
        Effort::Usable { busy: None, .. } | Effort::Unusable => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: u64 = 2;

    fn interval(number: u64, done: f64) -> Interval {
        Interval {
            ended: Duration::from_secs(POLL * number),
            seconds: POLL as f64,
            messages_arrived: Box::default(),
            statuses_arrived: 0.0,
            messages_done: done,
            statuses_done: 0.0,
            effort: Effort::Usable { replicas: 3, busy: Some(1.0), saturated: true },
        }
    }

    /// They finish 100 a second, and commit after 6 s and after 10 s by turns.
    fn lumps() -> impl Iterator<Item = Interval> {
        (1..).map(|number| interval(number, if matches!(number % 8, 0 | 3) { 800.0 } else { 0.0 }))
    }

    #[test]
    fn replicas_that_commit_in_lumps_are_not_taken_for_much_faster_or_slower_than_they_are() {
        for polls in 10..50 {
            let seen: Vec<_> = lumps().take(polls).collect();
            for enough in [BEFORE, AFTER] {
                if let Some(throughput) = throughput(seen.iter(), 3, enough) {
                    assert!((75.0..=125.0).contains(&throughput), "{throughput} after {polls} polls");
                }
            }
        }
    }

    #[test]
    fn a_judgement_needs_both_intervals_and_time() {
        let of = |count, seconds| {
            let intervals: Vec<_> = (1..=count).map(|n| Interval { seconds, ..interval(n, 10.0) }).collect();
            throughput(intervals.iter(), 3, BEFORE)
        };
        assert_eq!(of(1, 30.0), None);
        assert_eq!(of(2, 30.0), Some(10.0 / 30.0));
        assert_eq!(of(3, 2.0), None);
        assert_eq!(of(4, 2.0), Some(5.0));
    }
}
