//! What the operator reports in the resource.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator found when it last looked.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Chat4AllClusterStatus {
    /// The metadata.generation that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready, and what it is made of: SpecValid, SecretsAvailable, KafkaReachable, SchemaReady,
    /// APIAvailable, RouterAvailable and ConnectorsHealthy. A message says which field is concerned,
    /// why, and what to do.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// The routers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<RouterStatus>,

    /// The connectors.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub connectors: Vec<ConnectorStatus>,
}

/// The routers.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouterStatus {
    /// Router pods that exist.
    pub replicas: i32,
    /// Label selector of the router pods, for autoscalers.
    pub selector: String,
}

/// One connector.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorStatus {
    /// Name of the connector.
    pub name: String,
    /// Connector pods that exist.
    pub replicas: i32,
    /// Connector pods that are available.
    pub available_replicas: i32,
}
