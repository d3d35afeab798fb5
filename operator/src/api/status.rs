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
    /// APIAvailable, RouterAvailable and ConnectorsHealthy. Beside it RouterScaling, which says what
    /// spec.router.autoscaling does and why. ConnectorsHealthy is also False while a provider keeps a
    /// connector from its work (BreakerOpen, TokenExpired, AccountDisconnected, AccountNeedsAttention,
    /// AccountRestricted, AccountSuspended) or deliveries are given up (DeadLettersGrowing); Ready does not
    /// wait for that. A message says which field is concerned, why, and what to
    /// do.
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
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouterStatus {
    /// Router pods that exist.
    pub replicas: i32,
    /// Label selector of the router pods, for autoscalers.
    pub selector: String,
    /// Router pods that the waiting work asks for, while spec.router.autoscaling is on.
    #[serde(default)]
    pub desired: Option<i32>,
    /// Seconds until the routers are through with what waits now, rounded up to one of 0, 1, 5, 10, 30,
    /// 60, 300, 600, 1800, 3600 and 86400. Absent while it is not known.
    #[serde(default)]
    pub lag_seconds: Option<i32>,
    /// The value of spec.router.replicas when scaling was last seen on. Absent while scaling is off, once
    /// the number of routers was handed back.
    #[serde(default)]
    pub replicas_before_scaling: Option<i32>,
    /// What was learned about the routers, for an operator that is started anew.
    #[serde(default)]
    pub learned: Option<LearnedStatus>,
}

/// What was learned about the routers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LearnedStatus {
    /// Records that one busy router finishes in a second, to two digits.
    pub records_per_second: i32,
    /// Status updates that a message brings back, in percent: 300 are three for each message.
    pub statuses_per_hundred_messages: i32,
    /// Changes with what the pods run; what was learned about others is of no use.
    pub pods: String,
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
    /// What keeps it from its work although its pods run, as a reason of ConnectorsHealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ailing: Option<String>,
}
