//! How far a Deployment is from what its spec asks for. Pure.

use k8s_openapi::api::apps::v1::Deployment;

use crate::trouble::Trouble;

/// A Deployment's state.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rollout {
    /// Name of the Deployment.
    pub name: String,
    /// Pods that it should have.
    pub wanted: i32,
    /// Pods that it has, of whatever version.
    pub existing: i32,
    /// Pods of the current version.
    pub updated: i32,
    /// Pods that are ready, of whatever version.
    pub available: i32,
    /// Whether the numbers are about the current spec.
    pub observed: bool,
    /// Why it does not get further, when Kubernetes says so.
    pub stuck: Option<String>,
    /// What keeps a pod from running, where that is known.
    pub trouble: Option<Trouble>,
    /// What keeps its pods from their work although they run, where that is known.
    pub ailing: Option<Trouble>,
}

impl Rollout {
    /// Reads the state of a Deployment.
    pub fn of(deployment: &Deployment) -> Self {
        let status = deployment.status.clone().unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let stuck = conditions.iter().find(|c| {
            (c.type_ == "Progressing" && c.status == "False") || (c.type_ == "ReplicaFailure" && c.status == "True")
        });
        Self {
            name: deployment.metadata.name.clone().unwrap_or_default(),
            // The API server's default, for a Deployment without a number.
            wanted: deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            existing: status.replicas.unwrap_or_default(),
            updated: status.updated_replicas.unwrap_or_default(),
            available: status.available_replicas.unwrap_or_default(),
            observed: status.observed_generation >= deployment.metadata.generation,
            stuck: stuck.map(|c| c.message.clone().or_else(|| c.reason.clone()).unwrap_or_default()),
            trouble: None,
            ailing: None,
        }
    }

    /// Everything runs, and runs at the current version.
    pub fn is_complete(&self) -> bool {
        self.observed && [self.available, self.updated, self.existing].iter().all(|count| *count == self.wanted)
    }

    /// It does its work, though perhaps with fewer pods than wanted or with those of the former
    /// version. The number is good whatever spec it is about: pods that were there still are.
    pub fn is_available(&self) -> bool {
        self.available > 0 || self.wanted == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(yaml: &str) -> Rollout {
        Rollout::of(&serde_yaml::from_str(yaml).unwrap())
    }

    #[test]
    fn it_is_complete_when_updated_and_available_match_the_spec() {
        let done = rollout(
            "metadata: {generation: 2}
spec: {replicas: 2, selector: {}, template: {}}
status: {observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2}",
        );
        assert!(done.is_complete());
    }

    #[test]
    fn numbers_about_an_older_spec_do_not_make_it_complete() {
        let behind = rollout(
            "metadata: {generation: 3}
spec: {replicas: 2, selector: {}, template: {}}
status: {observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2}",
        );
        assert!(!behind.is_complete() && behind.is_available());
    }

    #[test]
    fn a_surplus_pod_of_the_former_version_keeps_it_incomplete_but_available() {
        let rolling = rollout(
            "metadata: {generation: 2}
spec: {replicas: 2, selector: {}, template: {}}
status: {observedGeneration: 2, replicas: 3, updatedReplicas: 1, availableReplicas: 2}",
        );
        assert!(rolling.is_available() && !rolling.is_complete());
    }

    #[test]
    fn a_new_deployment_is_neither() {
        let new = rollout("metadata: {generation: 1}\nspec: {replicas: 2, selector: {}, template: {}}");
        assert!(!new.is_available() && !new.is_complete());
    }

    #[test]
    fn none_wanted_and_none_there_is_complete() {
        let none = rollout(
            "metadata: {generation: 1}\nspec: {replicas: 0, selector: {}, template: {}}\nstatus: {observedGeneration: 1}",
        );
        assert!(none.is_complete());
    }

    #[test]
    fn it_is_stuck_when_kubernetes_says_so() {
        let stuck = rollout(
            "metadata: {generation: 1}
spec: {replicas: 1, selector: {}, template: {}}
status: {observedGeneration: 1, conditions: [{type: Progressing, status: 'False', reason: ProgressDeadlineExceeded, message: it timed out}]}",
        );
        assert_eq!(stuck.stuck.as_deref(), Some("it timed out"));
    }
}
