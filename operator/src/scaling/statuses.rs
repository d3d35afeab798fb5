//! How many status updates a message brings back, so that a message that waits counts as all the work
//! that it will make.

use super::interval::Interval;

/// What is older than this counts little. How providers and people answer changes slowly.
const MEMORY_SECONDS: f64 = 300.0;
/// Fewer messages say nothing.
const ENOUGH: f64 = 20.0;
/// What was learned before counts like what is seen in so many seconds. The first answers that are seen
/// are to messages that were not, and would alone say far too much.
const KNOWN_SECONDS: f64 = 120.0;
/// More than this is no answer to a message.
pub(super) const MOST_PER_MESSAGE: f64 = 10.0;

/// Learns the number from what is finished and what arrives.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StatusesPerMessage {
    statuses: f64,
    messages: f64,
    seconds: f64,
    before: Before,
    known: f64,
}

/// What was learned before, and the seconds that it still counts.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    known: f64,
    seconds: f64,
}

impl StatusesPerMessage {
    /// Begins with what was learned before; 0 is nothing.
    pub(super) fn starting_with(known: f64) -> Self {
        let known = if known.is_finite() { known.clamp(0.0, MOST_PER_MESSAGE) } else { 0.0 };
        let seconds = if known > 0.0 { KNOWN_SECONDS } else { 0.0 };
        Self { before: Before { known, seconds }, known, ..Self::default() }
    }

    /// Learns from an interval.
    pub(super) fn learn(&mut self, interval: &Interval) {
        let kept = (-interval.seconds / MEMORY_SECONDS).exp();
        self.statuses = self.statuses * kept + interval.statuses_arrived;
        self.messages = self.messages * kept + interval.messages_done;
        self.seconds = self.seconds * kept + interval.seconds;
        self.before.seconds *= kept;
        if self.messages >= ENOUGH {
            let Before { known, seconds } = self.before;
            let seen = (self.statuses / self.messages).min(MOST_PER_MESSAGE);
            self.known = ((known * seconds + seen * self.seconds) / (seconds + self.seconds)).min(MOST_PER_MESSAGE);
        }
    }

    /// The number, 0 to 10.
    pub(super) fn known(&self) -> f64 {
        self.known
    }
}
