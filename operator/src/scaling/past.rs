//! The work of the last hour: what a scale-down looks back upon. Bounded: the last minutes finely, what
//! was before them coarsely.

use std::collections::VecDeque;
use std::time::Duration;

use super::work::Work;

/// The last minutes: more than the default of the stabilization.
const FINE: Slots = Slots { width: Duration::from_secs(5), kept: Duration::from_secs(600) };
/// Before them, as far as the longest stabilization that a resource can ask for.
const COARSE: Slots = Slots { width: Duration::from_secs(60), kept: Duration::from_secs(3600) };
/// A longer gap is not known about, and what was before it does not count.
const GAP: Duration = Duration::from_secs(150);

#[derive(Clone, Copy)]
struct Slots {
    width: Duration,
    kept: Duration,
}

/// The work of the last hour.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    fine: VecDeque<Moment>,
    coarse: VecDeque<Moment>,
}

/// The most work, and the least capacity, of a while.
#[derive(Clone, Debug)]
struct Moment {
    began: Duration,
    ended: Duration,
    work: Work,
    capacity: Option<f32>,
}

impl Past {
    /// Notes the work at a time, and what a replica could do then.
    pub(super) fn note(&mut self, at: Duration, work: &Work, capacity: Option<f64>) {
        if self.fine.back().is_some_and(|last| at.saturating_sub(last.ended) > GAP) {
            *self = Self::default();
        }
        let capacity = capacity.map(|capacity| capacity as f32);
        put(&mut self.fine, FINE.width, Moment { began: at, ended: at, work: work.clone(), capacity });
        while let Some(moment) = self.fine.pop_front_if(|moment| at.saturating_sub(moment.ended) > FINE.kept) {
            put(&mut self.coarse, COARSE.width, moment);
        }
        while self.coarse.pop_front_if(|moment| at.saturating_sub(moment.ended) > COARSE.kept).is_some() {}
    }

    /// The work of the last `span` until `now`, each with what a replica could do then.
    pub(super) fn last(&self, span: Duration, now: Duration) -> impl Iterator<Item = (&Work, Option<f64>)> {
        let from = now.saturating_sub(span);
        let newest_first = self.fine.iter().rev().chain(self.coarse.iter().rev());
        let within = newest_first.take_while(move |moment| moment.ended >= from);
        within.map(|moment| (&moment.work, moment.capacity.map(f64::from)))
    }

    /// Whether the whole of the last `span` is known about.
    pub(super) fn covers(&self, span: Duration, now: Duration) -> bool {
        let oldest = self.coarse.front().or(self.fine.front());
        oldest.is_some_and(|moment| now.saturating_sub(moment.began) >= span)
    }
}

/// Puts a moment behind the others, or into the last of them while that is not full.
fn put(moments: &mut VecDeque<Moment>, width: Duration, moment: Moment) {
    match moments.back_mut() {
        Some(last) if moment.ended.saturating_sub(last.began) < width => {
            last.ended = moment.ended;
            last.work.raise_to(&moment.work);
            last.capacity = last.capacity.into_iter().chain(moment.capacity).reduce(f32::min);
        }
        _ => moments.push_back(moment),
    }
}
