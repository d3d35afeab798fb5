//! What the operator says about itself in numbers.

mod scaling;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub use scaling::ScalingMetrics;

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, EncodeLabelValue, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// Everything was applied.
    Applied,
    /// Something must come first: Kafka, the migration.
    Waiting,
    /// The resource cannot work as it is.
    Refused,
    /// A step failed.
    Failed,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByOutcome {
    outcome: Outcome,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByReadiness {
    ready: Readiness,
}

#[derive(Clone, Copy, Debug, EncodeLabelValue, Eq, Hash, PartialEq)]
enum Readiness {
    True,
    False,
}

/// The metrics of reconciles. Clones share their numbers.
#[derive(Clone)]
pub struct Metrics {
    reconciles: Family<ByOutcome, Counter>,
    duration: Histogram,
    leader: Gauge,
    clusters: Family<ByReadiness, Gauge>,
    ready: Arc<Mutex<HashMap<(String, String), bool>>>,
    scaling: ScalingMetrics,
}

impl Metrics {
    /// Metrics that are served by `registry`, with those of the process.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            reconciles: Family::default(),
            // From a look at caches to a wait for time-outs.
            duration: Histogram::new([0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]),
            leader: Gauge::default(),
            clusters: Family::default(),
            ready: Arc::default(),
            scaling: ScalingMetrics::default(),
        };
        chat4all_process::register(registry);
        let registry = registry.sub_registry_with_prefix("chat4all_operator");
        registry.register("reconciles", "Reconciles, by how they ended", metrics.reconciles.clone());
        registry.register_with_unit(
            "reconcile_duration",
            "How long reconciles took",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register("leader", "1 while this operator leads", metrics.leader.clone());
        registry.register("clusters", "Chat4AllClusters, by their condition Ready", metrics.clusters.clone());
        metrics.scaling.register(registry);
        metrics
    }

    /// Those of the scaling of routers.
    pub fn scaling(&self) -> ScalingMetrics {
        self.scaling.clone()
    }

    /// Counts a reconcile.
    pub fn reconciled(&self, outcome: Outcome, took: Duration) {
        self.reconciles.get_or_create(&ByOutcome { outcome }).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// Says whether this operator leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// Notes whether a cluster is ready; `None` when it is gone.
    pub fn cluster(&self, namespace: &str, name: &str, ready: Option<bool>) {
        let mut all = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (namespace.to_owned(), name.to_owned());
        match ready {
            Some(ready) => drop(all.insert(key, ready)),
            None => drop(all.remove(&key)),
        }
        let count = |wanted: bool| i64::try_from(all.values().filter(|ready| **ready == wanted).count());
        for (ready, wanted) in [(Readiness::True, true), (Readiness::False, false)] {
            self.clusters.get_or_create(&ByReadiness { ready }).set(count(wanted).unwrap_or(i64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_counted_by_readiness_and_forgotten_when_gone() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.cluster("one", "a", Some(true));
        metrics.cluster("one", "b", Some(false));
        metrics.cluster("one", "b", Some(true));
        metrics.cluster("one", "a", None);
        metrics.reconciled(Outcome::Applied, Duration::from_millis(5));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("chat4all_operator_clusters{ready=\"True\"} 1"), "{text}");
        assert!(text.contains("chat4all_operator_clusters{ready=\"False\"} 0"), "{text}");
        assert!(text.contains("chat4all_operator_reconciles_total{outcome=\"Applied\"} 1"), "{text}");
        assert!(text.contains("chat4all_operator_reconcile_duration_seconds_count 1"), "{text}");
    }
}
