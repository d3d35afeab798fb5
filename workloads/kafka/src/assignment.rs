//! The partitions that this member owns and how far each is. Pure. Every assignment has an
//! epoch of its own, so that what an old one completes late does nothing to a new one.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::flow::{Held, Limits};
use crate::watermark::{Ticket, Watermark};

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PartitionId {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
}

/// One partition from its assignment to its return.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(crate) epoch: u64,
    pub(crate) watermark: Watermark,
    /// What waits and runs.
    pub(crate) held: Held,
    /// What runs.
    pub(crate) running: usize,
    /// The latest record whose handler was begun.
    pub(crate) begun: Option<Ticket>,
    pub(crate) paused: bool,
    /// Whether it has its share in hand, and how far ahead of the frontier it is: each ends later than it begins.
    has_enough: bool,
    is_far_ahead: bool,
    /// Ends the handlers' waiting.
    pub(crate) ending: CancellationToken,
    /// Ends the handlers.
    pub(crate) fence: CancellationToken,
    stored: Option<i64>,
}

impl Owned {
    fn new(epoch: u64) -> Self {
        Self {
            epoch,
            watermark: Watermark::default(),
            held: Held::default(),
            running: 0,
            begun: None,
            paused: false,
            has_enough: false,
            is_far_ahead: false,
            ending: CancellationToken::new(),
            fence: CancellationToken::new(),
            stored: None,
        }
    }

    /// The offset to store, if it moved since the last call.
    pub(crate) fn moved_frontier(&mut self) -> Option<i64> {
        let frontier = self.watermark.frontier()?;
        (self.stored.replace(frontier) != Some(frontier)).then_some(frontier)
    }

    /// Whether everything that came is done and what comes next is wanted: from the return of the
    /// partition on, records are given out by the client and not taken in.
    pub(crate) fn is_clear(&self) -> bool {
        self.watermark.is_clear() && !self.ending.is_cancelled()
    }

    /// Changes whether it pauses, when that has to change; gives what it is then.
    fn repause(&mut self, share: &Limits, gate_open: bool) -> Option<bool> {
        self.has_enough = share.pause(self.held, self.has_enough);
        self.is_far_ahead = self.watermark.is_full(self.is_far_ahead);
        let pause = !gate_open || self.has_enough || self.is_far_ahead || self.ending.is_cancelled();
        (std::mem::replace(&mut self.paused, pause) != pause).then_some(pause)
    }

    /// Takes a record in; `weight` in bytes.
    pub(crate) fn hold(&mut self, weight: usize) {
        self.held.records += 1;
        self.held.bytes += weight;
    }

    /// Lets a record go, done or not.
    pub(crate) fn let_go(&mut self, weight: usize) {
        self.held.records = self.held.records.saturating_sub(1);
        self.held.bytes = self.held.bytes.saturating_sub(weight);
    }
}

/// All owned partitions.
#[derive(Debug, Default)]
pub(crate) struct Assignment {
    owned: HashMap<PartitionId, Owned>,
    epochs: u64,
}

impl Assignment {
    /// Takes a partition, in a new epoch.
    pub(crate) fn take(&mut self, id: PartitionId) -> &mut Owned {
        self.give_up(&id);
        self.epochs += 1;
        self.owned.entry(id).insert_entry(Owned::new(self.epochs)).into_mut()
    }

    /// The partition, if it is owned.
    pub(crate) fn get(&mut self, id: &PartitionId) -> Option<&mut Owned> {
        self.owned.get_mut(id)
    }

    /// The partition, if it is owned in this epoch still.
    pub(crate) fn in_epoch(&mut self, id: &PartitionId, epoch: u64) -> Option<&mut Owned> {
        self.owned.get_mut(id).filter(|owned| owned.epoch == epoch)
    }

    /// Gives a partition up and says which epoch that ends: from here on its handlers can do nothing more.
    pub(crate) fn give_up(&mut self, id: &PartitionId) -> Option<u64> {
        let owned = self.owned.remove(id)?;
        owned.ending.cancel();
        owned.fence.cancel();
        Some(owned.epoch)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&PartitionId, &mut Owned)> {
        self.owned.iter_mut()
    }

    pub(crate) fn ids(&self) -> Vec<PartitionId> {
        self.owned.keys().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.owned.len()
    }

