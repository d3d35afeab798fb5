//! How long a resource that failed waits for its next attempt: each for itself, longer each time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Wait after the first failure; doubled after each further one.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait: what was mended is noticed within half a minute.
const LONGEST: Duration = Duration::from_secs(30);

/// Counts failures in a row.
pub struct Backoff<K>(Mutex<HashMap<K, u32>>);

impl<K> Default for Backoff<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Backoff<K> {
    /// Notes a failure and says how long to wait.
    pub fn failed(&self, key: K) -> Duration {
        let mut failures = self.failures();
        let count = failures.entry(key).or_default();
        let wait = FIRST.saturating_mul(1 << (*count).min(16)).min(LONGEST);
        *count = count.saturating_add(1);
        wait
    }

    /// Notes a success, or that there is nothing to attempt any more.
    pub fn reset(&self, key: &K) {
        self.failures().remove(key);
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<K, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_start_again_after_a_success() {
        let backoff = Backoff::default();
        let waits: Vec<_> = (0..7).map(|_| backoff.failed("demo").as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        backoff.reset(&"demo");
        assert_eq!(backoff.failed("demo").as_secs(), 1);
    }

    #[test]
    fn one_resource_does_not_make_another_wait() {
        let backoff = Backoff::default();
        for _ in 0..5 {
            backoff.failed("broken");
        }
        assert_eq!(backoff.failed("fresh").as_secs(), 1);
    }
}
