//! When, where and what was proved, and how to do it again.

use super::extent::Extent;
use super::number::{counted, day, hours, minute, seconds, time};
use crate::proof::record::{Proof, Round};

/// What is to be known of the run, each with its name.
pub fn facts(proof: &Proof) -> [(&'static str, String); 5] {
    let Proof { began, ended, machine, commit, rate, .. } = proof;
    let until = if day(*began) == day(*ended) { time(*ended) } else { minute(*ended) };
    [
        ("When", format!("{} to {} UTC ({})", minute(*began), until, hours(ended.duration_since(*began)))),
        (
            "Machine",
            format!(
                "{}, {}, {} GiB, {}",
                machine.processor,
                counted(machine.cores.into(), "core"),
                machine.memory_gib,
                machine.system
            ),
        ),
        ("Commit", commit.clone()),
        ("Extent", Extent::of(proof).told()),
        (
            "Load",
            format!("{} a second, sent whether or not the one before was answered", counted((*rate).into(), "message")),
        ),
    ]
}

/// What was done in a round and what came of it.
pub fn told(round: &Round) -> String {
    let kept = if round.kept_s > 0.0 { format!(", kept up {} s", seconds(round.kept_s)) } else { String::new() };
    let (pause, normal) = (seconds(round.longest_pause_s), seconds(round.normal_after_s));
    format!("{}{kept}, longest pause {pause} s, normal after {normal} s", round.victim)
}

/// How to do it again.
pub fn again(proof: &Proof) -> String {
    let Proof { commit, rate, wanted, .. } = proof;
    // What follows the commit tells of changes that nobody else has.
    let commit = commit.split(' ').next().unwrap_or_default();
    format!("git checkout {commit}\nC4A_PROOF_ROUNDS={} C4A_PROOF_RATE={rate} make proof\n", wanted.rounds)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::example;
    use super::*;

    #[test]
    fn the_day_is_told_again_only_when_it_is_another() {
        let mut proof = example::proof();
        let when = |proof: &Proof| facts(proof)[0].1.clone();
        proof.ended = proof.began + Duration::from_secs(90 * 60);
        assert_eq!(when(&proof), "2026-11-25 14:02 to 15:32 UTC (1 h 30 min)");
        proof.ended = proof.began + Duration::from_secs(10 * 60 * 60);
        assert_eq!(when(&proof), "2026-11-25 14:02 to 2026-11-26 00:02 UTC (10 h 0 min)");
    }

    #[test]
    fn it_is_done_again_with_the_settings_that_it_was_done_with() {
        let mut proof = example::proof();
        proof.commit = "0123456789ab with changes".to_owned();
        proof.wanted.rounds = 3;
        assert_eq!(again(&proof), "git checkout 0123456789ab\nC4A_PROOF_ROUNDS=3 C4A_PROOF_RATE=50 make proof\n");
    }
}
