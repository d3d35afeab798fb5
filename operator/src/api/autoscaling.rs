//! What is said about the number of routers in the resource.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Whether and how the number of router pods follows the work that waits in Kafka.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[x_kube(validation = Rule::new("!has(self.maxReplicas) || self.minReplicas <= self.maxReplicas").message(
    "spec.router.autoscaling.minReplicas must not be above maxReplicas; lower it or raise maxReplicas"
).field_path(".minReplicas"))]
#[serde(rename_all = "camelCase")]
pub struct Autoscaling {
    /// Whether the operator sets the number of router pods. Off, spec.router.replicas says it, and
    /// kubectl scale, a HorizontalPodAutoscaler or KEDA may change that; switching it on or off leaves
    /// the number as it is. Default: false.
    #[serde(default)]
    pub enabled: bool,

    /// Fewest router pods, 1 to 1000 and at most spec.kafka.partitions. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: i32,

    /// Most router pods, 1 to 1000. More than spec.kafka.partitions there never are, since a router
    /// without a partition has nothing to do. Default: as many as spec.kafka.partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: Option<i32>,

    /// Time in which what waits should be worked off, 10 to 3600 seconds. Default: 120.
    #[serde(default = "default_drain_target")]
    #[schemars(range(min = 10, max = 3600))]
    pub drain_target_seconds: i32,

    /// Share of what a router can do that steady arrival may use, 10 to 100 percent; the rest is for
    /// what comes on top. Default: 70.
    #[serde(default = "default_target_utilization")]
    #[schemars(range(min = 10, max = 100))]
    pub target_utilization: i32,

    /// How long fewer routers must have been enough before the others go, 0 to 3600 seconds. Default: 300.
    #[serde(default = "default_stabilization")]
    #[schemars(range(min = 0, max = 3600))]
    pub scale_down_stabilization_seconds: i32,

    /// After each change, up or down, how long nothing is changed, 0 to 3600 seconds. Default: 30.
    #[serde(default = "default_cooldown")]
    #[schemars(range(min = 0, max = 3600))]
    pub cooldown_seconds: i32,

    /// How often Kafka is asked how much waits, 1 to 60 seconds; also while enabled is false, for the
    /// column Lag. Default: 5.
    #[serde(default = "default_poll_interval")]
    #[schemars(range(min = 1, max = 60))]
    pub poll_interval_seconds: i32,
}

impl Default for Autoscaling {
    fn default() -> Self {
        Self {
            enabled: false,
            min_replicas: one(),
            max_replicas: None,
            drain_target_seconds: default_drain_target(),
            target_utilization: default_target_utilization(),
            scale_down_stabilization_seconds: default_stabilization(),
            cooldown_seconds: default_cooldown(),
            poll_interval_seconds: default_poll_interval(),
        }
    }
}

fn one() -> i32 {
    1
}

fn default_drain_target() -> i32 {
    120
}

fn default_target_utilization() -> i32 {
    70
}

fn default_stabilization() -> i32 {
    300
}

fn default_cooldown() -> i32 {
    30
}

fn default_poll_interval() -> i32 {
    5
}
