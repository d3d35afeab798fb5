//! One connector from look to look: what ails it, and whether deliveries are given up. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::ailment::Ailment;
use super::pods::PodReading;

/// Dead letters in two looks that are this close together are growing, until none came for so long.
const GROWING: Duration = Duration::from_secs(10 * 60);

/// After so long without one, the next dead letter is a first one again.
const QUIET: Duration = Duration::from_secs(3600);

/// For so long after a pod's breaker was open, a half-open one counts as open: it tries, and opens again with the
/// next failure. Longer than the longest call (120 s) and a look. One that stays half-open has nothing to try with.
const TRYING: Duration = Duration::from_secs(180);

/// What is known of one connector.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The dead letters of each pod, by its address; `None` before the first look.
    counts: Option<BTreeMap<String, u64>>,
    /// The last looks that found new dead letters: two at most.
    grew: VecDeque<Instant>,
    /// What the pods that answered last said.
    said: Option<Ailment>,
    /// When a breaker was last seen open.
    opened: Option<Instant>,
}

/// What a look found.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Found {
    /// What ails the connector.
    pub(super) ailment: Option<Ailment>,
    /// A delivery was given up, and none had been for long.
    pub(super) first_dead_letter: bool,
}

impl Record {
    /// Takes in what the pods say; those that gave no answer are not in `readings`.
    pub(super) fn look(&mut self, readings: &BTreeMap<String, PodReading>, now: Instant) -> Found {
        let mut first_dead_letter = false;
        if !readings.is_empty() {
            self.said = self.worst(readings, now);
            if self.new_dead_letters(readings) {
                first_dead_letter = self.grew.back().is_none_or(|last| now.duration_since(*last) >= QUIET);
                self.grew.push_back(now);
                if self.grew.len() > 2 {
                    self.grew.pop_front();
                }
            }
        }
        let grow = match self.grew.make_contiguous() {
            [one, next] => next.duration_since(*one) < GROWING && now.duration_since(*next) < GROWING,
            _ => false,
        };
        let growing = grow.then_some(Ailment::DeadLettersGrowing);
        Found { ailment: self.said.max(growing), first_dead_letter }
    }

    fn worst(&mut self, readings: &BTreeMap<String, PodReading>, now: Instant) -> Option<Ailment> {
        if readings.values().any(|reading| reading.ailment == Some(Ailment::BreakerOpen)) {
            self.opened = Some(now);
        }
        let tries = readings.values().any(|reading| reading.half_open)
            && self.opened.is_some_and(|opened| now.duration_since(opened) < TRYING);
        readings.values().filter_map(|reading| reading.ailment).max().max(tries.then_some(Ailment::BreakerOpen))
    }

    /// Whether there are more than at the last look. At the first look nobody knows since when there are.
    fn new_dead_letters(&mut self, readings: &BTreeMap<String, PodReading>) -> bool {
        let now: BTreeMap<String, u64> = readings.iter().map(|(pod, r)| (pod.clone(), r.dead_letters)).collect();
        let Some(before) = &mut self.counts else {
            self.counts = Some(now);
            return false;
        };
        // A pod that is new, and one whose counter went back, began at none.
        let since = |pod: &String, count: u64| before.get(pod).copied().filter(|before| *before <= count).unwrap_or(0);
        let more = now.iter().any(|(pod, count)| *count > since(pod, *count));
        *before = now;
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn says<const N: usize>(pods: [(&str, Option<Ailment>, u64); N]) -> BTreeMap<String, PodReading> {
        pods.into_iter()
            .map(|(pod, ailment, dead_letters)| {
                (pod.to_owned(), PodReading { ailment, half_open: false, dead_letters })
            })
            .collect()
    }

    fn well() -> Found {
        Found { ailment: None, first_dead_letter: false }
    }

    #[test]
    fn of_several_pods_the_worst_ailment_counts_and_silence_changes_nothing() {
        let (mut record, now) = (Record::default(), Instant::now());
        let found = record.look(
            &says([("a", Some(Ailment::BreakerOpen), 0), ("b", Some(Ailment::TokenExpired), 0), ("c", None, 0)]),
            now,
        );
        assert_eq!(found.ailment, Some(Ailment::TokenExpired));
        assert_eq!(record.look(&says([]), now + MINUTE).ailment, Some(Ailment::TokenExpired));
        assert_eq!(record.look(&says([("d", None, 0)]), now + MINUTE * 2), well());
    }

    #[test]
    fn a_breaker_that_tries_is_as_good_as_open_until_it_has_nothing_to_try_with() {
        let (mut record, now) = (Record::default(), Instant::now());
        let half_open: BTreeMap<_, _> =
            [("a".to_owned(), PodReading { half_open: true, ..PodReading::default() })].into();
        assert_eq!(record.look(&half_open, now), well(), "nobody has seen it open");
        let open = Some(Ailment::BreakerOpen);
        assert_eq!(record.look(&says([("a", open, 0)]), now).ailment, open);
        assert_eq!(record.look(&half_open, now + MINUTE).ailment, open);
        assert_eq!(record.look(&half_open, now + MINUTE * 3), well());
    }

    #[test]
    fn a_first_dead_letter_is_told_once_and_is_not_growing_yet() {
        let (mut record, now) = (Record::default(), Instant::now());
        record.look(&says([("a", None, 0)]), now);
        let first = record.look(&says([("a", None, 1)]), now + MINUTE);
        assert_eq!(first, Found { ailment: None, first_dead_letter: true });
        assert_eq!(record.look(&says([("a", None, 1)]), now + MINUTE * 2), well());
    }

    #[test]
    fn dead_letters_grow_when_more_come_soon_until_none_came_for_ten_minutes() {
        let (mut record, now) = (Record::default(), Instant::now());
        record.look(&says([("a", None, 0)]), now);
        record.look(&says([("a", None, 1)]), now + MINUTE);
        let growing = Found { ailment: Some(Ailment::DeadLettersGrowing), first_dead_letter: false };
        assert_eq!(record.look(&says([("a", None, 5)]), now + MINUTE * 2), growing);
        assert_eq!(record.look(&says([("a", None, 5)]), now + MINUTE * 11), growing);
        assert_eq!(record.look(&says([("a", None, 5)]), now + MINUTE * 12), well());
        assert_eq!(record.look(&says([("a", None, 6)]), now + MINUTE * 30), well(), "one alone does not grow");
        assert!(record.look(&says([("a", None, 7)]), now + MINUTE * 100).first_dead_letter);
    }

    #[test]
    fn what_was_there_before_the_first_look_is_not_new_and_what_a_new_pod_gave_up_is() {
        let (mut record, now) = (Record::default(), Instant::now());
        assert_eq!(record.look(&says([("a", None, 7)]), now), well());
        assert!(record.look(&says([("a", None, 7), ("b", None, 1)]), now + MINUTE).first_dead_letter);
        let (mut record, now) = (Record::default(), Instant::now());
        record.look(&says([("a", None, 7)]), now);
        assert!(record.look(&says([("a", None, 2)]), now + MINUTE).first_dead_letter, "a process that began anew");
    }
}
