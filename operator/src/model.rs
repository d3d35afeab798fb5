//! A cluster that can be built: what [`crate::validate`] makes of a resource and what the builders
//! read. A value of these types cannot be wrong. Knows no client and no raw resource.

use std::collections::BTreeMap;
use std::time::Duration;

use chat4all_message::{Channel, Topics};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;

use crate::api::{Account, Budget, Chat4AllCluster, CircuitBreaker, OnUnknownOutcome, PullPolicy, Resources, Retry};
use crate::scaling::Policy;

/// One cluster, checked.
#[derive(Clone, Debug)]
pub struct Model {
    /// Who it is.
    pub identity: Identity,
    /// The image of the workloads.
    pub image: Image,
    /// Kafka and the topics.
    pub kafka: Kafka,
    /// Cassandra or ScyllaDB.
    pub store: Store,
    /// The API.
    pub api: Api,
    /// The routers.
    pub router: Router,
    /// The connectors, in the order of the resource.
    pub connectors: Vec<Connector>,
}

/// Which resource it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid, which no other resource ever has.
    pub uid: String,
    /// Its metadata.generation.
    pub generation: i64,
}

impl Identity {
    /// Reads it from the metadata of the resource. The API server gives each of these; an absent one
    /// becomes empty.
    pub fn of(meta: &ObjectMeta) -> Self {
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            generation: meta.generation.unwrap_or_default(),
        }
    }

    /// The reference that makes Kubernetes delete an object together with the resource.
    pub fn owner_reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: Chat4AllCluster::api_version(&()).into_owned(),
            kind: Chat4AllCluster::kind(&()).into_owned(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }
}

/// The image of the workloads.
#[derive(Clone, Debug)]
pub struct Image {
    /// `repository:tag`.
    pub reference: String,
    /// The tag alone.
    pub version: String,
    /// When it is pulled.
    pub pull_policy: PullPolicy,
}

/// Kafka and the topics.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// The brokers as the workloads see them, `host:port,host:port`.
    pub bootstrap_servers: String,
    /// The brokers as the operator sees them, from its own namespace.
    pub bootstrap_servers_from_afar: String,
    /// Prefix of topics and groups.
    pub topic_prefix: String,
    /// Partitions of the topics that carry work.
    pub partitions: i32,
    /// Copies of each record.
    pub replication_factor: i32,
    /// After this long without a heartbeat a consumer is taken for dead.
    pub session_timeout: Duration,
}

/// A topic that must exist.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its partitions, at least.
    pub partitions: i32,
    /// Copies of each record when it is created.
    pub replication_factor: i32,
}

/// Cassandra or ScyllaDB.
#[derive(Clone, Debug)]
pub struct Store {
    /// `host:port,host:port`.
    pub contact_points: String,
    /// The keyspace.
    pub keyspace: String,
    /// The replication of the keyspace, as CREATE KEYSPACE takes it.
    pub replication: BTreeMap<String, String>,
}

/// A Secret that a workload mounts, and a hash of the keys that it reads there. The content itself
/// goes no further than [`crate::validate`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecretMount {
    /// Name of the Secret.
    pub name: String,
    /// The keys, each a file of that name.
    pub keys: Vec<String>,
    /// Changes when one of the keys does.
    pub content_hash: String,
}

/// The API.
#[derive(Clone, Debug)]
pub struct Api {
    /// Pods.
    pub replicas: i32,
    /// CPU and memory of a pod.
    pub resources: Resources,
    /// Users and the key that signs tokens.
    pub auth: SecretMount,
    /// How it is reached.
    pub exposure: Exposure,
}

/// How the API is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exposure {
    /// Inside the Kubernetes cluster only.
    ClusterIp,
    /// On a port of each node; `None` lets Kubernetes choose it.
    NodePort(Option<i32>),
    /// By a load balancer of the platform.
    LoadBalancer,
}

/// The routers.
#[derive(Clone, Debug)]
pub struct Router {
    /// Pods, while scaling is off.
    pub replicas: i32,
    /// CPU and memory of a pod.
    pub resources: Resources,
    /// How their number follows the work.
    pub scaling: Scaling,
}

impl Router {
    /// Pods that a new Deployment begins with.
    pub fn initial_replicas(&self) -> i32 {
        match self.scaling.enabled {
            true => self.scaling.policy.within_bounds(self.replicas),
            false => self.replicas,
        }
    }
}

/// How the number of routers follows the work.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// Whether the operator sets the number.
    pub enabled: bool,
    /// The rules.
    pub policy: Policy,
    /// How often Kafka is asked.
    pub poll: Duration,
}

/// A connector.
#[derive(Clone, Debug)]
pub struct Connector {
    /// Its name.
    pub name: String,
    /// The channel that it speaks.
    pub channel: Channel,
    /// What it sends with.
    pub credentials: SecretMount,
    /// What the API checks its webhooks with; the same Secret, other keys, or none.
    pub webhook: SecretMount,
    /// The account at the provider.
    pub account: Account,
    /// Where the provider is; `None` for the usual place.
    pub base_url: Option<String>,
    /// Pods.
    pub replicas: i32,
    /// CPU and memory of a pod.
    pub resources: Resources,
    /// How fast it may call; `None` for as fast as the provider usually takes.
    pub budget: Option<Budget>,
    /// When it stops calling.
    pub circuit_breaker: CircuitBreaker,
    /// How it tries again.
    pub retry: Retry,
    /// How long it waits for an answer.
    pub request_timeout: Duration,
    /// What it does when the answer never comes.
    pub on_unknown_outcome: OnUnknownOutcome,
    /// How long it waits for the provider's status where it holds a message.
    pub hold: Duration,
}

/// Partitions of the dead-letter topic, which carries little.
const DEAD_LETTER_PARTITIONS: i32 = 3;

impl Model {
    /// Every topic of the cluster.
    pub fn topics(&self) -> Vec<Topic> {
        let mut topics = self.shared_topics();
        topics.extend(self.connectors.iter().flat_map(|connector| self.topics_of(&connector.name)));
        topics
    }

    /// Those that are there without any connector.
    pub fn shared_topics(&self) -> Vec<Topic> {
        let names = self.names();
        vec![
            self.topic(names.messages(), self.kafka.partitions),
            self.topic(names.status_updates(), self.kafka.partitions),
            self.topic(names.dead_letters(), DEAD_LETTER_PARTITIONS),
        ]
    }

    /// Those of a connector.
    pub fn topics_of(&self, connector: &str) -> Vec<Topic> {
        let names = self.names();
        [names.outbound(connector), names.inbound(connector)].map(|name| self.topic(name, self.kafka.partitions)).into()
    }

    fn names(&self) -> Topics {
        Topics::with_prefix(&self.kafka.topic_prefix)
    }

    fn topic(&self, name: String, partitions: i32) -> Topic {
        Topic { name, partitions, replication_factor: self.kafka.replication_factor }
    }
}
