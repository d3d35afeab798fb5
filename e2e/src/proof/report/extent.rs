//! How much of the whole proof a run is: every fault that there is, as often as a whole proof makes it.

use super::number::{count, counted};
use crate::proof::ROUNDS;
use crate::proof::record::Proof;

/// How much was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    faults_made: u64,
    faults: u64,
    rounds_made: u64,
    /// How often each fault was to be made.
    rounds_of_each: u32,
}

impl Extent {
    /// Of a run.
    pub fn of(proof: &Proof) -> Self {
        let rounds = proof.faults.iter().map(|fault| fault.rounds.len() as u64);
        Self {
            faults_made: proof.faults.len() as u64,
            faults: proof.wanted.faults.into(),
            rounds_made: rounds.sum(),
            rounds_of_each: proof.wanted.rounds,
        }
    }

    /// Whether it is the whole, or more.
    pub fn is_whole(&self) -> bool {
        self.rounds_made >= self.rounds()
    }

    /// The rounds that were made, of those of a whole proof: `87 of 290 rounds`.
    pub fn of_rounds(&self) -> String {
        format!("{} of {}", count(self.rounds_made), counted(self.rounds(), "round"))
    }

    /// All of it in words.
    pub fn told(&self) -> String {
        let Self { faults_made, faults, rounds_of_each, .. } = *self;
        if self.is_whole() {
            return format!(
                "the whole proof: {}, {} of each",
                counted(faults, "fault"),
                counted(rounds_of_each.into(), "round")
            );
        }
        let instead = if rounds_of_each < ROUNDS {
            format!(", since {rounds_of_each} instead of {ROUNDS} of each were wanted")
        } else {
            String::new()
        };
        format!("a part of the proof: {faults_made} of {}, {}{instead}", counted(faults, "fault"), self.of_rounds())
    }

    fn rounds(&self) -> u64 {
        self.faults * u64::from(self.rounds_of_each.max(ROUNDS))
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    fn told(proof: &Proof) -> String {
        Extent::of(proof).told()
    }

    #[test]
    fn every_fault_and_every_round_are_the_whole() {
        assert_eq!(told(&example::proof()), "the whole proof: 6 faults, 10 rounds of each");
    }

    #[test]
    fn fewer_rounds_than_a_whole_proof_has_are_a_part_also_when_they_were_all_that_was_wanted() {
        let mut proof = example::proof();
        proof.wanted.rounds = 3;
        proof.faults.iter_mut().for_each(|fault| fault.rounds.truncate(3));
        assert_eq!(
            told(&proof),
            "a part of the proof: 6 of 6 faults, 18 of 60 rounds, since 3 instead of 10 of each were wanted"
        );
    }

    #[test]
    fn a_fault_that_was_not_made_and_a_round_that_failed_leave_a_part() {
        let mut proof = example::proof();
        proof.faults.pop();
        assert_eq!(told(&proof), "a part of the proof: 5 of 6 faults, 50 of 60 rounds");
        proof.wanted.faults = 5;
        proof.faults[0].rounds.pop();
        assert_eq!(told(&proof), "a part of the proof: 5 of 5 faults, 49 of 50 rounds");
    }
}
