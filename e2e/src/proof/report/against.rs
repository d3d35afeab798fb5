//! What speaks against the proof: by the counts as well as by the violations that the run wrote down, so
//! that neither can hide the other.

use super::figures::Figures;
use super::number::{count, counted};
use crate::proof::record::{Fault, Proof};

/// What speaks against it under one fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Against<'a> {
    /// The number of the fault, from 1.
    pub number: usize,
    /// Its name.
    pub fault: &'a str,
    /// What it comes to, in words.
    pub what: String,
    /// The violations, a line each.
    pub violations: &'a [String],
}

/// Of each fault that something speaks against.
pub fn against(proof: &Proof) -> Vec<Against<'_>> {
    let numbered = proof.faults.iter().zip(1..);
    numbered.filter_map(|(fault, number)| of(fault, number)).collect()
}

fn of(fault: &Fault, number: usize) -> Option<Against<'_>> {
    let figures = Figures::of(fault);
    let unnamed = figures.unnamed();
    let wrong = [
        (figures.messages.lost, counted(figures.messages.lost, "message") + " lost"),
        (figures.messages.stored_twice, count(figures.messages.stored_twice) + " stored twice"),
        (unnamed, count(unnamed) + " received again by the provider without having been named"),
        (figures.messages.out_of_order, count(figures.messages.out_of_order) + " out of order"),
        (figures.unaccounted, count(figures.unaccounted) + " unaccounted for in the ledger"),
    ];
    let mut what: Vec<String> = wrong.into_iter().filter(|(n, _)| *n > 0).map(|(_, words)| words).collect();
    if what.is_empty() {
        if fault.violations.is_empty() {
            return None;
        }
        what.push(counted(fault.violations.len() as u64, "violation"));
    }
    Some(Against { number, fault: &fault.name, what: what.join(", "), violations: &fault.violations })
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn nothing_speaks_against_a_clean_run() {
        assert!(against(&example::proof()).is_empty());
    }

    #[test]
    fn a_count_speaks_against_it_without_a_violation_and_a_violation_without_a_count() {
        let mut proof = example::proof();
        proof.faults[1].messages.lost = 1;
        proof.faults[2].violations = vec!["the operator did not come back".to_owned()];
        let found = against(&proof);
        assert_eq!(
            found.iter().map(|a| (a.number, &*a.what)).collect::<Vec<_>>(),
            [(2, "1 message lost"), (3, "1 violation")]
        );
    }

    #[test]
    fn a_duplicate_speaks_against_it_only_when_it_was_not_named() {
        let mut proof = example::proof();
        let messages = &mut proof.faults[0].messages;
        (messages.duplicated, messages.of_them_named) = (5, 5);
        assert!(against(&proof).is_empty());
        proof.faults[0].messages.of_them_named = 3;
        assert_eq!(against(&proof)[0].what, "2 received again by the provider without having been named");
    }
}
