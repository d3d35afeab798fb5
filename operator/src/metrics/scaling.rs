//! What decides about the number of routers, in numbers, by cluster.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::model::Identity;
use crate::scaling::Decision;

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Cluster {
    namespace: String,
    cluster: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByReason {
    namespace: String,
    cluster: String,
    reason: &'static str,
}

type Measure = Family<Cluster, Gauge<f64, AtomicU64>>;

/// The metrics of the scaling of routers. Clones share their numbers.
#[derive(Clone, Default)]
pub struct ScalingMetrics {
    desired: Family<Cluster, Gauge>,
    arrival: Measure,
    capacity: Measure,
    backlog: Measure,
    drain: Measure,
    hold: Family<ByReason, Gauge>,
    /// The holds that are shown, to take them back.
    held: Arc<Mutex<HashMap<Cluster, &'static str>>>,
}

impl ScalingMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("router");
        registry.register("desired_replicas", "Router pods that the work asks for", self.desired.clone());
        registry.register("arrival_records_per_second", "Records of work that arrive", self.arrival.clone());
        registry.register(
            "capacity_records_per_second",
            "Records of work that one busy router finishes",
            self.capacity.clone(),
        );
        registry.register("backlog_records", "Records of work that wait", self.backlog.clone());
        registry.register_with_unit(
            "drain",
            "How long a record that arrives now waits for those before it",
            Unit::Seconds,
            self.drain.clone(),
        );
        registry.register("scaling_hold", "1 for the reason why the number of routers stays", self.hold.clone());
    }

    /// Notes a decision. A number that is not known is not shown.
    pub fn note(&self, identity: &Identity, decision: &Decision, hold: Option<&'static str>) {
        let cluster = cluster(&identity.namespace, &identity.name);
        self.desired.get_or_create(&cluster).set(decision.desired.into());
        let measures = &decision.measures;
        for (measure, value) in [
            (&self.arrival, measures.arrival),
            (&self.capacity, measures.capacity),
            (&self.backlog, measures.backlog),
            (&self.drain, measures.drain_seconds),
        ] {
            match value {
                Some(value) => _ = measure.get_or_create(&cluster).set(value),
                None => _ = measure.remove(&cluster),
            }
        }
        self.hold(cluster, hold);
    }

    /// The cluster is gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        let cluster = cluster(namespace, name);
        self.desired.remove(&cluster);
        for measure in [&self.arrival, &self.capacity, &self.backlog, &self.drain] {
            measure.remove(&cluster);
        }
        self.hold(cluster, None);
    }

    fn hold(&self, cluster: Cluster, reason: Option<&'static str>) {
        let by = |reason| ByReason { namespace: cluster.namespace.clone(), cluster: cluster.cluster.clone(), reason };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = held.get(&cluster).filter(|former| Some(**former) != reason) {
            self.hold.remove(&by(former));
        }
        match reason {
            Some(reason) => {
                self.hold.get_or_create(&by(reason)).set(1);
                held.insert(cluster, reason);
            }
            None => _ = held.remove(&cluster),
        }
    }
}

fn cluster(namespace: &str, name: &str) -> Cluster {
    Cluster { namespace: namespace.to_owned(), cluster: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaling::{Measures, Verdict};

    #[test]
    fn a_decision_is_shown_until_the_next_and_nothing_is_left_of_a_cluster_that_is_gone() {
        let mut registry = Registry::default();
        let metrics = ScalingMetrics::default();
        metrics.register(&mut registry);
        let text = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        let identity = Identity { namespace: "n".into(), name: "demo".into(), uid: "u".into(), generation: 1 };
        let measures = Measures { backlog: Some(42.0), drain_seconds: Some(2.5), ..Measures::default() };
        let decision = Decision { measures, desired: 3, verdict: Verdict::Keep { limited: None } };

        metrics.note(&identity, &decision, Some("Draining"));
        assert!(text().contains("router_desired_replicas{namespace=\"n\",cluster=\"demo\"} 3"), "{}", text());
        assert!(text().contains("router_drain_seconds{namespace=\"n\",cluster=\"demo\"} 2.5"), "{}", text());
        assert!(text().contains("reason=\"Draining\"} 1"), "{}", text());
        assert!(!text().contains("router_arrival_records_per_second{"), "{}", text());

        metrics.note(&identity, &decision, Some("Stabilizing"));
        assert!(!text().contains("Draining") && text().contains("reason=\"Stabilizing\"} 1"), "{}", text());

        metrics.forget("n", "demo");
        assert!(!text().contains("demo"), "{}", text());
    }
}