    /// Whether nothing of these partitions is at work or waits for it.
    pub(crate) fn idle(&self, ids: &[PartitionId]) -> bool {
        ids.iter().all(|id| self.owned.get(id).is_none_or(|owned| owned.held.records == 0))
    }

    /// How full the hands are, 0 to 1. A partition that is paused because its share is used up is full
    /// until it goes on.
    pub(crate) fn load(&self, limits: &Limits, gate_open: bool) -> f64 {
        let share = limits.share(self.owned.len());
        let load = |owned: &Owned| if owned.paused && gate_open { 1.0 } else { share.load(owned.held) };
        self.owned.values().map(load).sum::<f64>() / self.owned.len().max(1) as f64
    }

    /// The partitions whose pausing has to change, with what it has to be.
    pub(crate) fn repause(&mut self, limits: &Limits, gate_open: bool) -> Vec<(PartitionId, bool)> {
        let share = limits.share(self.owned.len());
        let change = |(id, owned): (&PartitionId, &mut Owned)| Some((id.clone(), owned.repause(&share, gate_open)?));
        self.owned.iter_mut().filter_map(change).collect()
    }

    /// The same for one partition, after a record came or went: nothing else can have changed.
    pub(crate) fn repause_one(&mut self, id: &PartitionId, limits: &Limits, gate_open: bool) -> Option<bool> {
        let share = limits.share(self.owned.len());
        self.owned.get_mut(id)?.repause(&share, gate_open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(partition: i32) -> PartitionId {
        PartitionId { topic: "messages".into(), partition }
    }

    #[test]
    fn what_an_old_assignment_completes_late_finds_nothing() {
        let mut assignment = Assignment::default();
        let old = assignment.take(id(1)).epoch;
        assignment.give_up(&id(1));
        assignment.take(id(1));
        assert!(assignment.in_epoch(&id(1), old).is_none());
    }

    #[test]
    fn giving_up_ends_waiting_and_fences_the_handlers() {
        let mut assignment = Assignment::default();
        let (ending, fence) = {
            let owned = assignment.take(id(1));
            (owned.ending.clone(), owned.fence.clone())
        };
        assignment.give_up(&id(1));
        assert!(ending.is_cancelled() && fence.is_cancelled());
    }

    #[test]
    fn a_frontier_is_stored_once() {
        let mut assignment = Assignment::default();
        let owned = assignment.take(id(1));
        assert_eq!(owned.moved_frontier(), None);
        let ticket = owned.watermark.begin(7);
        owned.watermark.complete(ticket);
        assert_eq!(owned.moved_frontier(), Some(8));
        assert_eq!(owned.moved_frontier(), None);
    }

    #[test]
    fn only_the_full_partition_pauses_and_a_closed_gate_pauses_all() {
        let limits = Limits { records: 4, bytes: 1000, at_work: 4 };
        let mut assignment = Assignment::default();
        assignment.take(id(1));
        let full = assignment.take(id(2));
        full.hold(1);
        full.hold(1);
        assert_eq!(assignment.repause(&limits, true), vec![(id(2), true)]);
        assert_eq!(assignment.repause(&limits, false), vec![(id(1), true)]);
        assignment.get(&id(2)).unwrap().let_go(1);
        let mut resumed = assignment.repause(&limits, true);
        resumed.sort();
        assert_eq!(resumed, vec![(id(1), false), (id(2), false)]);
    }

    #[test]
    fn a_partition_that_is_ending_pauses_and_does_not_go_on() {
        let limits = Limits { records: 4, bytes: 1000, at_work: 4 };
        let mut assignment = Assignment::default();
        let owned = assignment.take(id(1));
        owned.hold(1);
        owned.ending.cancel();
        assert_eq!(assignment.repause(&limits, true), vec![(id(1), true)]);
        assignment.get(&id(1)).unwrap().let_go(1);
        assert_eq!(assignment.repause(&limits, true), vec![]);
    }

    #[test]
    fn a_partition_that_paused_for_the_gate_alone_goes_on_with_what_it_held() {
        let limits = Limits { records: 4, bytes: 1000, at_work: 4 };
        let mut assignment = Assignment::default();
        let owned = assignment.take(id(1));
        (0..3).for_each(|_| owned.hold(1));
        assert_eq!(assignment.repause(&limits, false), vec![(id(1), true)]);
        assert_eq!(assignment.repause(&limits, true), vec![(id(1), false)], "its share is not used up");
    }
}
