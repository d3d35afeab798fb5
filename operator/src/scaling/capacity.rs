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
    /// The last sample, while it is far from the figure, and how many were before it.
    off: Option<(f64, u32)>,
}

/// Samples towards the first figure.
#[derive(Clone, Copy, Debug, Default)]
struct Gathered {
    seconds: f64,
    done: f64,
    busy: f64,
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

    fn learn_from(&mut self, interval: &Interval) {
        let (done, seconds) = (interval.done(), interval.seconds);
        let Effort::Usable { replicas, busy, saturated } = interval.effort else { return };
        if done <= 0.0 {
            return;
        }
        let together = seconds * f64::from(replicas);
        match busy {
            // Work lay there for each of them all the time: they did what they can, whatever they say.
            Some(_) if saturated => self.average(done, seconds, together, 1.0),
            Some(busy) if busy >= BUSY_ENOUGH => self.average(done, seconds, together, busy),
            Some(busy) if busy > 0.0 => self.guessed = Some(done / (together * busy)),
            Some(_) => {}
            // Nobody says that all of them were there: what was finished is the least that they can do.
            None if saturated => match self.known {
                Some(known) => self.known = Some(known.max(done / together)),
                None => self.average(done, seconds, together, 1.0),
            },
            None => {}
        }
    }

    fn average(&mut self, done: f64, seconds: f64, together: f64, busy: f64) {
        let Some(known) = self.known else {
            let first = &mut self.first;
            first.seconds += seconds;
            first.done += done;
            first.busy += together * busy;
            if first.seconds >= FIRST_SECONDS {
                self.known = Some(first.done / first.busy);
            }
            return;
        };
        let sample = done / (together * busy);
        let before = self.off.take();
        if busy >= BUSY_TO_COMPARE && apart(sample, known) > OTHER {
            match before {
                // Two agree that it is another one now: a mean would take its time to find that.
                Some((before, _)) if apart(sample, before) <= SAME => {
                    self.known = Some((sample + before) / 2.0);
                    return;
                }
                before => self.off = Some((sample, before.map_or(1, |(_, samples)| samples + 1))),
            }
        }
        let share = 1.0 - (-seconds * busy / MEMORY_SECONDS).exp();
        self.known = Some(known + share * (sample - known));
    }
}

/// By which share of the larger one they differ.
fn apart(one: f64, other: f64) -> f64 {
    (one - other).abs() / one.max(other)
}
