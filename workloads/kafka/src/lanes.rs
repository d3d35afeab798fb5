//! One lane for each key that has work: its records run one after another, lanes run side by side, as many
//! as there is room for. A lane exists only while it has work. Pure.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;

/// The records that wait: behind one of their own key, or for room.
#[derive(Debug)]
pub(crate) struct Lanes<K, R> {
    /// Behind the one of its key whose turn it is.
    waiting: HashMap<K, VecDeque<(Place, R)>>,
    /// Those whose turn it is. The oldest goes first: what is done then has few holes, and a partition that is to
    /// be given back has few records that must be done before.
    ready: BTreeMap<Place, (K, R)>,
    arrived: Place,
}

/// The place of a record in the order of arrival.
type Place = u64;

impl<K, R> Default for Lanes<K, R> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), ready: BTreeMap::new(), arrived: 0 }
    }
}

impl<K: Hash + Eq + Copy, R> Lanes<K, R> {
    /// A record came.
    pub(crate) fn enter(&mut self, key: K, record: R) {
        self.arrived += 1;
        match self.waiting.entry(key) {
            Entry::Vacant(lane) => {
                lane.insert(VecDeque::new());
                self.ready.insert(self.arrived, (key, record));
            }
            Entry::Occupied(mut lane) => lane.get_mut().push_back((self.arrived, record)),
        }
    }

    /// The record that runs next, when there is room for one.
    pub(crate) fn next(&mut self) -> Option<(K, R)> {
        self.ready.pop_first().map(|(_, next)| next)
    }

    /// The record that ran in this lane is done: the next one has its turn, or the lane closes.
    pub(crate) fn advance(&mut self, key: K) {
        let Some(lane) = self.waiting.get_mut(&key) else { return };
        match lane.pop_front() {
            Some((place, next)) => _ = self.ready.insert(place, (key, next)),
            None => _ = self.waiting.remove(&key),
        }
    }

    /// Takes out what waits behind the record that runs in this lane.
    pub(crate) fn withdraw_behind(&mut self, key: K) -> Vec<R> {
        let lane = self.waiting.get_mut(&key).map(std::mem::take).unwrap_or_default();
        lane.into_iter().map(|(_, record)| record).collect()
    }

    /// Takes out the records that `gone` names and that do not run yet. What runs goes on, with its lane.
    pub(crate) fn withdraw(&mut self, gone: impl Fn(&K, &R) -> bool) -> Vec<R> {
        let mut withdrawn = Vec::new();
        for (key, lane) in &mut self.waiting {
            for (place, record) in std::mem::take(lane) {
                if gone(key, &record) { withdrawn.push(record) } else { lane.push_back((place, record)) }
            }
        }
        for (place, (key, record)) in std::mem::take(&mut self.ready) {
            if gone(&key, &record) {
                withdrawn.push(record);
                self.advance(key);
            } else {
                self.ready.insert(place, (key, record));
            }
        }
        withdrawn
    }

