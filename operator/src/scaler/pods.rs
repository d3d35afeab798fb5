//! What the router pods say about themselves: how busy they were, and whether their partitions
//! stayed the same meanwhile. [`together`] judges it and is pure.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;

use crate::scaling::Pods;
use crate::scrape::Scraper;

/// What one router pod says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodReading {
    /// Seconds that it was busy since it began.
    pub busy_seconds: f64,
    /// Assignments and revocations since it began, of all its groups.
    pub rebalances: u64,
    /// Partitions that it owns now, by consumer group.
    pub partitions: BTreeMap<String, u32>,
}

/// What each pod that was asked says, by its address; none where it gave no answer.
pub type Readings = BTreeMap<String, Option<PodReading>>;

/// Asks router pods for their metrics.
#[async_trait]
pub trait PodSource: Send + Sync {
    /// Asks all of these addresses (IPs of pods) at once; takes about a second at most.
    async fn ask(&self, addresses: &[String]) -> Readings;
}

/// What the pods say together about the time between two looks. `pods` is how many there should be,
/// `partitions` how many each of their consumer groups has.
pub fn together(
    before: &Readings,
    now: &Readings,
    elapsed: Duration,
    pods: u32,
    partitions: &BTreeMap<&str, u32>,
) -> Pods {
    let all = |readings: &Readings| readings.values().all(Option::is_some);
    if before.is_empty() || now.is_empty() || !all(before) || !all(now) || elapsed.is_zero() {
        return Pods::Unknown;
    }
    if now.len() != pods as usize || !now.keys().eq(before.keys()) {
        return Pods::Rebalancing;
    }
    let mut busy = 0.0;
    let mut owned: BTreeMap<&str, u32> = BTreeMap::new();
    for (earlier, later) in before.values().flatten().zip(now.values().flatten()) {
        // A counter that went back is another process behind the same address.
        if earlier.rebalances != later.rebalances || earlier.busy_seconds > later.busy_seconds {
            return Pods::Rebalancing;
        }
        busy += ((later.busy_seconds - earlier.busy_seconds) / elapsed.as_secs_f64()).min(1.0);
        for (group, count) in &later.partitions {
            *owned.entry(group).or_default() += count;
        }
    }
    if partitions.iter().any(|(group, wanted)| owned.get(group) != Some(wanted)) {
        return Pods::Rebalancing;
    }
    Pods::Stable { busy: busy / f64::from(pods) }
}

/// [`PodSource`] over plain HTTP.
#[derive(Default)]
pub struct HttpPods(Scraper);

#[async_trait]
impl PodSource for HttpPods {
    async fn ask(&self, addresses: &[String]) -> Readings {
        let ask = |address: &String| {
            let address = address.clone();
            async move {
                let text = self.0.text(&address).await;
                let reading =
                    text.and_then(|text| parse(&text).ok_or_else(|| "serves no metrics of a router".to_owned()));
                let reading =
                    reading.inspect_err(|error| tracing::debug!(address, error, "a router pod did not answer"));
                (address, reading.ok())
            }
        };
        join_all(addresses.iter().map(ask)).await.into_iter().collect()
    }
}

