//! One lane for each key that has work: its records run one after another, lanes run side by
//! side. A lane exists only while it has work. Pure.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The records that wait behind one of their own key.
#[derive(Debug)]
pub(crate) struct Lanes<K, R> {
    waiting: HashMap<K, VecDeque<R>>,
}

impl<K, R> Default for Lanes<K, R> {
    fn default() -> Self {
        Self { waiting: HashMap::new() }
    }
}

impl<K: Hash + Eq + Copy, R> Lanes<K, R> {
    /// A record came: gives it back when it may run now, keeps it when its lane is busy.
    pub(crate) fn enter(&mut self, key: K, record: R) -> Option<R> {
        match self.waiting.entry(key) {
            Entry::Vacant(lane) => {
                lane.insert(VecDeque::new());
                Some(record)
            }
            Entry::Occupied(mut lane) => {
                lane.get_mut().push_back(record);
                None
            }
        }
    }

    /// The record that ran in this lane is done: gives the next one, or closes the lane.
    pub(crate) fn advance(&mut self, key: K) -> Option<R> {
        let next = self.waiting.get_mut(&key)?.pop_front();
        if next.is_none() {
            self.waiting.remove(&key);
        }
        next
    }

    /// Takes out the waiting records that `gone` names. What runs goes on, with its lane.
    pub(crate) fn withdraw(&mut self, gone: impl Fn(&K, &R) -> bool) -> Vec<R> {
        let mut withdrawn = Vec::new();
        for (key, lane) in &mut self.waiting {
            for record in std::mem::take(lane) {
                if gone(key, &record) { withdrawn.push(record) } else { lane.push_back(record) }
            }
        }
        withdrawn
    }

    /// Forgets the lanes that `gone` names, with what waits in them.
    pub(crate) fn forget(&mut self, gone: impl Fn(&K) -> bool) {
        self.waiting.retain(|key, _| !gone(key));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_key_waits_for_itself_and_for_nobody_else() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.enter("ana", 1), Some(1));
        assert_eq!(lanes.enter("ana", 2), None);
        assert_eq!(lanes.enter("bob", 3), Some(3));
        assert_eq!(lanes.advance("ana"), Some(2));
        assert_eq!(lanes.advance("ana"), None);
        assert_eq!(lanes.enter("ana", 4), Some(4));
    }

    #[test]
    fn what_is_withdrawn_does_not_run_and_what_runs_goes_on() {
        let mut lanes = Lanes::default();
        for number in [1, 2, 3] {
            lanes.enter("ana", number);
        }
        assert_eq!(lanes.withdraw(|_, number| *number == 2), vec![2]);
        assert_eq!(lanes.enter("ana", 4), None, "the lane is busy still");
        assert_eq!(lanes.advance("ana"), Some(3));
        assert_eq!(lanes.advance("ana"), Some(4));
    }

    #[test]
    fn a_forgotten_lane_begins_anew() {
        let mut lanes = Lanes::default();
        lanes.enter("ana", 1);
        lanes.enter("ana", 2);
        lanes.forget(|key| *key == "ana");
        assert_eq!(lanes.advance("ana"), None);
        assert_eq!(lanes.enter("ana", 3), Some(3));
    }

    proptest! {
        #[test]
        fn every_record_runs_once_and_in_the_order_of_its_key(keys in proptest::collection::vec(0u8..5, 0..80), picks in proptest::collection::vec(any::<prop::sample::Index>(), 200)) {
            let mut lanes = Lanes::default();
            let mut running: Vec<(u8, usize)> = Vec::new();
            let mut ran: Vec<(u8, usize)> = Vec::new();
            let mut picks = picks.into_iter();
            let mut arrivals = keys.iter().copied().enumerate().peekable();
            while arrivals.peek().is_some() || !running.is_empty() {
                let finish = !running.is_empty() && picks.next().is_none_or(|p| p.index(2) == 0);
                if finish || arrivals.peek().is_none() {
                    let (key, number) = running.remove(picks.next().map_or(0, |p| p.index(running.len())));
                    ran.push((key, number));
                    running.extend(lanes.advance(key).map(|next| (key, next)));
                } else if let Some((number, key)) = arrivals.next() {
                    running.extend(lanes.enter(key, number).map(|now| (key, now)));
                    let mut busy: Vec<u8> = running.iter().map(|r| r.0).collect();
                    busy.sort_unstable();
                    busy.dedup();
                    prop_assert_eq!(busy.len(), running.len(), "two records of one key run at once");
                }
            }
            prop_assert_eq!(ran.len(), keys.len());
            for key in 0..5u8 {
                let numbers: Vec<usize> = ran.iter().filter(|r| r.0 == key).map(|r| r.1).collect();
                prop_assert!(numbers.is_sorted());
            }
        }
    }
}
