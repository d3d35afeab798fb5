//! How long senders waited, counted from when they meant to send.

use std::time::Duration;

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
    let mut waits: Vec<Duration> = accepted
        .iter()
        .map(|message| message.acked.duration_since(message.intended).try_into().unwrap_or_default())
        .collect();
    waits.sort_unstable();
    let at = |percent: usize| {
        let rank = (waits.len() * percent).div_ceil(100);
        waits.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    };
    Latencies { p50: at(50), p95: at(95), p99: at(99) }
}

#[cfg(test)]
mod tests {
    use super::super::planted::clean;
    use super::*;

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
