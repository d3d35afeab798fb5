//! What the run shows, in sentences that are made from its numbers.

use super::against::Against;
use super::extent::Extent;
use super::figures::Figures;
use super::number::{count, counted};
use crate::proof::record::Proof;

/// What became of the messages.
pub fn claim(proof: &Proof) -> String {
    let figures = Figures::of_all(proof);
    let messages = figures.messages;
    let made = proof.faults.iter().filter(|fault| !fault.rounds.is_empty()).count() as u64;
    if messages.accepted == 0 || made == 0 {
        return "This run shows nothing: no message was accepted under a fault.".to_owned();
    }
    format!(
        "{} accepted under {}, made in {}: {} lost, {} stored twice, {} out of order, {} unaccounted for in the ledger; {}.",
        counted(messages.accepted, "message"),
        counted(made, "fault"),
        counted(figures.rounds, "round"),
        count(messages.lost),
        count(messages.stored_twice),
        count(messages.out_of_order),
        count(figures.unaccounted),
        duplicates(messages.duplicated, figures.unnamed()),
    )
}

fn duplicates(duplicated: u64, unnamed: u64) -> String {
    let again = format!("{} received again by the provider", count(duplicated));
    match (duplicated, unnamed) {
        (0, _) => "none received again by the provider".to_owned(),
        (1, 0) => format!("{again}, named beforehand as an unknown outcome"),
        (all, 0) => format!("{again}, all {} named beforehand as unknown outcomes", count(all)),
        (_, unnamed) => {
            format!("{again}, of which {} had not been named beforehand as unknown outcomes", count(unnamed))
        }
    }
}

/// Whether anything speaks against it.
pub fn verdict(proof: &Proof, against: &[Against<'_>]) -> String {
    let faults = counted(proof.faults.len() as u64, "fault");
    let extent = Extent::of(proof);
    match against.len() {
        0 if extent.is_whole() => "Nothing was found that speaks against it.".to_owned(),
        0 => format!("Nothing was found that speaks against it, as far as it was made: {}.", extent.of_rounds()),
        n => format!("Not proved: something speaks against it under {n} of {faults}."),
    }
}

#[cfg(test)]
mod tests {
    use super::super::against::against;
    use super::super::example;
    use super::*;

    #[test]
    fn the_claim_counts_what_was_accepted_and_what_became_of_it() {
        let mut proof = example::proof();
        proof.faults.truncate(1);
        proof.wanted.faults = 1;
        let messages = &mut proof.faults[0].messages;
        (messages.accepted, messages.duplicated, messages.of_them_named) = (105_311, 37, 37);
        assert_eq!(
            claim(&proof),
            "105,311 messages accepted under 1 fault, made in 10 rounds: 0 lost, 0 stored twice, 0 out of order, \
             0 unaccounted for in the ledger; 37 received again by the provider, all 37 named beforehand as unknown \
             outcomes."
        );
        assert_eq!(verdict(&proof, &against(&proof)), "Nothing was found that speaks against it.");
    }

    #[test]
    fn duplicates_that_nobody_named_are_told() {
        assert_eq!(duplicates(0, 0), "none received again by the provider");
        assert_eq!(duplicates(1, 0), "1 received again by the provider, named beforehand as an unknown outcome");
        assert!(duplicates(37, 3).ends_with("of which 3 had not been named beforehand as unknown outcomes"));
    }

    #[test]
    fn a_run_without_faults_or_messages_claims_nothing() {
        let mut proof = example::proof();
        proof.faults.iter_mut().for_each(|fault| fault.rounds.clear());
        assert!(claim(&proof).starts_with("This run shows nothing"));
        proof.faults.clear();
        assert!(claim(&proof).starts_with("This run shows nothing"));
    }

    #[test]
    fn a_part_of_the_proof_is_not_told_as_the_whole() {
        let mut proof = example::proof();
        proof.faults.truncate(2);
        assert_eq!(
            verdict(&proof, &[]),
            "Nothing was found that speaks against it, as far as it was made: 20 of 60 rounds."
        );
    }

    #[test]
    fn a_loss_takes_the_proof_away() {
        let mut proof = example::proof();
        proof.faults[0].messages.lost = 2;
        let verdict = verdict(&proof, &against(&proof));
        assert!(verdict.starts_with("Not proved: something speaks against it under 1 of "), "{verdict}");
        assert!(claim(&proof).contains(": 2 lost,"));
    }
}
