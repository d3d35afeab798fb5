//! The figures of a fault, and of all of them together.

use crate::proof::record::{Fault, Messages, Proof, Round};

/// What a row of the table is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// How often a fault was made.
    pub rounds: u64,
    /// What became of the messages.
    pub messages: Messages,
    /// Of the pauses of the rounds, in seconds.
    pub pause: Option<Spread>,
    /// Of the times until everything was normal again, in seconds.
    pub normal_after: Option<Spread>,
    /// Requests that were repeated.
    pub repeated: u64,
    /// Of half of the messages, in milliseconds; absent without messages, and for several faults together.
    pub p50_ms: Option<f64>,
    /// Of 99 of 100, likewise.
    pub p99_ms: Option<f64>,
    /// Messages that the ledger finds nowhere.
    pub unaccounted: u64,
}

impl Figures {
    /// Of one fault.
    pub fn of(fault: &Fault) -> Self {
        let latency = |ms| (fault.messages.accepted > 0).then_some(ms);
        Self {
            p50_ms: latency(fault.api.p50_ms),
            p99_ms: latency(fault.api.p99_ms),
            ..Self::together(std::slice::from_ref(fault))
        }
    }

    /// Of all faults.
    pub fn of_all(proof: &Proof) -> Self {
        Self::together(&proof.faults)
    }

    fn together(faults: &[Fault]) -> Self {
        let sum = |of: fn(&Messages) -> u64| faults.iter().map(|fault| of(&fault.messages)).sum();
        let spread = |of: fn(&Round) -> f64| Spread::of(faults.iter().flat_map(|fault| &fault.rounds).map(of));
        Self {
            rounds: faults.iter().map(|fault| fault.rounds.len() as u64).sum(),
            messages: Messages {
                accepted: sum(|m| m.accepted),
                lost: sum(|m| m.lost),
                stored_twice: sum(|m| m.stored_twice),
                duplicated: sum(|m| m.duplicated),
                of_them_named: sum(|m| m.of_them_named),
                out_of_order: sum(|m| m.out_of_order),
            },
            pause: spread(|round| round.longest_pause_s),
            normal_after: spread(|round| round.normal_after_s),
            repeated: faults.iter().map(|fault| fault.api.repeated).sum(),
            p50_ms: None,
            p99_ms: None,
            unaccounted: faults.iter().map(|fault| fault.ledger.unaccounted).sum(),
        }
    }

    /// Messages that the provider received again without the ledger having said that this might be.
    pub fn unnamed(&self) -> u64 {
        self.messages.duplicated.saturating_sub(self.messages.of_them_named)
    }
}

/// How far values lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The value in the middle, or between the two in the middle.
    pub median: f64,
    /// The largest.
    pub worst: f64,
}

impl Spread {
    /// Of these values, leaving out what is no number; none for none.
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let worst = *values.last()?;
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { median, worst })
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn the_median_is_the_value_in_the_middle() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied()).map(|s| (s.median, s.worst));
        assert_eq!(spread(&[9.0, 1.0, 2.0]), Some((2.0, 9.0)));
        assert_eq!(spread(&[4.0, 1.0, f64::NAN, 2.0, 9.0]), Some((3.0, 9.0)));
        assert_eq!(spread(&[f64::INFINITY]), None);
    }

    #[test]
    fn all_together_is_the_sum_and_has_no_percentiles() {
        let proof = example::proof();
        let all = Figures::of_all(&proof);
        let each: Vec<Figures> = proof.faults.iter().map(Figures::of).collect();
        assert_eq!(all.messages.accepted, each.iter().map(|f| f.messages.accepted).sum::<u64>());
        assert_eq!(all.rounds, each.iter().map(|f| f.rounds).sum::<u64>());
        assert_eq!((all.p50_ms, all.p99_ms), (None, None));
    }

    #[test]
    fn a_fault_without_messages_has_no_percentiles() {
        let mut fault = example::proof().faults.remove(0);
        fault.messages = Messages::default();
        assert_eq!(Figures::of(&fault).p50_ms, None);
    }
}
