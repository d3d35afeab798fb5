//! Which offset of a partition may be committed: the one after the longest run of completed
//! records. Pure; offsets may have gaps (compaction, transaction markers), so it knows the
//! records that came, not the numbers between them.

use std::collections::VecDeque;

/// How many records may have come since the first one that is not done. One that waits for hours lets
/// the partition flow so far and no further: it bounds the memory (16 bytes for each) and what the next
/// owner must look at again after a crash.
const LONGEST: usize = 50_000;

/// The completed offsets of one partition in one assignment.
#[derive(Debug, Default)]
pub(crate) struct Watermark {
    /// Records that came and are not behind the frontier, by ascending offset.
    open: VecDeque<Slot>,
    frontier: Option<i64>,
}

#[derive(Debug)]
struct Slot {
    offset: i64,
    done: bool,
}

/// Whether a record continues the partition.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// It is later than everything that came before.
    Next,
    /// The partition went back: its log was truncated or made anew.
    Rewound,
}

impl Watermark {
    /// A record came.
    pub(crate) fn begin(&mut self, offset: i64) -> Begin {
        let newest = self.open.back().map(|slot| slot.offset + 1).or(self.frontier);
        if newest.is_some_and(|next| offset < next) {
            return Begin::Rewound;
        }
        self.open.push_back(Slot { offset, done: false });
        Begin::Next
    }

    /// A record that came is done. Offsets that never came are ignored.
    pub(crate) fn complete(&mut self, offset: i64) {
        if let Ok(index) = self.open.binary_search_by_key(&offset, |slot| slot.offset) {
            self.open[index].done = true;
        }
        while self.open.front().is_some_and(|slot| slot.done) {
            self.frontier = self.open.pop_front().map(|slot| slot.offset + 1);
        }
    }

    /// Whether everything that came is done.
    pub(crate) fn is_clear(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether no more should come for now; once that is so, until half of it is committed.
    pub(crate) fn is_full(&self, was_full: bool) -> bool {
        self.open.len() >= if was_full { LONGEST / 2 } else { LONGEST }
    }

    /// The client went on to `next` and gave out every record before it: what lies between the last one
    /// and `next` is no record (a transaction's marker), and nobody need wait for it.
    pub(crate) fn pass(&mut self, next: i64) {
        if self.is_clear() && self.frontier.is_none_or(|frontier| next > frontier) {
            self.frontier = Some(next);
        }
    }

    /// The next offset to read after a restart; `None` while nothing in a row is done.
    pub(crate) fn frontier(&self) -> Option<i64> {
        self.frontier
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(offsets: &[i64]) -> Watermark {
        let mut watermark = Watermark::default();
        for &offset in offsets {
            assert_eq!(watermark.begin(offset), Begin::Next);
        }
        watermark
    }

    #[test]
    fn a_partition_commits_only_up_to_the_first_hole() {
        let mut watermark = after(&[10, 11]);
        watermark.complete(11);
        assert_eq!(watermark.frontier(), None);
        watermark.complete(10);
        assert_eq!(watermark.frontier(), Some(12));
    }

    #[test]
    fn offsets_that_never_came_hold_nothing_back() {
        let mut watermark = after(&[10, 14]);
        watermark.complete(10);
        watermark.complete(12);
        assert_eq!(watermark.frontier(), Some(11));
        watermark.complete(14);
        assert_eq!(watermark.frontier(), Some(15));
    }

    #[test]
    fn what_is_no_record_is_passed_when_every_record_before_it_is_done() {
        let mut watermark = after(&[10, 11]);
        watermark.complete(10);
        watermark.pass(13);
        assert_eq!(watermark.frontier(), Some(11), "11 is at work");
        watermark.complete(11);
        watermark.pass(13);
        assert_eq!(watermark.frontier(), Some(13));
        watermark.pass(12);
        assert_eq!(watermark.frontier(), Some(13), "never back");
        assert_eq!(watermark.begin(13), Begin::Next);
    }

    #[test]
    fn an_assignment_that_begins_before_a_marker_passes_it_without_a_record() {
        let mut watermark = Watermark::default();
        watermark.pass(8);
        assert_eq!(watermark.frontier(), Some(8));
    }

    #[test]
    fn what_comes_behind_a_record_that_is_not_done_is_bounded() {
        let mut watermark = Watermark::default();
        let newest = LONGEST as i64;
        for offset in 0..newest {
            assert!(!watermark.is_full(false));
            watermark.begin(offset);
            if offset > 0 {
                watermark.complete(offset);
            }
        }
        assert!(watermark.is_full(false) && watermark.is_full(true));
        watermark.complete(0);
        assert!(!watermark.is_full(true));
        assert_eq!(watermark.frontier(), Some(newest));
    }

    #[test]
    fn a_partition_that_goes_back_is_noticed() {
        let mut watermark = after(&[10]);
        assert_eq!(watermark.begin(10), Begin::Rewound);
        watermark.complete(10);
        assert_eq!(watermark.begin(3), Begin::Rewound);
        assert_eq!(watermark.begin(11), Begin::Next);
    }

    proptest! {
        #[test]
        fn the_frontier_never_passes_an_open_record(
            gaps in proptest::collection::vec(1i64..4, 1..60),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 0..80),
        ) {
            let offsets: Vec<i64> = gaps.iter().scan(100, |at, gap| { *at += gap; Some(*at) }).collect();
            let mut watermark = after(&offsets);
            let mut done = std::collections::BTreeSet::new();
            for pick in order {
                let offset = *pick.get(&offsets);
                watermark.complete(offset);
                done.insert(offset);
                let expected = offsets.iter().take_while(|o| done.contains(o)).last().map(|o| o + 1);
                prop_assert_eq!(watermark.frontier(), expected);
            }
        }
    }
}
