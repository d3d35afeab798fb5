//! How long senders waited, counted from when they meant to send.

use std::time::Duration;

use jiff::Timestamp;

use super::Accepted;

/// Percentiles of the time from the intended sending to the acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latencies {
    /// Half of the messages waited no longer.
    pub p50: Duration,
    /// 95 of 100 waited no longer.
    pub p95: Duration,
    /// 99 of 100 waited no longer.
    pub p99: Duration,
}

/// The percentiles of these messages, by the nearest rank; zero for none.
pub fn latencies(accepted: &[Accepted]) -> Latencies {
    let mut waits: Vec<Duration> = accepted.iter().map(wait).collect();
    waits.sort_unstable();
    let at = |percent: usize| {
        let rank = (waits.len() * percent).div_ceil(100);
        waits.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    };
    Latencies { p50: at(50), p95: at(95), p99: at(99) }
}

/// The longest wait of a message that was to be sent in this time; zero for none. How long the
/// machine as a whole made everybody wait then: the way to the acknowledgement knows no router.
pub fn longest_wait(accepted: &[Accepted], from: Timestamp, to: Timestamp) -> Duration {
    let then = accepted.iter().filter(|message| (from..to).contains(&message.intended));
    then.map(wait).max().unwrap_or_default()
}

fn wait(message: &Accepted) -> Duration {
    message.acked.duration_since(message.intended).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::planted::clean;
    use super::*;

    #[test]
    fn the_longest_wait_is_of_messages_of_that_time() {
        let mut accepted = clean(1, 3).accepted;
        let times: Vec<Timestamp> = accepted.iter().map(|message| message.intended).collect();
        accepted[0].acked = times[0] + Duration::from_secs(9);
        accepted[1].acked = times[1] + Duration::from_secs(3);
        accepted[2].acked = times[2] + Duration::from_secs(2);
        assert_eq!(longest_wait(&accepted, times[1], Timestamp::MAX), Duration::from_secs(3));
        assert_eq!(longest_wait(&accepted, times[2], times[2]), Duration::ZERO);
    }

    #[test]
    fn latency_counts_from_the_intended_sending_also_when_the_request_went_out_late() {
        let mut accepted = clean(1, 100).accepted;
        for (n, message) in accepted.iter_mut().enumerate() {
            message.acked = message.intended + Duration::from_millis(n as u64 + 1);
            message.sent = message.acked;
        }
        let millis = Duration::from_millis;
        assert_eq!(latencies(&accepted), Latencies { p50: millis(50), p95: millis(95), p99: millis(99) });
        assert_eq!(latencies(&[]), Latencies::default());
    }
}
