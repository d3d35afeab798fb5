//! When to try again and when to give up. Pure; numbers come from `spec.connectors[]`.

use std::time::Duration;

use serde::Deserialize;

/// How a delivery is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryPolicy {
    /// Calls in all, the first one included; at least 1.
    pub max_attempts: u32,
    /// The pause after the first failed call, in milliseconds; each next one is twice as long.
    pub initial_backoff_millis: u64,
    /// The longest pause, in milliseconds.
    pub max_backoff_millis: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_attempts: 6, initial_backoff_millis: 1000, max_backoff_millis: 16_000 }
    }
}

impl RetryPolicy {
    /// The pause after the `attempts`th call (from 1). `jitter` in 0..1 stretches it by up to a
    /// quarter, so that recipients that failed together do not come back together.
    pub(crate) fn backoff(&self, attempts: u32, jitter: f64) -> Duration {
        let doubled = self.initial_backoff_millis.saturating_mul(1 << attempts.saturating_sub(1).min(32));
        Duration::from_millis(doubled.min(self.max_backoff_millis)).mul_f64(1.0 + 0.25 * jitter)
    }
}

/// The code of a delivery that failed because nobody knows whether the provider took it.
pub(crate) const UNKNOWN_OUTCOME: &str = "chat4all:unknown-outcome";

/// What to do with a delivery when nobody knows whether the provider took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum OnUnknownOutcome {
    /// Send it again: it arrives at least once, perhaps twice.
    #[default]
    Resend,
    /// Never send it again: it waits for a status of the provider to tell, for a bounded time; then it
    /// goes to the dead-letter queue, and a person decides.
    Hold,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_1_2_4_8_16_seconds_stretched_by_up_to_a_quarter() {
        let policy = RetryPolicy::default();
        let seconds: Vec<u64> = (1..=6).map(|n| policy.backoff(n, 0.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 16]);
        assert_eq!(policy.backoff(1, 1.0), Duration::from_millis(1250));
        assert_eq!(policy.backoff(u32::MAX, 0.0).as_secs(), 16);
    }
}
