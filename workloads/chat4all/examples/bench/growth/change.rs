//! A change of the routers' group, and for how long partitions stood still because of it. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use chat4all_measure::{Standstill, longest};
use jiff::Timestamp;

use super::flow::PACE;
use super::owners::Shared;

/// A change of the group.
pub struct Change {
    began: Timestamp,
    /// When its members had shared the partitions out.
    settled: Timestamp,
    /// The partitions that got another owner.
    moved: BTreeSet<u32>,
}

/// What a change brought.
#[derive(Debug, PartialEq, Eq)]
pub struct Pauses {
    /// Partitions that got another owner.
    pub moved: usize,
    /// From the beginning of the change until the last of those was at work again.
    pub moving_again: Duration,
    /// The longest pause of one of those.
    pub longest_of_moved: Duration,
    /// The longest pause of one that kept its owner.
    pub longest_of_kept: Duration,
}

impl Change {
    /// One that began then and led from one way of sharing to another.
    pub fn of(began: Timestamp, before: &Shared, after: &Shared) -> Self {
        let moved = after.members.iter().filter(|(partition, member)| before.members.get(*partition) != Some(*member));
        Self { began, settled: after.at, moved: moved.map(|(partition, _)| *partition).collect() }
    }

    /// What it brought, by the standstills of all partitions. A new owner has shown itself when it has had one
    /// more message of each.
    pub fn pauses(&self, standstills: &[Standstill]) -> Pauses {
        let longest = longest(standstills, self.began, self.settled + PACE);
        let (moved, kept): (Vec<&Standstill>, Vec<&Standstill>) =
            longest.values().partition(|standstill| self.moved.contains(&standstill.partition));
        let longest_of = |some: &[&Standstill]| some.iter().map(|one| one.length()).max().unwrap_or_default();
        let again = moved.iter().map(|standstill| standstill.to).max().unwrap_or(self.began);
        Pauses {
            moved: self.moved.len(),
            moving_again: again.duration_since(self.began).try_into().unwrap_or_default(),
            longest_of_moved: longest_of(&moved),
            longest_of_kept: longest_of(&kept),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    fn shared(millis: i64, members: &[&str]) -> Shared {
        let members = (0..).zip(members.iter().map(|member| (*member).to_owned())).collect();
        Shared { at: at(millis), members }
    }

    fn standstill(partition: u32, from: i64, to: i64) -> Standstill {
        Standstill { partition, from: at(from), to: at(to) }
    }

    #[test]
    fn partitions_that_moved_are_told_from_those_that_stayed() {
        let change = Change::of(at(1000), &shared(900, &["a", "a", "a"]), &shared(4000, &["a", "b", "b"]));
        let standstills = [
            standstill(0, 2000, 2100),
            standstill(0, 2500, 2510),
            standstill(1, 1500, 1520),
            standstill(1, 2000, 4050),
            standstill(2, 2200, 3900),
        ];
        let millis = Duration::from_millis;
        assert_eq!(
            change.pauses(&standstills),
            Pauses {
                moved: 2,
                moving_again: millis(3050),
                longest_of_moved: millis(2050),
                longest_of_kept: millis(100)
            }
        );
    }

    #[test]
    fn what_was_before_the_change_and_what_came_after_it_is_none_of_its_doing() {
        let change = Change::of(at(1000), &shared(900, &["a", "b"]), &shared(4000, &["a", "a"]));
        let standstills =
            [standstill(1, 100, 900), standstill(1, 3000, 3400), standstill(1, 4210, 6000), standstill(0, 5000, 9000)];
        let pauses = change.pauses(&standstills);
        assert_eq!((pauses.longest_of_moved, pauses.longest_of_kept), (Duration::from_millis(400), Duration::ZERO));
    }

    #[test]
    fn a_message_that_came_as_the_group_settled_still_counts() {
        let change = Change::of(at(1000), &shared(900, &["a"]), &shared(4000, &["b"]));
        assert_eq!(change.pauses(&[standstill(0, 4150, 4950)]).moving_again, Duration::from_millis(3950));
    }
}
