//! How many status updates a message brings back, so that a message that waits counts as all the work
//! that it will make.

use super::interval::Interval;

/// What is older than this counts little. Providers tell of a delivery within seconds mostly.
const MEMORY_SECONDS: f64 = 120.0;
/// Fewer messages say nothing.
const ENOUGH: f64 = 20.0;
/// What was learned before counts like this many messages.
const KNOWN: f64 = 100.0;
/// More than this is no answer to a message.
const MOST: f64 = 10.0;

/// Learns the number from what is finished and what arrives.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StatusesPerMessage {
    statuses: f64,
    messages: f64,
    known: f64,
}

impl StatusesPerMessage {
    /// Begins with what was learned before.
    pub(super) fn starting_with(known: f64) -> Self {
        let known = if known.is_finite() { known.clamp(0.0, MOST) } else { 0.0 };
        let messages = if known > 0.0 { KNOWN } else { 0.0 };
        Self { statuses: known * messages, messages, known }
    }

    /// Learns from an interval.
    pub(super) fn learn(&mut self, interval: &Interval) {
        let kept = (-interval.seconds / MEMORY_SECONDS).exp();
        self.statuses = self.statuses * kept + interval.statuses_arrived;
        self.messages = self.messages * kept + interval.messages_done;
        if self.messages >= ENOUGH {
            self.known = (self.statuses / self.messages).clamp(0.0, MOST);
        }
    }

    /// The number, 0 to 10.
    pub(super) fn known(&self) -> f64 {
        self.known
    }
}
