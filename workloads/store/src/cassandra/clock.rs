//! The write timestamps of rows that change hands. Of two writes the one with the later timestamp stands,
//! and the clocks of two owners may differ: what is written after something that was read here stands
//! above it, whatever the clock says. The same idea as a hybrid logical clock.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// In microseconds since the Unix epoch, as the store counts.
#[derive(Debug, Default)]
pub(super) struct Clock(AtomicI64);

impl Clock {
    /// A row was read that was written at this instant.
    pub(super) fn saw(&self, written: i64) {
        self.0.fetch_max(written, Ordering::Relaxed);
    }

    /// A timestamp for a write: now, unless that is not after all that was seen or given before.
    pub(super) fn next(&self, now: Timestamp) -> i64 {
        let after = |last: i64| now.as_microsecond().max(last.saturating_add(1));
        let last = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)));
        // Both are the value before; it always changes.
        last.map_or_else(after, after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(microseconds: i64) -> Timestamp {
        Timestamp::from_microsecond(microseconds).unwrap()
    }

    #[test]
    fn the_clock_goes_as_the_machines_does_and_never_gives_an_instant_twice() {
        let clock = Clock::default();
        assert_eq!([clock.next(at(7)), clock.next(at(7)), clock.next(at(5)), clock.next(at(20))], [7, 8, 9, 20]);
    }

    #[test]
    fn what_is_written_after_a_row_was_read_stands_above_it_though_its_writer_was_ahead() {
        let clock = Clock::default();
        clock.saw(1000);
        assert_eq!(clock.next(at(7)), 1001);
        clock.saw(500);
        assert_eq!(clock.next(at(2000)), 2000);
    }
}
