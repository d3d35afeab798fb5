//! What a consumer tells about itself.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The metrics of all consumers of a process, by consumer group.
#[derive(Debug, Clone, Default)]
pub struct ConsumerMetrics {
    pub(crate) records: Family<Group, Counter>,
    pub(crate) released: Family<Group, Counter>,
    pub(crate) rebalances: Family<Group, Counter>,
    pub(crate) in_flight: Family<Group, Gauge>,
    pub(crate) partitions: Family<Group, Gauge>,
    pub(crate) paused: Family<Group, Gauge>,
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
        metrics
    }
}
