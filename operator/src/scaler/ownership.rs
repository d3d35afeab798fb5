//! Whose the number of routers is. A number that somebody else set is respected for a while, so that
//! whoever must can have their way at once and two autoscalers cannot fight faster than that. Pure.

use std::time::Duration;

/// How long the watch may take to show a number that was just set.
const UNTIL_SEEN: Duration = Duration::from_secs(10);

/// What is known about the present number.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Ownership {
    /// Nothing: it is taken over as it is found.
    #[default]
    Unknown,
    /// It is as we left it.
    Ours { count: u32 },
    /// We have just set it, and the watch need not show it yet.
    Setting { to: u32, until: Duration },
    /// Somebody else set it.
    Elsewhere { count: u32, until: Duration },
    /// Somebody else set it, and it was respected for long enough.
    Respected { count: u32 },
}

/// What follows from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// It may be changed.
    Free,
    /// It may be changed, and that must be forced.
    TakeOver,
    /// A change of ours is under way.
    Busy,
    /// It is respected.
    Respect {
        /// Since this very look.
        news: bool,
    },
}

impl Ownership {
    /// The number was found to be `count` at an instant. `respect` is for how long another's is left.
    pub(super) fn found(&mut self, at: Duration, count: u32, respect: Duration) -> Standing {
        let elsewhere = Self::Elsewhere { count, until: at + respect };
        let next = match *self {
            Self::Unknown => Self::Ours { count },
            Self::Setting { to, .. } if to == count => Self::Ours { count },
            Self::Setting { until, .. } if at < until => *self,
            Self::Elsewhere { count: known, until } if known == count && at >= until => Self::Respected { count },
            Self::Ours { count: known } | Self::Elsewhere { count: known, .. } | Self::Respected { count: known }
                if known == count =>
            {
                *self
            }
            _ => elsewhere,
        };
        let news = next != *self;
        *self = next;
        match next {
            Self::Unknown | Self::Ours { .. } => Standing::Free,
            Self::Setting { .. } => Standing::Busy,
            Self::Elsewhere { .. } => Standing::Respect { news },
            Self::Respected { .. } => Standing::TakeOver,
        }
    }

    /// We set it.
    pub(super) fn set(&mut self, at: Duration, to: u32) {
        *self = Self::Setting { to, until: at + UNTIL_SEEN };
    }

    /// The API server refused our change, because somebody else owns the number.
    pub(super) fn refused(&mut self, at: Duration, count: u32, respect: Duration) {
        *self = Self::Elsewhere { count, until: at + respect };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPECT: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_number_is_taken_over_as_it_is() {
        assert_eq!(Ownership::default().found(at(0), 3, RESPECT), Standing::Free);
    }

    #[test]
    fn a_number_of_ours_that_the_watch_does_not_show_yet_is_nobody_elses() {
        let mut ownership = Ownership::default();
        ownership.found(at(0), 1, RESPECT);
        ownership.set(at(0), 6);
        assert_eq!(ownership.found(at(5), 1, RESPECT), Standing::Busy);
        assert_eq!(ownership.found(at(6), 6, RESPECT), Standing::Free);
    }

    #[test]
    fn a_number_that_somebody_else_set_is_respected_and_then_taken_over() {
        let mut ownership = Ownership::default();
        ownership.found(at(0), 1, RESPECT);
        assert_eq!(ownership.found(at(5), 4, RESPECT), Standing::Respect { news: true });
        assert_eq!(ownership.found(at(64), 4, RESPECT), Standing::Respect { news: false });
        assert_eq!(ownership.found(at(65), 4, RESPECT), Standing::TakeOver);
        assert_eq!(ownership.found(at(70), 4, RESPECT), Standing::TakeOver);
        ownership.set(at(70), 2);
        assert_eq!(ownership.found(at(71), 2, RESPECT), Standing::Free);
    }

    #[test]
    fn two_who_set_it_change_it_once_in_the_time_of_respect() {
        let mut ownership = Ownership::default();
        ownership.found(at(0), 1, RESPECT);
        let mut ours = 0;
        let mut count = 1;
        for second in (5..=600).step_by(5) {
            match ownership.found(at(second), count, RESPECT) {
                Standing::Free | Standing::TakeOver if count != 1 => {
                    ownership.set(at(second), 1);
                    (ours, count) = (ours + 1, 1);
                }
                // The other one is back at once.
                _ => count = 4,
            }
        }
        assert!((8..=10).contains(&ours), "{ours} changes in ten minutes");
    }

    #[test]
    fn a_refused_change_is_somebody_elses_number() {
        let mut ownership = Ownership::default();
        ownership.found(at(0), 4, RESPECT);
        ownership.refused(at(0), 4, RESPECT);
        assert_eq!(ownership.found(at(5), 4, RESPECT), Standing::Respect { news: false });
    }
}
