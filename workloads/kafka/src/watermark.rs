//! Which offset of a partition may be committed: the one after the longest run of completed
//! records, in the order in which they came. Pure; offsets may have gaps (compaction, transaction
//! markers), so it knows the records that came, not the numbers between them. Offsets may also come
//! again: the client gives out a record twice when it pauses a partition by itself while the record is
//! being taken (librdkafka 2.12.1: the position is noted after the record left the queue, and a rebalance
//! pauses from another thread), and a log that was truncated begins again further back. Either way the record is
//! one more to be done, and nothing that came before it is done because of it.

use std::collections::VecDeque;

/// How many records may have come since the first one that is not done. One that waits for hours lets
/// the partition flow so far and no further: it bounds the memory (16 bytes for each) and what the next
/// owner must look at again after a crash.
const LONGEST: usize = 50_000;

/// The completed offsets of one partition in one assignment.
#[derive(Debug, Default)]
pub(crate) struct Watermark {
    /// Records that came and are not behind the frontier, in the order in which they came.
    open: VecDeque<Slot>,
    /// The ticket of the first of them.
    first: u64,
    frontier: Option<i64>,
}

#[derive(Debug)]
struct Slot {
    offset: i64,
    done: bool,
}

/// The place of a record in the order in which the records of an assignment came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

impl Watermark {
    /// A record came.
    pub(crate) fn begin(&mut self, offset: i64) -> Ticket {
        self.open.push_back(Slot { offset, done: false });
        Ticket(self.first + self.open.len() as u64 - 1)
    }

    /// Whether a record with this offset would be one that came before, or stand before one.
    pub(crate) fn goes_back(&self, offset: i64) -> bool {
        self.open.back().map(|slot| slot.offset + 1).or(self.frontier).is_some_and(|next| offset < next)
    }

    /// A record that came is done. Once is enough.
    pub(crate) fn complete(&mut self, Ticket(ticket): Ticket) {
        let index = ticket.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(slot) = index.and_then(|index| self.open.get_mut(index)) {
            slot.done = true;
        }
        while let Some(slot) = self.open.pop_front_if(|slot| slot.done) {
            self.first += 1;
            self.frontier = Some(slot.offset + 1);
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

    fn after(offsets: &[i64]) -> (Watermark, Vec<Ticket>) {
        let mut watermark = Watermark::default();
        let tickets = offsets.iter().map(|&offset| watermark.begin(offset)).collect();
        (watermark, tickets)
    }

    #[test]
    fn a_partition_commits_only_up_to_the_first_hole() {
        let (mut watermark, tickets) = after(&[10, 11]);
        watermark.complete(tickets[1]);
        assert_eq!(watermark.frontier(), None);
        watermark.complete(tickets[0]);
        assert_eq!(watermark.frontier(), Some(12));
    }

    #[test]
    fn offsets_that_never_came_hold_nothing_back() {
        let (mut watermark, tickets) = after(&[10, 14]);
        watermark.complete(tickets[0]);
        assert_eq!(watermark.frontier(), Some(11));
        watermark.complete(tickets[1]);
        watermark.complete(tickets[1]);
        assert_eq!(watermark.frontier(), Some(15));
    }

    #[test]
    fn what_is_no_record_is_passed_when_every_record_before_it_is_done() {
        let (mut watermark, tickets) = after(&[10, 11]);
        watermark.complete(tickets[0]);
        watermark.pass(13);
        assert_eq!(watermark.frontier(), Some(11), "11 is at work");
        watermark.complete(tickets[1]);
        watermark.pass(13);
        assert_eq!(watermark.frontier(), Some(13));
        watermark.pass(12);
        assert_eq!(watermark.frontier(), Some(13), "never back");
        assert!(!watermark.goes_back(13));
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
        let mut tickets = Vec::new();
        for offset in 0..newest {
            assert!(!watermark.is_full(false));
            tickets.push(watermark.begin(offset));
        }
        tickets[1..].iter().for_each(|ticket| watermark.complete(*ticket));
        assert!(watermark.is_full(false) && watermark.is_full(true));
        watermark.complete(tickets[0]);
        assert!(!watermark.is_full(true));
        assert_eq!(watermark.frontier(), Some(newest));
    }

    #[test]
    fn a_record_that_comes_again_hides_none_that_is_at_work() {
        let (mut watermark, tickets) = after(&[10, 11, 12]);
        assert!(watermark.goes_back(12) && watermark.goes_back(3) && !watermark.goes_back(13));
        let again = watermark.begin(12);
        watermark.complete(again);
        watermark.complete(tickets[2]);
        assert_eq!(watermark.frontier(), None, "10 and 11 are at work");
        watermark.complete(tickets[0]);
        assert_eq!(watermark.frontier(), Some(11));
        watermark.complete(tickets[1]);
        assert_eq!(watermark.frontier(), Some(13));
    }

    #[test]
    fn a_log_that_begins_again_further_back_is_committed_from_there_when_all_before_is_done() {
        let (mut watermark, tickets) = after(&[10, 0]);
        watermark.complete(tickets[1]);
        assert_eq!(watermark.frontier(), None);
        watermark.complete(tickets[0]);
        assert_eq!(watermark.frontier(), Some(1));
    }

    proptest! {
        #[test]
        fn the_frontier_never_passes_an_open_record(
            steps in proptest::collection::vec(-4i64..5, 1..60),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 0..80),
        ) {
            let offsets: Vec<i64> = steps.iter().scan(300, |at, step| { *at += step; Some(*at) }).collect();
            let (mut watermark, tickets) = after(&offsets);
            let mut done = vec![false; offsets.len()];
            for pick in order {
                let place = pick.index(offsets.len());
                watermark.complete(tickets[place]);
                done[place] = true;
                let run = done.iter().take_while(|done| **done).count();
                prop_assert_eq!(watermark.frontier(), run.checked_sub(1).map(|last| offsets[last] + 1));
            }
        }
    }
}
