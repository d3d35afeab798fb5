//! What one busy replica can do, learned from what the replicas finish.

use super::interval::{Effort, Interval};

/// Nothing below this, records a second, is a figure for a router.
const LEAST: f64 = 0.01;
/// Nor is anything above this.
const MOST: f64 = 1e9;
/// Less busy than this, the work at hand is lost in what a process does anyway.
const BUSY_ENOUGH: f64 = 0.2;
/// What is older than this counts little, for replicas that are busy all the time.
const MEMORY_SECONDS: f64 = 30.0;
/// Shorter than this, a sample tells when commits came rather than what was finished.
const SAMPLE_SECONDS: f64 = 4.0;
/// Replicas with little CPU commit this seldom. Longer without a finished record is a standstill, which
/// tells nothing about what they can do.
const COMMITS_APART_SECONDS: f64 = 8.0;
/// Seconds of busy samples that make the first figure.
const FIRST_SECONDS: f64 = 10.0;
/// Busier than this, one sample is good for comparing.
const BUSY_TO_COMPARE: f64 = 0.5;
/// A sample this far from the figure may be the first of a new one.
const OTHER: f64 = 0.15;
/// Two samples no further apart than this agree.
const SAME: f64 = 0.1;
/// So many samples in a row that are off without agreeing are noise.
const OFF_AT_MOST: u32 = 3;

/// Learns records a second of one busy replica.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Capacity {
    known: Option<f64>,
    guessed: Option<f64>,
    first: Gathered,
    /// Intervals towards the next sample. What an interval without a commit did comes with the commit
    /// after it: left out, it would make the replicas look faster than they are.
    sample: Option<Gathered>,
    /// The last sample, while it is far from the figure, and how many were before it.
    off: Option<(f64, u32)>,
}

/// What was done over some intervals or samples, one after the other.
#[derive(Clone, Copy, Debug, Default)]
struct Gathered {
    seconds: f64,
    done: f64,
    /// Seconds that the replicas had together.
    together: f64,
    /// Those in which they were busy; none when nobody says so.
    busy: Option<f64>,
}

impl Gathered {
    /// Both together, when the busy seconds of both or of none are known.
    fn and(self, other: Self) -> Option<Self> {
        let busy = match (self.busy, other.busy) {
            (Some(one), Some(other)) => Some(one + other),
            (None, None) => None,
            _ => return None,
        };
        let (seconds, done) = (self.seconds + other.seconds, self.done + other.done);
        Some(Self { seconds, done, together: self.together + other.together, busy })
    }

    /// Records a second of one busy replica; one whose busy seconds are not known counts as busy.
    fn rate(&self) -> f64 {
        self.done / self.busy.unwrap_or(self.together)
    }
}

impl Capacity {
    /// Begins with what was learned before.
    pub(super) fn starting_with(known: Option<f64>) -> Self {
        Self { known: known.filter(|known| (LEAST..=MOST).contains(known)), ..Self::default() }
    }

    /// The figure, above zero.
    pub(super) fn known(&self) -> Option<f64> {
        self.known
    }

    /// The figure, or else one from samples that were hardly busy. It is too low rather than too high,
    /// since what a process does anyway counts as work: good enough to give replicas back.
    pub(super) fn at_least(&self) -> Option<f64> {
        self.known.or(self.guessed)
    }

    /// The figure is known and not just changing.
    pub(super) fn is_settled(&self) -> bool {
        self.known.is_some() && self.off.is_none_or(|(_, samples)| samples > OFF_AT_MOST)
    }

    /// Learns from an interval.
    pub(super) fn learn(&mut self, interval: &Interval) {
        self.learn_from(interval);
        for figure in [&mut self.known, &mut self.guessed] {
            *figure = figure.map(|figure| figure.clamp(LEAST, MOST));
        }
    }

    /// An interval tells nothing, and what came before it is no part of what comes after.
    pub(super) fn interrupted(&mut self) {
        self.sample = None;
    }

    fn learn_from(&mut self, interval: &Interval) {
        let before = self.sample.take();
        let Some(now) = self.usable(interval) else { return };
        let stood_still = |before: &Gathered| before.done <= 0.0 && before.seconds >= COMMITS_APART_SECONDS;
        if now.done > 0.0 && before.as_ref().is_some_and(stood_still) {
            return;
        }
        let sample = before.and_then(|before| before.and(now)).unwrap_or(now);
        match sample {
            Gathered { done, seconds, .. } if done <= 0.0 || seconds < SAMPLE_SECONDS => self.sample = Some(sample),
            // Nobody says that all of them were there: what was finished is the least that they can do.
            Gathered { busy: None, .. } if self.known.is_some() => {
                self.known = self.known.map(|known| known.max(sample.rate()));
            }
            _ => self.average(sample),
        }
    }

    /// What the interval tells about busy replicas.
    fn usable(&mut self, interval: &Interval) -> Option<Gathered> {
        let (done, seconds) = (interval.done(), interval.seconds);
        let Effort::Usable { replicas, busy, saturated } = interval.effort else { return None };
        let together = seconds * f64::from(replicas);
        let busy = match busy {
            // Work lay there for each of them all the time: they did what they can, whatever they say.
            Some(_) if saturated => Some(together),
            Some(busy) if busy >= BUSY_ENOUGH => Some(together * busy),
            Some(busy) => {
                if busy > 0.0 && done > 0.0 {
                    self.guessed = Some(done / (together * busy));
                }
                return None;
            }
            None if saturated => None,
            None => return None,
        };
        Some(Gathered { seconds, done, together, busy })
    }

    fn average(&mut self, sample: Gathered) {
        let Some(known) = self.known else {
            self.first = self.first.and(sample).unwrap_or(sample);
            if self.first.seconds >= FIRST_SECONDS {
                self.known = Some(self.first.rate());
            }
            return;
        };
        let share_busy = sample.busy.map_or(1.0, |busy| busy / sample.together);
        let rate = sample.rate();
        let before = self.off.take();
        if share_busy >= BUSY_TO_COMPARE && apart(rate, known) > OTHER {
            match before {
                // Two agree that it is another one now: a mean would take its time to find that.
                Some((before, _)) if apart(rate, before) <= SAME => {
                    self.known = Some((rate + before) / 2.0);
                    return;
                }
                before => self.off = Some((rate, before.map_or(1, |(_, samples)| samples + 1))),
            }
        }
        let share = 1.0 - (-sample.seconds * share_busy / MEMORY_SECONDS).exp();
        self.known = Some(known + share * (rate - known));
    }
}

/// By which share of the larger one they differ.
fn apart(one: f64, other: f64) -> f64 {
    (one - other).abs() / one.max(other)
}