    /// Forgets the lanes that `gone` names, with what waits in them.
    pub(crate) fn forget(&mut self, gone: impl Fn(&K) -> bool) {
        self.waiting.retain(|key, _| !gone(key));
        self.ready.retain(|_, (key, _)| !gone(key));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lanes<const N: usize>(records: [(&'static str, u32); N]) -> Lanes<&'static str, u32> {
        let mut lanes = Lanes::default();
        records.into_iter().for_each(|(key, record)| lanes.enter(key, record));
        lanes
    }

    #[test]
    fn one_key_waits_for_itself_and_for_nobody_else() {
        let mut lanes = lanes([("ana", 1), ("ana", 2), ("bob", 3)]);
        assert_eq!((lanes.next(), lanes.next(), lanes.next()), (Some(("ana", 1)), Some(("bob", 3)), None));
        lanes.advance("ana");
        assert_eq!(lanes.next(), Some(("ana", 2)));
        lanes.advance("ana");
        assert_eq!(lanes.next(), None);
        lanes.enter("ana", 4);
        assert_eq!(lanes.next(), Some(("ana", 4)));
    }

    #[test]
    fn what_came_first_runs_first_also_when_it_had_to_wait_for_its_own_key() {
        let mut lanes = lanes([("ana", 1), ("ana", 2), ("bob", 3)]);
        lanes.next();
        lanes.advance("ana");
        assert_eq!((lanes.next(), lanes.next()), (Some(("ana", 2)), Some(("bob", 3))));
    }

    #[test]
    fn what_is_withdrawn_does_not_run_and_what_runs_goes_on() {
        let mut lanes = lanes([("ana", 1), ("ana", 2), ("ana", 3)]);
        lanes.next();
        assert_eq!(lanes.withdraw(|_, number| *number == 2), vec![2]);
        lanes.enter("ana", 4);
        assert_eq!(lanes.next(), None, "the lane is busy still");
        lanes.advance("ana");
        assert_eq!(lanes.next(), Some(("ana", 3)));
        lanes.advance("ana");
        assert_eq!(lanes.next(), Some(("ana", 4)));
    }

    #[test]
    fn a_record_that_is_withdrawn_while_it_waits_for_room_lets_the_one_behind_it_go_on() {
        let mut lanes = lanes([("ana", 1), ("ana", 2), ("bob", 3)]);
        let mut withdrawn = lanes.withdraw(|_, number| *number != 2);
        withdrawn.sort_unstable();
        assert_eq!(withdrawn, [1, 3]);
        assert_eq!((lanes.next(), lanes.next()), (Some(("ana", 2)), None));
        lanes.enter("bob", 4);
        assert_eq!(lanes.next(), Some(("bob", 4)), "an empty lane is closed");
    }

    #[test]
    fn what_waits_behind_a_record_is_withdrawn_with_it() {
        let mut lanes = lanes([("ana", 1), ("ana", 2), ("ana", 3), ("bob", 4)]);
        lanes.next();
        assert_eq!(lanes.withdraw_behind("ana"), [2, 3]);
        lanes.advance("ana");
        assert_eq!((lanes.next(), lanes.next()), (Some(("bob", 4)), None));
    }

    #[test]
    fn a_forgotten_lane_begins_anew() {
        let mut lanes = lanes([("ana", 1), ("ana", 2), ("bob", 3)]);
        lanes.next();
        lanes.forget(|_| true);
        lanes.advance("ana");
        assert_eq!(lanes.next(), None);
        lanes.enter("ana", 4);
        assert_eq!(lanes.next(), Some(("ana", 4)));
    }

    /// What happens to lanes.
    #[derive(Debug, Clone)]
    enum Step {
        Enter(u8),
        /// One of those that run is done.
        Done(usize),
        /// The records whose number leaves this rest by three are taken out.
        Withdraw(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u8..5).prop_map(Step::Enter),
            3 => any::<usize>().prop_map(Step::Done),
            1 => (0usize..3).prop_map(Step::Withdraw),
        ]
    }

    proptest! {
        #[test]
        fn every_record_runs_once_in_the_order_of_its_key_or_is_withdrawn(
            steps in proptest::collection::vec(step(), 0..200),
            room in 1usize..6,
        ) {
            let mut lanes = Lanes::default();
            let (mut running, mut ran) = (Vec::<(u8, usize)>::new(), Vec::<(u8, usize)>::new());
            let mut withdrawn = Vec::<usize>::new();
            let mut entered = 0;
            // At last everything is done.
            let rest = std::iter::repeat_n(Step::Done(0), steps.len());
            for step in steps.iter().cloned().chain(rest) {
                match step {
                    Step::Enter(key) => {
                        lanes.enter(key, entered);
                        entered += 1;
                    }
                    Step::Done(which) if !running.is_empty() => {
                        let (key, number) = running.remove(which % running.len());
                        ran.push((key, number));
                        lanes.advance(key);
                    }
                    Step::Done(_) => {}
                    Step::Withdraw(rest) => withdrawn.extend(lanes.withdraw(|_, number| number % 3 == rest)),
                }
                while running.len() < room && let Some(next) = lanes.next() {
                    running.push(next);
                }
                let mut busy: Vec<u8> = running.iter().map(|r| r.0).collect();
                busy.sort_unstable();
                busy.dedup();
                prop_assert_eq!(busy.len(), running.len(), "two records of one key run at once");
            }
            for key in 0..5u8 {
                prop_assert!(ran.iter().filter(|r| r.0 == key).map(|r| r.1).is_sorted());
            }
            let mut all: Vec<usize> = ran.iter().map(|r| r.1).chain(withdrawn).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..entered).collect::<Vec<_>>());
            prop_assert!(lanes.waiting.is_empty(), "a lane stayed open");
        }
    }
}
