//! Why pods do not run, in the words of those who know: the kubelet, the scheduler, or the last line
//! of the program's log. Deployments and Jobs only count pods; a misspelled version would show as
//! "not available" for ever.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;
use kube::{Api, Client};

use crate::model::Identity;
use crate::names::{Component, selector_line};

/// The label with which Kubernetes marks the pods of a Job.
const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// A pod that runs and is not ready for so long does not just start.
const STARTING: SignedDuration = SignedDuration::from_secs(60);

/// Enough to find a cause; the pods of a part fail alike.
const PODS: u32 = 20;

/// What keeps a pod from running.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// As one word in PascalCase.
    pub reason: &'static str,
    /// The pod, and what is said about it.
    pub message: String,
    /// What to do about it, as a clause.
    pub remedy: &'static str,
}

/// Looks at the pods of a part of a cluster.
///
/// # Errors
/// When the API server cannot be asked.
pub async fn look(client: &Client, identity: &Identity, part: &Component) -> Result<Option<Trouble>, kube::Error> {
    select(client, identity, part.selector(&identity.name)).await
}

/// Looks at the pods of one Job of a part: those of an earlier one may still be there, and speak of another version.
///
/// # Errors
/// When the API server cannot be asked.
pub async fn look_at_job(
    client: &Client,
    identity: &Identity,
    part: &Component,
    job: &str,
) -> Result<Option<Trouble>, kube::Error> {
    let mut selector = part.selector(&identity.name);
    selector.insert(JOB_NAME.to_owned(), job.to_owned());
    select(client, identity, selector).await
}

async fn select(
    client: &Client,
    identity: &Identity,
    selector: BTreeMap<String, String>,
) -> Result<Option<Trouble>, kube::Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &identity.namespace);
    let selector = selector_line(&selector);
    let pods = api.list(&ListParams::default().labels(&selector).limit(PODS)).await?;
    Ok(find(&pods.items, Timestamp::now()))
}

/// The first trouble, by the pods' names, so that it is the same each time.
fn find(pods: &[Pod], now: Timestamp) -> Option<Trouble> {
    let mut pods: Vec<_> = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect();
    pods.sort_by_key(|pod| pod.metadata.name.clone());
    let worse = pods.iter().copied().find_map(of_pod);
    worse.or_else(|| pods.iter().copied().find_map(|pod| not_ready(pod, now)))
}

/// A pod that runs and says itself that it is not ready.
fn not_ready(pod: &Pod, now: Timestamp) -> Option<Trouble> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref()?;
    let ready = status.conditions.iter().flatten().find(|c| c.type_ == "Ready" && c.status == "False")?;
    let since = ready.last_transition_time.as_ref()?.0;
    let runs = |container: &ContainerStatus| container.state.as_ref().is_some_and(|state| state.running.is_some());
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let all_run = !containers.is_empty() && containers.iter().all(runs);
    (all_run && now.duration_since(since) >= STARTING).then(|| Trouble {
        reason: "NotReady",
        message: format!("pod {name} runs and is not ready"),
        remedy: "its /readyz on port 8080 names what is away, Kafka or the store",
    })
}

fn of_pod(pod: &Pod) -> Option<Trouble> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref()?;
    if let Some(trouble) =
        status.container_statuses.iter().flatten().find_map(|container| of_container(name, container))
    {
        return Some(trouble);
    }
    let scheduled = status.conditions.iter().flatten().find(|c| c.type_ == "PodScheduled")?;
    (scheduled.status == "False").then(|| Trouble {
        reason: "Unschedulable",
        message: format!("pod {name} finds no node: {}", scheduled.message.clone().unwrap_or_default()),
        remedy: "free or add nodes, or lower its resources",
    })
}

