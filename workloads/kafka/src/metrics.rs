//! What a consumer tells about itself.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::busy::Busy;

/// The metrics of all consumers of a process, by consumer group.
#[derive(Debug, Clone, Default)]
pub struct ConsumerMetrics {
    pub(crate) records: Family<Group, Counter>,
    pub(crate) released: Family<Group, Counter>,
    pub(crate) rebalances: Family<Group, Counter>,
    pub(crate) in_flight: Family<Group, Gauge>,
    pub(crate) partitions: Family<Group, Gauge>,
    pub(crate) paused: Family<Group, Gauge>,
    pub(crate) busy: Busy,
}

/// The label that tells consumers apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Group {
    pub(crate) group: String,
}

impl ConsumerMetrics {
    /// Metrics in this registry; once for each process.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("consumer_records", "Records handled to their end", metrics.records.clone());
        registry.register(
            "consumer_records_released",
            "Records left to the next owner of their partition",
            metrics.released.clone(),
        );
        registry.register("consumer_rebalances", "Assignments and revocations", metrics.rebalances.clone());
        registry.register("consumer_in_flight_records", "Records waiting or at work", metrics.in_flight.clone());
        registry.register("consumer_partitions", "Partitions owned", metrics.partitions.clone());
        registry.register("consumer_paused_partitions", "Partitions paused", metrics.paused.clone());
        registry.register_with_unit(
            "consumer_busy",
            "Time that this process was busy, in equivalents of its full capacity",
            Unit::Seconds,
            metrics.busy.seconds.clone(),
        );
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_finds_what_it_reads() {
        let mut registry = Registry::default();
        let metrics = ConsumerMetrics::register(registry.sub_registry_with_prefix("chat4all"));
        let group = Group { group: "router-worker-group".into() };
        metrics.rebalances.get_or_create(&group).inc();
        metrics.partitions.get_or_create(&group).set(12);
        metrics.busy.seconds.inc_by(1.5);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            r#"chat4all_consumer_rebalances_total{group="router-worker-group"} 1"#,
            r#"chat4all_consumer_partitions{group="router-worker-group"} 12"#,
            "chat4all_consumer_busy_seconds_total 1.5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}: {text}");
        }
    }
}
