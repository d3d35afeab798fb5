//! Clusters must not share topics or tables: their consumer groups would take each other's messages.
//! A tenant is a cluster of its own (see the design), so this is also what keeps tenants apart.
//! Best effort: it compares what resources say, not where the names lead.

use std::collections::HashSet;

use crate::address::HostPort;
use crate::api::Chat4AllClusterSpec;
use crate::validate::Problem;

/// A cluster that existed earlier, and what it holds.
#[derive(Clone, Debug)]
pub struct Neighbour {
    /// `namespace/name`.
    pub name: String,
    holdings: Holdings,
}

/// The places of a cluster on its engines.
#[derive(Clone, Debug)]
struct Holdings {
    brokers: HashSet<HostPort>,
    topic_prefix: String,
    nodes: HashSet<HostPort>,
    keyspace: String,
}

impl Holdings {
    fn of(namespace: &str, spec: &Chat4AllClusterSpec) -> Self {
        let places = |texts: &[String]| {
            texts
                .iter()
                .filter_map(|text| text.parse::<HostPort>().ok())
                .map(|place| place.seen_from_another_namespace(namespace).place())
                .collect()
        };
        Self {
            brokers: places(&spec.kafka.bootstrap_servers),
            topic_prefix: spec.kafka.topic_prefix.clone(),
            nodes: places(&spec.store.contact_points),
            keyspace: spec.store.keyspace.clone(),
        }
    }
}

impl Neighbour {
    /// What this resource holds.
    pub fn new(namespace: &str, name: &str, spec: &Chat4AllClusterSpec) -> Self {
        Self { name: format!("{namespace}/{name}"), holdings: Holdings::of(namespace, spec) }
    }

    /// What of this neighbour's a later resource would take.
    pub fn conflict_with(&self, namespace: &str, spec: &Chat4AllClusterSpec) -> Option<Problem> {
        let (held, wanted) = (&self.holdings, Holdings::of(namespace, spec));
        if held.topic_prefix == wanted.topic_prefix && !held.brokers.is_disjoint(&wanted.brokers) {
            return Some(Problem::new(
                "spec.kafka.topicPrefix",
                format!("{:?} is in use on this Kafka by Chat4AllCluster {}", wanted.topic_prefix, self.name),
                "create this cluster with a prefix of its own",
            ));
        }
        if held.keyspace == wanted.keyspace && !held.nodes.is_disjoint(&wanted.nodes) {
            return Some(Problem::new(
                "spec.store.keyspace",
                format!("{:?} is in use on this store by Chat4AllCluster {}", wanted.keyspace, self.name),
                "create this cluster with a keyspace of its own",
            ));
        }
        None
    }
}
