//! How fast each recipient may be sent something: who has had enough waits, and nobody else does.
//! Kept in memory by the replica that owns the recipient's partition; when the partition moves, its
//! next owner begins anew, and a refusal of the provider tells it better.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chat4all_channels::PairLimit;
use chat4all_message::Address;
use tokio::time::Instant;

/// Recipients that are remembered before those who may be sent their whole burst are forgotten.
const FEW: usize = 1024;

/// The pace of every recipient.
#[derive(Debug)]
pub(crate) struct Pairs {
    limit: fn(&Address) -> Option<PairLimit>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// When all that was sent will have been paid back.
    paid: HashMap<Address, Instant>,
    /// At so many it is looked for those who have.
    look_at: usize,
}

impl Pairs {
    pub(crate) fn new(limit: fn(&Address) -> Option<PairLimit>) -> Self {
        Self { limit, known: Mutex::new(Known { paid: HashMap::new(), look_at: FEW }) }
    }

    /// Until when this recipient must wait; `None` when it need not.
    pub(crate) fn wait(&self, recipient: &Address, now: Instant) -> Option<Instant> {
        let limit = (self.limit)(recipient)?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = known.paid.get(recipient)?.saturating_duration_since(now);
        let ahead = limit.every * (limit.burst - 1);
        (owed > ahead).then(|| now + (owed - ahead))
    }

    /// Something is sent to this recipient.
    pub(crate) fn sent(&self, recipient: &Address, now: Instant) {
        let Some(limit) = (self.limit)(recipient) else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.forget_the_paid(now);
        let paid = known.paid.entry(recipient.clone()).or_insert(now);
        *paid = (*paid).max(now) + limit.every;
    }

    /// The provider says that this recipient has had enough, of which more is known there than here:
    /// from now on one at a time.
    pub(crate) fn refused(&self, recipient: &Address, now: Instant) {
        let Some(limit) = (self.limit)(recipient) else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.paid.insert(recipient.clone(), now + limit.every * limit.burst);
    }
}

impl Known {
    fn forget_the_paid(&mut self, now: Instant) {
        if self.paid.len() >= self.look_at {
            self.paid.retain(|_, paid| *paid > now);
            self.look_at = (self.paid.len() * 2).max(FEW);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SIX: Duration = Duration::from_secs(6);

    fn pairs() -> Pairs {
        Pairs::new(|_| Some(PairLimit { every: SIX, burst: 45 }))
    }

    fn recipient(number: usize) -> Address {
        Address::WhatsappNumber(format!("55629{number:08}"))
    }

    #[test]
    fn a_recipient_gets_its_burst_at_once_and_then_one_in_six_seconds() {
        let (pairs, start) = (pairs(), Instant::now());
        for _ in 0..45 {
            assert_eq!(pairs.wait(&recipient(1), start), None);
            pairs.sent(&recipient(1), start);
        }
        let mut now = start;
        for n in 1..=3 {
            now = pairs.wait(&recipient(1), now).unwrap();
            assert_eq!(now, start + SIX * n);
            assert_eq!(pairs.wait(&recipient(1), now), None);
            pairs.sent(&recipient(1), now);
        }
        assert_eq!(pairs.wait(&recipient(2), now), None, "the others do not wait");
    }

    #[test]
    fn the_burst_comes_back_with_time() {
        let (pairs, start) = (pairs(), Instant::now());
        (0..45).for_each(|_| pairs.sent(&recipient(1), start));
        let later = start + SIX * 10;
        let at_once = (0..45).take_while(|_| {
            let ready = pairs.wait(&recipient(1), later).is_none();
            pairs.sent(&recipient(1), later);
            ready
        });
        assert_eq!(at_once.count(), 10);
    }

    #[test]
    fn after_a_refusal_the_recipient_is_sent_one_at_a_time() {
        let (pairs, start) = (pairs(), Instant::now());
        pairs.refused(&recipient(1), start);
        let next = pairs.wait(&recipient(1), start).unwrap();
        assert_eq!(next, start + SIX);
        pairs.sent(&recipient(1), next);
        assert_eq!(pairs.wait(&recipient(1), next), Some(next + SIX));
    }

    #[test]
    fn a_provider_without_a_limit_keeps_nobody_waiting_and_nothing_is_remembered() {
        let (pairs, now) = (Pairs::new(|_| None), Instant::now());
        (0..100).for_each(|_| pairs.sent(&recipient(1), now));
        assert_eq!(pairs.wait(&recipient(1), now), None);
        assert!(pairs.known.lock().unwrap().paid.is_empty());
    }

    #[test]
    fn recipients_that_owe_nothing_are_forgotten() {
        let (pairs, start) = (pairs(), Instant::now());
        (0..5000).for_each(|number| pairs.sent(&recipient(number), start));
        let later = start + Duration::from_secs(7);
        (5000..15_000).for_each(|number| pairs.sent(&recipient(number), later));
        assert!(pairs.known.lock().unwrap().paid.len() <= 15_000 - 5000);
    }
}
