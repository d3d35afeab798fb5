//! What is said about workloads in the resource: image, replicas, resources, Service, Secrets.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::autoscaling::Autoscaling;

/// Where the image of the workloads comes from.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Repository of the image, without a tag; the tag is spec.version.
    /// Default: chat4all/chat4all.
    #[serde(default = "default_repository")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._/:-]*[A-Za-z0-9]$"))]
    pub repository: String,

    /// When the image is pulled: Always, IfNotPresent or Never. Default: IfNotPresent.
    #[serde(default)]
    pub pull_policy: PullPolicy,
}

impl Default for Image {
    fn default() -> Self {
        Self { repository: default_repository(), pull_policy: PullPolicy::default() }
    }
}

fn default_repository() -> String {
    "chat4all/chat4all".to_owned()
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(inline)]
pub enum PullPolicy {
    /// Before each start of a container.
    Always,
    /// When the node does not have it.
    #[default]
    IfNotPresent,
    /// Never; the node must have it.
    Never,
}

impl PullPolicy {
    /// The word that Kubernetes uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// The API that clients and providers call.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Api {
    /// Number of API pods, 0 to 100. Default: 2.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,

    /// CPU and memory of one API pod.
    #[serde(default)]
    pub resources: Resources,

    /// Secret in the same namespace with two keys: jwt-key (at least 32 random bytes, signs access
    /// tokens) and users.yaml (a list of username, passwordHash and role). A changed Secret rolls
    /// the API.
    pub auth_secret_ref: SecretReference,

    /// How the API is reached.
    #[serde(default)]
    pub service: Service,
}

/// The routers.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Router {
    /// Number of router pods, 0 to 1000 and at most spec.kafka.partitions. This is what
    /// kubectl scale and other autoscalers change. While spec.router.autoscaling is on it says only
    /// with how many a new cluster begins. Default: 2.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,

    /// CPU and memory of one router pod.
    #[serde(default)]
    pub resources: Resources,

    /// Whether and how the number of router pods follows the work that waits in Kafka.
    #[serde(default)]
    pub autoscaling: Autoscaling,
}

impl Default for Router {
    fn default() -> Self {
        Self { replicas: two(), resources: Resources::default(), autoscaling: Autoscaling::default() }
    }
}

pub(super) fn two() -> i32 {
    2
}

/// CPU and memory of one pod, as in a container's resources.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What the scheduler keeps free for a pod. Default: cpu 20m, memory 48Mi.
    #[serde(default = "default_requests")]
    #[schemars(schema_with = "quantities")]
    pub requests: BTreeMap<String, Quantity>,

    /// What a pod may use at most; above its memory limit it is restarted. Default: memory 256Mi,
    /// no limit of CPU.
    #[serde(default = "default_limits")]
    #[schemars(schema_with = "quantities")]
    pub limits: BTreeMap<String, Quantity>,
}

impl Default for Resources {
    fn default() -> Self {
        Self { requests: default_requests(), limits: default_limits() }
    }
}

fn default_requests() -> BTreeMap<String, Quantity> {
    BTreeMap::from([quantity("cpu", "20m"), quantity("memory", "48Mi")])
}

fn default_limits() -> BTreeMap<String, Quantity> {
    BTreeMap::from([quantity("memory", "256Mi")])
}

fn quantity(resource: &str, amount: &str) -> (String, Quantity) {
    (resource.to_owned(), Quantity(amount.to_owned()))
}

/// A map of quantities, checked where it is written instead of when a pod is created. The pattern is
/// the grammar of quantities in the Kubernetes API reference, without negative amounts.
fn quantities(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {
            "x-kubernetes-int-or-string": true,
            "pattern": r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]+))?$",
        }
    })
}

/// The name of a Secret in the namespace of the resource.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// Name of the Secret.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,
}

/// How the API is reached from outside its pods.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[x_kube(validation = Rule::new("!has(self.nodePort) || self.type == 'NodePort'").message(
    "spec.api.service.nodePort is only for type NodePort; remove it or set spec.api.service.type to NodePort"
).field_path(".nodePort"))]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Type of the Service: ClusterIP (inside the cluster only), NodePort or LoadBalancer. Its port
    /// is 80. Default: ClusterIP.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,

    /// Port that each node opens, with type NodePort; usually 30000 to 32767. Without it Kubernetes
    /// chooses one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub node_port: Option<i32>,
}

/// Type of a Service.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(inline)]
pub enum ServiceType {
    /// Inside the cluster only.
    #[default]
    ClusterIP,
    /// On a port of each node.
    NodePort,
    /// By a load balancer of the platform.
    LoadBalancer,
}
