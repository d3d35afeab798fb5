//! What is said about Kafka and Cassandra in the resource.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The Kafka that carries the messages.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kafka {
    /// Brokers to ask first, each as host:port. One that answers is enough to find the others; name
    /// several so that one may be down. A host without a dot is a Service in the namespace of this
    /// resource.
    #[schemars(schema_with = "addresses")]
    pub bootstrap_servers: Vec<String>,

    /// Put before the name of each topic and consumer group, as it is, so that several clusters can
    /// share one Kafka. Cannot be changed later. Default: none.
    #[serde(default)]
    #[schemars(length(max = 100), regex(pattern = "^[A-Za-z0-9._-]*$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message(
        "spec.kafka.topicPrefix cannot be changed, because what waits in the topics would be left behind; create another Chat4AllCluster with the new prefix"
    ))]
    pub topic_prefix: String,

    /// Partitions of each topic, 1 to 1000: the most pods that can share its work. Twelve divide
    /// evenly among 1, 2, 3, 4, 6 and 12 pods. It can be raised later, but that moves
    /// conversations to other partitions, so raise it when little is in flight. Default: 12.
    #[serde(default = "default_partitions")]
    #[schemars(range(min = 1, max = 1000))]
    #[x_kube(validation = Rule::new("self >= oldSelf").message(
        "spec.kafka.partitions can only be raised, because Kafka cannot take partitions away; set it to the former number or more"
    ))]
    pub partitions: i32,

    /// Copies of each record on different brokers, 1 to 15, used when a topic is created; an
    /// existing topic is left as it is. With 3 or more, two copies must have a message before it
    /// counts as accepted. Default: 3.
    #[serde(default = "default_replication_factor")]
    #[schemars(range(min = 1, max = 15))]
    pub replication_factor: i32,

    /// Seconds without a heartbeat after which the partitions of a router or connector go to the
    /// other pods, 6 to 300. Default: 10.
    #[serde(default = "default_session_timeout")]
    #[schemars(range(min = 6, max = 300))]
    pub session_timeout_seconds: i32,
}

fn default_partitions() -> i32 {
    12
}

fn default_replication_factor() -> i32 {
    3
}

fn default_session_timeout() -> i32 {
    10
}

/// The Cassandra or ScyllaDB that stores the messages.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Store {
    /// Nodes to ask first, each as host:port.
    #[schemars(schema_with = "addresses")]
    pub contact_points: Vec<String>,

    /// Keyspace of this cluster. It is created when it does not exist. Cannot be changed later.
    #[schemars(length(min = 1, max = 48), regex(pattern = "^[a-z][a-z0-9_]*$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message(
        "spec.store.keyspace cannot be changed, because the stored messages would be left behind; create another Chat4AllCluster with the new keyspace"
    ))]
    pub keyspace: String,

    /// Replication of the keyspace when it is created, as in CREATE KEYSPACE: class and its
    /// options. Default: class NetworkTopologyStrategy, replication_factor 3.
    #[serde(default = "default_replication")]
    #[schemars(schema_with = "replication")]
    #[x_kube(validation = Rule::new("'class' in self").message(
        "spec.store.replication must name a class, for example NetworkTopologyStrategy; add it"
    ))]
    pub replication: BTreeMap<String, String>,
}

fn default_replication() -> BTreeMap<String, String> {
    BTreeMap::from([
        ("class".to_owned(), "NetworkTopologyStrategy".to_owned()),
        ("replication_factor".to_owned(), "3".to_owned()),
    ])
}

fn replication(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[A-Za-z0-9_.-]+$"}
    })
}

/// A list of host:port; a host is a name, an IPv4 address or an IPv6 address in brackets. A rule
/// instead of a pattern, because a rule can say what is wrong.
fn addresses(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 32,
        "items": {
            "type": "string",
            "maxLength": 260,
            "x-kubernetes-validations": [{
                "rule": r"self.matches('^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$')",
                "message": "must be host:port, for example kafka:9092; write a host, a colon and a port from 1 to 65535"
            }]
        }
    })
}
