//! The rules by which the number of routers follows the work.

use std::time::Duration;

use super::seconds;
use crate::api::{Autoscaling, Chat4AllClusterSpec};
use crate::model::Scaling;
use crate::scaling::Policy;

/// From a change of the number until it brings something: a router pod was ready after 3 to 5 s, and a
/// group paused for 2.4 s at most when a member came or went.
const REBALANCE: Duration = Duration::from_secs(10);

/// Field, value, least and most.
type Number = (String, i32, i32, i32);

/// The numbers whose bounds the schema gives.
pub(super) fn numbers(spec: &Chat4AllClusterSpec) -> Vec<Number> {
    let scaling = &spec.router.autoscaling;
    let field = |name: &str| format!("spec.router.autoscaling.{name}");
    // More than there are partitions is allowed for the maximum, and cut.
    let most = scaling.max_replicas.unwrap_or(i32::MAX).min(spec.kafka.partitions).max(1);
    vec![
        (field("maxReplicas"), scaling.max_replicas.unwrap_or(1), 1, 1000),
        (field("minReplicas"), scaling.min_replicas, 1, most),
        (field("drainTargetSeconds"), scaling.drain_target_seconds, 10, 3600),
        (field("targetUtilization"), scaling.target_utilization, 10, 100),
        (field("scaleDownStabilizationSeconds"), scaling.scale_down_stabilization_seconds, 0, 3600),
        (field("cooldownSeconds"), scaling.cooldown_seconds, 0, 3600),
        (field("pollIntervalSeconds"), scaling.poll_interval_seconds, 1, 60),
    ]
}

/// The rules for the routers of so many partitions. The numbers have been checked.
pub fn scaling(scaling: &Autoscaling, partitions: i32) -> Scaling {
    let partitions = partitions.unsigned_abs();
    let max = scaling.max_replicas.map_or(partitions, |max| max.unsigned_abs().min(partitions));
    Scaling {
        enabled: scaling.enabled,
        policy: Policy {
            min: scaling.min_replicas.unsigned_abs(),
            max,
            partitions,
            drain_target: seconds(scaling.drain_target_seconds),
            target_utilization: f64::from(scaling.target_utilization) / 100.0,
            stabilization: seconds(scaling.scale_down_stabilization_seconds),
            cooldown: seconds(scaling.cooldown_seconds),
            rebalance: REBALANCE,
        },
        poll: seconds(scaling.poll_interval_seconds),
    }
}
