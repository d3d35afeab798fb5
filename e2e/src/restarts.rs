//! Containers that were started again: a crash, a failed liveness probe or too little memory would
//! else pass unseen behind a load that loses nothing. Pure.

use std::collections::BTreeMap;

use ::kube::ResourceExt as _;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

/// How often the containers of each pod were started again, by the pod's name.
pub type Restarts = BTreeMap<String, i32>;

/// The counts of these pods.
pub fn restarts(pods: &[Pod]) -> Restarts {
    let count = |pod: &Pod| statuses(pod).map(|status| status.restart_count).sum();
    pods.iter().map(|pod| (pod.name_any(), count(pod))).collect()
}

/// A line for each pod with more restarts than before; a pod that was not there before had none.
pub fn restarted(before: &Restarts, pods: &[Pod]) -> Vec<String> {
    let more = |pod: &&Pod| {
        let now = restarts(std::slice::from_ref(*pod));
        now.iter().any(|(name, count)| *count > before.get(name).copied().unwrap_or(0))
    };
    let why = |pod: &Pod| {
        let ended = statuses(pod).filter_map(|status| status.last_state.clone()?.terminated);
        ended
            .map(|e| format!("{} with exit code {}", e.reason.unwrap_or_default(), e.exit_code))
            .collect::<Vec<_>>()
            .join(", ")
    };
    pods.iter()
        .filter(more)
        .map(|pod| format!("restarted: a container of {} ended: {}", pod.name_any(), why(pod)))
        .collect()
}

/// What a pod tells of its containers.
pub(crate) fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, restarts: i32) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": name},
            "status": {"containerStatuses": [{
                "name": "c", "image": "", "imageID": "", "ready": true, "restartCount": restarts,
                "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            }]},
        }))
        .unwrap()
    }

    #[test]
    fn a_pod_that_restarted_since_is_named_with_the_reason() {
        let before = restarts(&[pod("old", 2), pod("steady", 1)]);
        let told = restarted(&before, &[pod("old", 3), pod("steady", 1), pod("new", 0), pod("newer", 1)]);
        assert_eq!(
            told,
            [
                "restarted: a container of old ended: OOMKilled with exit code 137",
                "restarted: a container of newer ended: OOMKilled with exit code 137",
            ]
        );
    }
}
