//! What routers make of a backlog, together and each.

use std::time::Duration;

use chat4all_measure::{Rounded, rounded};
use serde::Serialize;
use tokio::time::Instant;

use super::backlog;
use crate::cores;
use crate::place::{CONNECTOR, Place};
use crate::process::{Process, mib};

/// The names of the fields are the headings.
#[derive(Serialize)]
pub struct Row {
    partitions: i32,
    replicas: usize,
    messages_per_s: Rounded,
    messages_per_s_of_each: Rounded,
    cpu_s_per_1000: Rounded,
    cores_of_all: Rounded,
    rss_mib_at_most: Rounded,
}

/// What all replicas did between two instants.
struct Done {
    messages: i64,
    time: Duration,
    cpu_seconds: f64,
    /// The most that one of them held, in bytes.
    highest: u64,
}

impl Row {
    fn of(partitions: i32, replicas: usize, done: &Done) -> Self {
        let (messages, seconds) = (done.messages as f64, done.time.as_secs_f64());
        Self {
            partitions,
            replicas,
            messages_per_s: rounded(messages / seconds, 0),
            messages_per_s_of_each: rounded(messages / seconds / replicas as f64, 0),
            cpu_s_per_1000: rounded(1000.0 * done.cpu_seconds / messages, 3),
            cores_of_all: rounded(done.cpu_seconds / seconds, 2),
            rss_mib_at_most: rounded(mib(done.highest), 1),
        }
    }
}

/// Lets a backlog appear before these routers, whose group has formed, and sees them drain it.
pub async fn measure(place: &Place, routers: &[Process], messages: usize) -> Row {
    let progress = place.progress(&place.topics.outbound(CONNECTOR));
    let before = progress.records();
    let all = i64::try_from(messages).unwrap();
    backlog::appear(place, messages);
    let first = progress.until(before + all / 10).await;
    let (begun, cpu) = (Instant::now(), cpu_seconds(routers));
    progress.until(before + all).await;
    let done = Done {
        messages: before + all - first,
        time: begun.elapsed(),
        cpu_seconds: cpu_seconds(routers) - cpu,
        highest: routers.iter().map(|router| router.memory().highest).max().unwrap(),
    };
    Row::of(place.partitions, routers.len(), &done)
}

fn cpu_seconds(routers: &[Process]) -> f64 {
    routers.iter().map(|router| cores::of_process(&router.pid.to_string())).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn replicas_share_the_rate_and_a_message_costs_the_cpu_of_all_of_them() {
        let done = Done { messages: 54_000, time: Duration::from_secs(6), cpu_seconds: 8.1, highest: 20 << 20 };
        assert_eq!(
            serde_json::to_value(Row::of(48, 4, &done)).unwrap(),
            json!({
                "partitions": 48,
                "replicas": 4,
                "messages_per_s": 9000,
                "messages_per_s_of_each": 2250,
                "cpu_s_per_1000": 0.15,
                "cores_of_all": 1.35,
                "rss_mib_at_most": 20.0,
            })
        );
    }
}