/// Reads the few lines that matter of an OpenMetrics text; none when it does not hold them.
fn parse(text: &str) -> Option<PodReading> {
    let mut reading = PodReading::default();
    let mut complete = false;
    for line in text.lines().filter(|line| line.starts_with("chat4all_consumer_")) {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        match name {
            "chat4all_consumer_busy_seconds_total" => {
                reading.busy_seconds = value.parse().ok()?;
                complete = true;
            }
            "chat4all_consumer_rebalances_total" => reading.rebalances += value.parse::<u64>().ok()?,
            "chat4all_consumer_partitions" => {
                let group = labels.strip_prefix("group=\"")?.strip_suffix("\"}")?;
                reading.partitions.insert(group.to_owned(), value.parse().ok()?);
            }
            _ => {}
        }
    }
    complete.then_some(reading)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use rstest::rstest;

    use super::*;
    use crate::scrape::PATIENCE;

    const TEXT: &str = r#"# HELP chat4all_consumer_records Records handled to their end.
# TYPE chat4all_consumer_records counter
chat4all_consumer_records_total{group="acme.router-worker-group"} 120
# HELP chat4all_consumer_rebalances Assignments and revocations.
# TYPE chat4all_consumer_rebalances counter
chat4all_consumer_rebalances_total{group="acme.router-worker-group"} 3
chat4all_consumer_rebalances_total{group="acme.router-status-group"} 2
# TYPE chat4all_consumer_partitions gauge
chat4all_consumer_partitions{group="acme.router-worker-group"} 6
chat4all_consumer_partitions{group="acme.router-status-group"} 12
chat4all_consumer_paused_partitions{group="acme.router-worker-group"} 1
# TYPE chat4all_consumer_busy_seconds counter
# UNIT chat4all_consumer_busy_seconds seconds
chat4all_consumer_busy_seconds_total 12.25
process_resident_memory_bytes 8192
# EOF
"#;

    const MESSAGES: &str = "acme.router-worker-group";
    const STATUSES: &str = "acme.router-status-group";
    const FIVE_SECONDS: Duration = Duration::from_secs(5);

    fn reading(busy_seconds: f64, rebalances: u64, messages: u32, statuses: u32) -> Option<PodReading> {
        let partitions = BTreeMap::from([(MESSAGES.to_owned(), messages), (STATUSES.to_owned(), statuses)]);
        Some(PodReading { busy_seconds, rebalances, partitions })
    }

    fn readings<const N: usize>(pods: [Option<PodReading>; N]) -> Readings {
        pods.into_iter().enumerate().map(|(n, reading)| (format!("10.0.0.{n}"), reading)).collect()
    }

    fn judged(before: &Readings, now: &Readings, pods: u32) -> Pods {
        together(before, now, FIVE_SECONDS, pods, &BTreeMap::from([(MESSAGES, 12), (STATUSES, 12)]))
    }

    #[test]
    fn the_metrics_of_a_router_are_read() {
        let expected = reading(12.25, 5, 6, 12);
        assert_eq!(parse(TEXT), expected);
        assert_eq!(parse("chat4all_api_requests_total 3\n# EOF\n"), None);
        assert_eq!(parse("chat4all_consumer_busy_seconds_total many\n"), None);
    }

    #[test]
    fn pods_that_kept_their_partitions_say_how_busy_they_were() {
        let before = readings([reading(10.0, 2, 6, 6), reading(40.0, 3, 6, 6)]);
        let now = readings([reading(11.0, 2, 6, 6), reading(44.0, 3, 6, 6)]);
        assert_eq!(judged(&before, &now, 2), Pods::Stable { busy: 0.5 });
    }

    #[test]
    fn an_answer_that_came_late_makes_nobody_busier_than_busy() {
        let before = readings([reading(10.0, 2, 12, 12)]);
        let now = readings([reading(15.5, 2, 12, 12)]);
        assert_eq!(judged(&before, &now, 1), Pods::Stable { busy: 1.0 });
    }

    #[rstest]
    #[case::a_rebalance_was_counted(readings([reading(11.0, 3, 6, 6), reading(11.0, 3, 6, 6)]))]
    #[case::a_process_began_anew(readings([reading(0.5, 2, 6, 6), reading(11.0, 2, 6, 6)]))]
    #[case::a_partition_is_nobodys(readings([reading(11.0, 2, 6, 6), reading(11.0, 2, 5, 6)]))]
    #[case::a_partition_is_held_twice(readings([reading(11.0, 2, 6, 6), reading(11.0, 2, 6, 7)]))]
    #[case::a_pod_is_missing(readings([reading(11.0, 2, 12, 12)]))]
    #[case::a_pod_is_new(readings([reading(11.0, 2, 6, 6), reading(11.0, 2, 6, 6), reading(0.1, 2, 0, 0)]))]
    fn a_group_that_changes_is_rebalancing(#[case] now: Readings) {
        let before = readings([reading(10.0, 2, 6, 6), reading(10.0, 2, 6, 6)]);
        assert_eq!(judged(&before, &now, 2), Pods::Rebalancing);
    }

    #[test]
    fn a_pod_that_another_replaced_is_a_rebalance() {
        let before = readings([reading(10.0, 2, 12, 12)]);
        let now = Readings::from([("10.0.0.9".to_owned(), reading(11.0, 2, 12, 12))]);
        assert_eq!(judged(&before, &now, 1), Pods::Rebalancing);
    }

    #[test]
    fn a_pod_that_does_not_answer_leaves_it_unknown() {
        let all = readings([reading(10.0, 2, 6, 6), reading(10.0, 2, 6, 6)]);
        let one = readings([reading(11.0, 2, 6, 6), None]);
        assert_eq!(judged(&all, &one, 2), Pods::Unknown);
        assert_eq!(judged(&one, &all, 2), Pods::Unknown);
        assert_eq!(judged(&Readings::new(), &all, 2), Pods::Unknown);
        assert_eq!(judged(&Readings::new(), &Readings::new(), 0), Pods::Unknown);
    }

    #[tokio::test]
    async fn pods_are_asked_at_once_and_the_silent_ones_are_not_waited_for() {
        let answers = Router::new().route("/metrics", get(async || TEXT));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, answers).await });
        // Takes connections and says nothing.
        let _silent = tokio::net::TcpListener::bind(("127.0.0.2", port)).await.unwrap();

        let pods = HttpPods(Scraper::at(port));
        let asked = std::time::Instant::now();
        // At the third nobody listens.
        let readings = pods.ask(&["127.0.0.1", "127.0.0.2", "127.0.0.3", "a-name"].map(String::from)).await;
        assert!(asked.elapsed() < PATIENCE * 2, "one time-out for all");
        assert_eq!(readings["127.0.0.1"], parse(TEXT));
        assert_eq!(readings.len(), 4);
        assert_eq!(readings.values().flatten().count(), 1);
    }
}
