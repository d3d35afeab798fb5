//! The resource as users write it: `chat4all.io/v1alpha1`, kind `Chat4AllCluster`.
//!
//! Only types, defaults and the rules that the API server checks. The texts become the
//! descriptions of the CRD, so they are written for whoever reads `kubectl explain`. What cannot be
//! said in a schema is checked in [`crate::validate`].

#![allow(rustdoc::bare_urls, rustdoc::invalid_html_tags, reason = "the texts are read by kubectl explain")]

mod autoscaling;
mod connector;
mod crd;
mod engines;
mod status;
mod workload;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

pub use autoscaling::Autoscaling;
pub use connector::{Account, Budget, CircuitBreaker, Connector, Endpoint, OnUnknownOutcome, Retry};
pub use crd::{chart_template, manifest};
pub use engines::{Kafka, Store};
pub use status::{Chat4AllClusterStatus, ConnectorStatus, LearnedStatus, RouterStatus};
pub use workload::{Api, Image, PullPolicy, Resources, Router, SecretReference, Service, ServiceType};

/// The longest name a cluster may have, in characters. With a connector's name of
/// [`MAX_CONNECTOR_NAME`] the longest derived name, `<cluster>-connector-<connector>`, has 63, the
/// limit of a label value.
pub const MAX_CLUSTER_NAME: usize = 32;

/// The longest name a connector may have, in characters; see [`MAX_CLUSTER_NAME`].
pub const MAX_CONNECTOR_NAME: usize = 20;

/// One deployment of Chat4All: its API, its routers and its connectors, on a Kafka and a Cassandra
/// (or ScyllaDB) that it shares with others or has for itself.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "chat4all.io",
    version = "v1alpha1",
    kind = "Chat4AllCluster",
    plural = "chat4allclusters",
    shortname = "c4a",
    namespaced,
    status = "Chat4AllClusterStatus",
    derive = "PartialEq",
    doc = "A Chat4AllCluster describes one whole deployment of Chat4All: an API, routers and connectors to messaging providers, on Kafka and Cassandra. The operator creates the topics, the schema and the workloads, and reports their state under status.conditions.",
    scale(
        spec_replicas_path = ".spec.router.replicas",
        status_replicas_path = ".status.router.replicas",
        label_selector_path = ".status.router.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether everything that the resource asks for runs"
    ),
    printcolumn(
        name = "Router",
        type_ = "integer",
        json_path = ".status.router.replicas",
        description = "Router pods"
    ),
    printcolumn(
        name = "Lag",
        type_ = "integer",
        json_path = ".status.router.lagSeconds",
        description = "Seconds until the routers are through with what waits now, rounded up to a step"
    ),
    printcolumn(
        name = "Version",
        type_ = "string",
        json_path = ".spec.version",
        description = "Version of the workloads"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready or not",
        priority = 1
    ),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$')").message(
        "metadata.name must be at most 32 lower-case letters, digits and dashes, beginning with a letter, because Services and Deployments are named after it; choose another name"
    ),
)]
#[x_kube(
    validation = Rule::new("self.router.replicas <= self.kafka.partitions").message(
        "spec.router.replicas must not be above spec.kafka.partitions, because a router without a partition has nothing to do; lower it or raise spec.kafka.partitions"
    ).field_path(".router.replicas"),
    validation = Rule::new("self.router.autoscaling.minReplicas <= self.kafka.partitions").message(
        "spec.router.autoscaling.minReplicas must not be above spec.kafka.partitions, because a router without a partition has nothing to do; lower it or raise spec.kafka.partitions"
    ).field_path(".router.autoscaling.minReplicas"),
    validation = Rule::new("self.connectors.all(c, c.replicas <= self.kafka.partitions)").message(
        "spec.connectors[].replicas must not be above spec.kafka.partitions, because a connector pod without a partition has nothing to do; lower it or raise spec.kafka.partitions"
    ).field_path(".connectors"),
)]
#[serde(rename_all = "camelCase")]
pub struct Chat4AllClusterSpec {
    /// Version of the workloads: the tag of their image. A change migrates the schema first and
    /// then rolls the workloads one pod at a time.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"))]
    pub version: String,

    /// Where the image of the workloads comes from.
    #[serde(default)]
    pub image: Image,

    /// The Kafka that carries the messages.
    pub kafka: Kafka,

    /// The Cassandra or ScyllaDB that stores the messages.
    pub store: Store,

    /// The API that clients and providers call.
    pub api: Api,

    /// The routers, which store messages and hand each recipient's delivery to a connector.
    #[serde(default)]
    pub router: Router,

    /// The connectors to messaging providers, at most 32. The first connector of a channel carries
    /// that channel's deliveries. A connector that is taken out is removed; its topics and what
    /// they hold stay.
    #[serde(default)]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.all(a, self.exists_one(b, b.name == a.name))").message(
        "spec.connectors[].name must be unique, because topics and workloads are named after it; give each connector a name of its own"
    ))]
    pub connectors: Vec<Connector>,
}

#[cfg(test)]
mod tests;
