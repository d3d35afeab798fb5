//! How long to stay away after a refusal. Plain numbers; who waits adds jitter.

use std::time::Duration;

/// A pause that may grow with each refusal in a row: `first * factor^n`, at most `longest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    first: Duration,
    factor: u32,
    longest: Duration,
}

impl Wait {
    /// The same pause every time.
    pub const fn of(pause: Duration) -> Self {
        Self { first: pause, factor: 1, longest: pause }
    }

    /// A pause that is multiplied by `factor` with each refusal in a row, up to `longest`.
    pub const fn growing(first: Duration, factor: u32, longest: Duration) -> Self {
        Self { first, factor, longest }
    }

    /// The pause after a refusal that came after `before` refusals of the same kind in a row
    /// (0 for the first).
    pub fn after(&self, before: u32) -> Duration {
        self.first.saturating_mul(self.factor.saturating_pow(before)).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growing_pause_ends_at_its_longest() {
        let wait = Wait::growing(Duration::from_secs(1), 4, Duration::from_secs(60));
        let pauses: Vec<u64> = [0, 1, 2, 3, u32::MAX].map(|before| wait.after(before).as_secs()).to_vec();
        assert_eq!(pauses, [1, 4, 16, 60, 60]);
    }

    #[test]
    fn a_fixed_pause_stays() {
        let wait = Wait::of(Duration::from_secs(7));
        assert_eq!(wait.after(0), wait.after(u32::MAX));
    }
}