fn of_container(pod: &str, container: &ContainerStatus) -> Option<Trouble> {
    if container.ready {
        return None;
    }
    let state = container.state.clone().unwrap_or_default();
    if let Some(waiting) = state.waiting {
        let message = waiting.message.unwrap_or_default();
        match waiting.reason.as_deref().unwrap_or_default() {
            // The kubelet goes back and forth between these.
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
                return Some(Trouble {
                    reason: "ImageNotAvailable",
                    message: format!("pod {pod} cannot get image {}", container.image),
                    remedy: "correct spec.version or spec.image, or make the image available",
                });
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                return Some(Trouble {
                    reason: "ContainerNotStarted",
                    message: format!("pod {pod} cannot start: {message}"),
                    remedy: "put right what it says",
                });
            }
            _ => {}
        }
    }
    let ended = state.terminated.or_else(|| container.last_state.clone().unwrap_or_default().terminated)?;
    if ended.exit_code == 0 {
        return None;
    }
    let said = ended.message.as_deref().and_then(|text| text.lines().rev().find(|line| !line.trim().is_empty()));
    let because = said.or(ended.reason.as_deref()).unwrap_or_default();
    Some(Trouble {
        reason: if ended.reason.as_deref() == Some("OOMKilled") { "OutOfMemory" } else { "ContainerEnded" },
        message: format!("pod {pod} ended with code {}: {because}", ended.exit_code),
        remedy: "put right what it says; its log tells more",
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn pod(name: &str, status: &str) -> Pod {
        serde_yaml::from_str(&format!("{{metadata: {{name: {name}}}, status: {status}}}")).unwrap()
    }

    fn container(state: &str) -> String {
        format!("{{containerStatuses: [{{name: api, image: 'chat4all:0.9', ready: false, {state}}}]}}")
    }

    #[rstest]
    #[case(
        "state: {waiting: {reason: ImagePullBackOff, message: 'Back-off pulling image'}}",
        "ImageNotAvailable",
        "pod a cannot get image chat4all:0.9"
    )]
    #[case(
        "state: {waiting: {reason: ErrImagePull, message: 'not found'}}",
        "ImageNotAvailable",
        "pod a cannot get image chat4all:0.9"
    )]
    #[case(
        "state: {waiting: {reason: CreateContainerConfigError, message: 'secret demo-auth not found'}}",
        "ContainerNotStarted",
        "pod a cannot start: secret demo-auth not found"
    )]
    #[case(
        "state: {waiting: {reason: CrashLoopBackOff, message: 'back-off 40s'}}, lastState: {terminated: {exitCode: 1, reason: Error, message: \"started\\nusers.yaml is no list of users\\n\"}}",
        "ContainerEnded",
        "pod a ended with code 1: users.yaml is no list of users"
    )]
    #[case(
        "state: {terminated: {exitCode: 137, reason: OOMKilled}}",
        "OutOfMemory",
        "pod a ended with code 137: OOMKilled"
    )]
    fn it_is_told_why_a_container_does_not_run(#[case] state: &str, #[case] reason: &str, #[case] message: &str) {
        let trouble = find(&[pod("a", &container(state))], NOW).unwrap();
        assert_eq!((trouble.reason, trouble.message.as_str()), (reason, message));
    }

    #[test]
    fn it_is_told_why_a_pod_finds_no_node() {
        let status = "{conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: 0/3 nodes are available}]}";
        let trouble = find(&[pod("a", status)], NOW).unwrap();
        assert_eq!(trouble.message, "pod a finds no node: 0/3 nodes are available");
    }

    #[test]
    fn a_pod_that_runs_and_is_not_ready_for_a_minute_is_told() {
        let status = "{containerStatuses: [{name: api, image: c, ready: false, state: {running: {}}}], \
            conditions: [{type: Ready, status: 'False', lastTransitionTime: '1970-01-01T00:00:00Z'}]}";
        let at = |seconds| find(&[pod("a", status)], Timestamp::from_second(seconds).unwrap());
        assert_eq!(at(59), None, "it starts");
        assert_eq!(at(60).unwrap().message, "pod a runs and is not ready");
    }

    #[test]
    fn a_container_that_ended_says_more_than_one_that_is_not_ready() {
        let waits = "{containerStatuses: [{name: api, image: c, ready: false, state: {running: {}}}], \
            conditions: [{type: Ready, status: 'False', lastTransitionTime: '1970-01-01T00:00:00Z'}]}";
        let failing = container("state: {terminated: {exitCode: 1, reason: Error}}");
        let later = Timestamp::from_second(3600).unwrap();
        assert_eq!(find(&[pod("a", waits), pod("b", &failing)], later).unwrap().reason, "ContainerEnded");
    }

    #[rstest]
    #[case::starting("state: {waiting: {reason: ContainerCreating}}")]
    #[case::running_but_not_ready("state: {running: {}}")]
    #[case::ended_well("state: {terminated: {exitCode: 0, reason: Completed}}")]
    fn what_takes_its_course_is_no_trouble(#[case] state: &str) {
        assert_eq!(find(&[pod("a", &container(state))], NOW), None);
    }

    #[test]
    fn of_several_pods_the_first_by_name_speaks() {
        let failing = container("state: {terminated: {exitCode: 1, reason: Error}}");
        let trouble = find(&[pod("b", &failing), pod("a", &failing)], NOW).unwrap();
        assert!(trouble.message.starts_with("pod a "));
    }
}
