//! Where the routers' two groups stand in their topics, as Kafka tells, and what was done between
//! two such looks. Pure; knows nothing of how the operator measures.

use std::time::Duration;

use chat4all_message::Topics;

use crate::groups::Share;
use crate::need::Work;

/// Where the groups stood at an instant: sums over the partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// When, from any zero.
    pub at: Duration,
    messages: Sums,
    statuses: Sums,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sums {
    ends: i64,
    committed: i64,
}

/// What happened between two looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Statuses that a message brings back.
    pub statuses_per_message: f64,
    /// The work: a waiting or arriving message counts as itself and the statuses that it will bring
    /// back. Its capacity is what was finished in a second, whatever the number of routers.
    pub work: Work,
}

impl Standing {
    /// Reads it from what Kafka says of the groups; a partition without a commit counts from its
    /// start, 0, since nothing was deleted from it yet.
    pub fn of(shares: &[Share], topics: &Topics, at: Duration) -> Self {
        let sums = |topic: String| {
            let of_topic = || shares.iter().filter(|share| share.topic == topic);
            Sums {
                ends: of_topic().filter_map(|share| share.end).sum(),
                committed: of_topic().filter_map(|share| share.committed).sum(),
            }
        };
        Self { at, messages: sums(topics.messages()), statuses: sums(topics.status_updates()) }
    }

    /// What happened since an earlier look.
    pub fn since(&self, earlier: &Self) -> Measured {
        let seconds = self.at.saturating_sub(earlier.at).as_secs_f64();
        let rate = |now: i64, then: i64| count(now - then) / seconds;
        let arrived = rate(self.messages.ends, earlier.messages.ends);
        let done = rate(self.messages.committed, earlier.messages.committed);
        let statuses_done = rate(self.statuses.committed, earlier.statuses.committed);
        let statuses_per_message = rate(self.statuses.ends, earlier.statuses.ends) / done;
        let each = 1.0 + statuses_per_message;
        let backlog = count(self.messages.ends - self.messages.committed) * each
            + count(self.statuses.ends - self.statuses.committed);
        let work = Work { arrival: arrived * each, capacity: done + statuses_done, backlog };
        Measured { statuses_per_message, work }
    }
}

/// Records are counted far below where a float is no longer exact.
fn count(records: i64) -> f64 {
    records as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(topic: &str, committed: Option<i64>, end: i64) -> Share {
        Share { topic: topic.into(), partition: 0, committed, end: Some(end), consumer: None }
    }

    #[test]
    fn a_message_that_waits_is_worth_the_statuses_that_it_brings_back() {
        let topics = Topics::default();
        let look = |at, shares: &[Share]| Standing::of(shares, &topics, Duration::from_secs(at));
        let before = look(
            0,
            &[share("messages", Some(100), 110), share("messages", None, 0), share("status-updates", Some(0), 0)],
        );
        let after = look(
            10,
            &[
                share("messages", Some(200), 610),
                share("messages", Some(0), 0),
                share("status-updates", Some(380), 400),
            ],
        );
        let measured = after.since(&before);
        assert_eq!(measured.statuses_per_message, 4.0);
        assert_eq!(measured.work, Work { arrival: 250.0, capacity: 48.0, backlog: 410.0 * 5.0 + 20.0 });
    }
}
