//! The load second by second, and how long accepting took, from a history. Pure.

use jiff::{SignedDuration, Timestamp};

use super::record::{Bucket, Second};
use crate::history::{Accepted, History};
use crate::replicas::Count;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// Upper bounds of the buckets, in milliseconds. The load waits for two minutes.
const BOUNDS: [f64; 16] = [
    2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 20_000.0, 30_000.0, 60_000.0,
    100_000.0,
];

/// The seconds from `began` to `ended`; `routers` are the counts of ready routers, oldest first.
pub(super) fn timeline(history: &History, routers: &[Count], began: Timestamp, ended: Timestamp) -> Vec<Second> {
    let mut accepted: Vec<Timestamp> = history.accepted.iter().map(|message| message.acked).collect();
    let mut delivered: Vec<Timestamp> = history.first_receipts().values().map(|receipt| receipt.at).collect();
    accepted.sort_unstable();
    delivered.sort_unstable();
    let until = |instants: &[Timestamp], at: Timestamp| instants.partition_point(|instant| *instant <= at);
    let mut seconds = Vec::new();
    let (mut from, mut taken, mut gone) = (began, 0, 0);
    while from < ended {
        let at = from + SECOND;
        let (now_taken, now_gone) = (until(&accepted, at), until(&delivered, at));
        let count = routers.partition_point(|count| count.at <= at).checked_sub(1).map(|index| routers[index].replicas);
        seconds.push(Second {
            at,
            accepted: u32::try_from(now_taken - taken).unwrap_or(u32::MAX),
            delivered: u32::try_from(now_gone - gone).unwrap_or(u32::MAX),
            // What the provider has before its acceptance was heard of does not wait.
            waiting: now_taken.saturating_sub(now_gone) as u64,
            routers: count,
        });
        (from, taken, gone) = (at, now_taken, now_gone);
    }
    seconds
}

/// How long accepting took, in buckets.
pub(super) fn buckets(accepted: &[Accepted]) -> Vec<Bucket> {
    let mut counts = [0; BOUNDS.len() + 1];
    for message in accepted {
        let millis = message.acked.duration_since(message.intended).as_secs_f64() * 1000.0;
        counts[BOUNDS.partition_point(|bound| *bound < millis)] += 1;
    }
    let bounds = BOUNDS.into_iter().map(Some).chain([None]);
    bounds.zip(counts).map(|(up_to_ms, messages)| Bucket { up_to_ms, messages }).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::history::Receipt;

    fn at(millis: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_millis(millis)
    }

    fn history(waits: &[(i64, i64, Option<i64>)]) -> History {
        let id = |n: usize| Uuid::from_u128(n as u128 + 1);
        let accepted = waits.iter().enumerate().map(|(n, (intended, acked, _))| Accepted {
            message_id: id(n),
            conversation: "c".into(),
            sequence: n as u64,
            intended: at(*intended),
            sent: at(*intended),
            acked: at(*acked),
            requests: 1,
        });
        let received = waits.iter().enumerate().filter_map(|(n, (_, _, received))| {
            Some(Receipt { place: n as u64, at: at((*received)?), message_id: id(n), delivery_id: id(n) })
        });
        History { accepted: accepted.collect(), received: received.collect(), stored: Vec::new() }
    }

    #[test]
    fn a_second_tells_what_came_and_went_in_it_and_what_waits_at_its_end() {
        let history = history(&[(0, 10, Some(500)), (0, 900, Some(1500)), (1000, 1100, None)]);
        let routers = [Count { at: at(-5), replicas: 2 }, Count { at: at(1200), replicas: 1 }];
        let seconds = timeline(&history, &routers, at(0), at(1800));
        let told: Vec<_> = seconds.iter().map(|s| (s.accepted, s.delivered, s.waiting, s.routers)).collect();
        assert_eq!(told, [(2, 1, 1, Some(2)), (1, 1, 1, Some(1))]);
    }

    #[test]
    fn every_message_is_in_one_bucket_and_the_slowest_in_the_last() {
        let buckets = buckets(&history(&[(0, 2, None), (0, 3, None), (0, 101_000, None)]).accepted);
        assert_eq!(buckets.iter().map(|bucket| bucket.messages).sum::<u64>(), 3);
        assert_eq!((buckets[0].messages, buckets[1].messages), (1, 1));
        let last = buckets.last().unwrap();
        assert_eq!((last.up_to_ms, last.messages), (None, 1));
    }
}
