//! What is waited for, as pure functions of an object, each with its words.

use std::fmt;

use ::kube::ResourceExt as _;
use chat4all_operator::api::Chat4AllCluster;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1;

/// Says how an object is instead, if it is not as it should be.
type Judge<K> = dyn Fn(&K) -> Result<(), String> + Send + Sync;

/// Something that can be true of an object.
pub struct Condition<K> {
    what: String,
    judge: Box<Judge<K>>,
}

impl<K> Condition<K> {
    /// A condition: its words, which follow the name of the object ("is ready"), and its judge.
    pub fn new(what: impl Into<String>, judge: impl Fn(&K) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self { what: what.into(), judge: Box::new(judge) }
    }

    /// Whether it is true of this object.
    pub fn holds(&self, object: &K) -> Result<(), String> {
        (self.judge)(object)
    }
}

impl<K> fmt::Display for Condition<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// A Deployment runs what it asks for: the controller has seen this generation, and every replica
/// is updated and available, and no other is left.
pub fn rolled_out() -> Condition<Deployment> {
    Condition::new("is rolled out", |deployment: &Deployment| {
        let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
        let status = deployment.status.clone().unwrap_or_default();
        let observed = status.observed_generation >= deployment.metadata.generation;
        let [all, updated, available] =
            [status.replicas, status.updated_replicas, status.available_replicas].map(Option::unwrap_or_default);
        if observed && [all, updated, available] == [wanted; 3] {
            Ok(())
        } else {
            Err(format!(
                "{wanted} replicas wanted; {all} exist, {updated} updated, {available} available; generation {}seen",
                if observed { "" } else { "not yet " }
            ))
        }
    })
}

/// A Deployment runs what it asks for, and asks for so many replicas.
pub fn rolled_out_with(replicas: u32) -> Condition<Deployment> {
    let rolled_out = rolled_out();
    Condition::new(format!("is rolled out with {replicas} replicas"), move |deployment: &Deployment| {
        let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).and_then(|n| u32::try_from(n).ok());
        match wanted == Some(replicas) {
            true => rolled_out.holds(deployment),
            false => Err(format!("it asks for {wanted:?} replicas")),
        }
    })
}

/// A pod that is not being deleted is ready.
pub fn running() -> Condition<Pod> {
    Condition::new("is ready", |pod: &Pod| {
        let status = pod.status.clone().unwrap_or_default();
        let ready = status.conditions.iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True");
        match &pod.metadata.deletion_timestamp {
            Some(since) => Err(format!("{} is being deleted since {}", pod.name_any(), since.0)),
            None if ready => Ok(()),
            None => Err(format!("{} is {} and not ready", pod.name_any(), status.phase.unwrap_or_default())),
        }
    })
}

/// A cluster's condition Ready is True, and about the newest generation.
pub fn ready() -> Condition<Chat4AllCluster> {
    shows("Ready", "True", "")
}

/// A cluster's condition of this type has this status, speaks of the newest generation, and its
/// message contains these words.
pub fn shows(type_: &'static str, wanted: &'static str, words: &'static str) -> Condition<Chat4AllCluster> {
    let what = if words.is_empty() {
        format!("shows {type_}={wanted}")
    } else {
        format!("shows {type_}={wanted} with {words:?} in its message")
    };
    condition_of(what, type_, move |found| found.status == wanted && found.message.contains(words))
}

/// A cluster's condition of this type has one of these reasons, and speaks of the newest generation.
pub fn because(type_: &'static str, reasons: &'static [&'static str]) -> Condition<Chat4AllCluster> {
    let what = format!("shows {type_} because of {}", reasons.join(" or "));
    condition_of(what, type_, move |found| reasons.contains(&found.reason.as_str()))
}

/// A cluster's condition of this type speaks of the newest generation and is as it should be.
fn condition_of(
    what: String,
    type_: &'static str,
    is_right: impl Fn(&v1::Condition) -> bool + Send + Sync + 'static,
) -> Condition<Chat4AllCluster> {
    Condition::new(what, move |cluster: &Chat4AllCluster| {
        let conditions = cluster.status.iter().flat_map(|status| &status.conditions);
        let all: Vec<_> =
            conditions.clone().map(|c| format!("{}={} ({}: {})", c.type_, c.status, c.reason, c.message)).collect();
        let Some(found) = conditions.clone().find(|c| c.type_ == type_) else {
            return Err(format!("no condition {type_}; there are: {}", all.join(", ")));
        };
        let current = found.observed_generation == cluster.metadata.generation;
        if current && is_right(found) {
            return Ok(());
        }
        let age = if current { "" } else { "about an older generation: " };
        Err(format!("{age}{}", all.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(generation: i64, replicas: i32, updated: i32, available: i32) -> Deployment {
        serde_json::from_value(json!({
            "metadata": {"generation": 2},
            "spec": {"replicas": 2, "selector": {}, "template": {}},
            "status": {"observedGeneration": generation, "replicas": replicas, "updatedReplicas": updated, "availableReplicas": available},
        }))
        .unwrap()
    }

    #[test]
    fn a_deployment_is_rolled_out_when_nothing_old_and_nothing_unready_is_left() {
        let rolled_out = rolled_out();
        assert_eq!(rolled_out.holds(&deployment(2, 2, 2, 2)), Ok(()));
        for unfinished in
            [deployment(1, 2, 2, 2), deployment(2, 3, 2, 2), deployment(2, 2, 1, 2), deployment(2, 2, 2, 1)]
        {
            assert!(rolled_out.holds(&unfinished).unwrap_err().contains("2 replicas wanted"));
        }
    }

    #[test]
    fn a_pod_that_is_being_deleted_is_not_running_even_if_it_is_ready() {
        let mut pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p"},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        }))
        .unwrap();
        assert_eq!(running().holds(&pod), Ok(()));
        pod.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        assert!(running().holds(&pod).unwrap_err().contains("being deleted"));
    }
}
