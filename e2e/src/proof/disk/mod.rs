//! Kafka's disk, made small and full. Local storage has no limit of its own, and quotas take options of the kernel
//! that many machines lack: so Kafka's data move to a small file system in a file, for this fault alone, and back.
//! A pod has the folder as it was when the pod started; Kafka is stopped for each way.

use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};

use crate::context::{Context, Outcome};
use crate::kube::{Condition, Folder, One, ready, running};
use crate::node;
use crate::restarts::statuses;

/// The StatefulSet, its pod and that one's claim, as the chart of the engines names them.
const KAFKA: &str = "kafka";
const POD: &str = "kafka-0";
const CLAIM: &str = "data-kafka-0";

const ON_NODE: &str = include_str!("on-node.sh");

/// It is given half a minute to end well.
const STOPPED_WITHIN: Duration = Duration::from_secs(90);
const STARTED_WITHIN: Duration = Duration::from_secs(180);

/// Moves Kafka's data to a small disk.
pub(super) async fn make_small(context: &Context) -> Outcome {
    moved(context, &certain_folder(context).await?, "small").await
}

/// Moves Kafka's data back to where they are at home, also after an interrupted run.
pub(super) async fn make_large(context: &Context) -> Outcome {
    let (Some(kafka), Some(folder)) = (kafka(context).find().await?, folder(context).await?) else { return Ok(()) };
    let stopped = kafka.spec.and_then(|spec| spec.replicas) == Some(0);
    if stopped || on_node(&folder, "where").await? != "home" {
        moved(context, &folder, "home").await?;
    }
    Ok(())
}

/// Leaves no room on the small disk.
pub(super) async fn fill(context: &Context) -> Outcome {
    on_node(&certain_folder(context).await?, "fill").await.map(drop)
}

/// Gives the room back.
pub(super) async fn empty(context: &Context) -> Outcome {
    on_node(&certain_folder(context).await?, "empty").await.map(drop)
}

fn kafka(context: &Context) -> One<StatefulSet> {
    context.sample.namespace.one(KAFKA)
}

/// Kafka's pod.
pub(super) fn pod(context: &Context) -> One<Pod> {
    context.sample.namespace.one(POD)
}

/// The container of a pod has ended since this look at it, whether it was started again or not.
pub(super) fn ended_since(before: &Pod) -> Condition<Pod> {
    let restarts = |pod: &Pod| statuses(pod).map(|status| status.restart_count).sum::<i32>();
    let before = restarts(before);
    Condition::new("has a container that ended", move |pod: &Pod| {
        let runs = statuses(pod).any(|status| status.state.as_ref().is_some_and(|state| state.running.is_some()));
        if restarts(pod) > before || !runs { Ok(()) } else { Err("it runs, and was not started again".into()) }
    })
}

/// Stops Kafka, has its data moved and starts it, also when they were not moved.
async fn moved(context: &Context, folder: &Folder, command: &str) -> Outcome {
    let (kafka, pod) = (kafka(context), pod(context));
    let uid = pod.find().await?.and_then(|pod| pod.metadata.uid).unwrap_or_default();
    kafka.scale_to(0, "kubectl").await?;
    let moved = match pod.until_gone(&uid, STOPPED_WITHIN).await {
        Ok(()) => on_node(folder, command).await.map(drop),
        Err(error) => Err(error.into()),
    };
    kafka.scale_to(1, "kubectl").await?;
    pod.until(running(), STARTED_WITHIN).await?;
    context.sample.resource.until(ready(), STARTED_WITHIN).await?;
    moved
}

async fn certain_folder(context: &Context) -> Outcome<Folder> {
    Ok(folder(context).await?.ok_or_else(|| format!("claim {CLAIM} is no folder of a node"))?)
}

/// Where Kafka's data are; `None` where nothing is installed, or where they are no folder of a node.
async fn folder(context: &Context) -> Outcome<Option<Folder>> {
    let claim = context.sample.namespace.one::<PersistentVolumeClaim>(CLAIM).find().await?;
    match claim.and_then(|claim| claim.spec?.volume_name) {
        Some(volume) => Ok(context.sample.cluster.folder(&volume).await?),
        None => Ok(None),
    }
}

async fn on_node(folder: &Folder, command: &str) -> Outcome<String> {
    let doing = format!("do {command:?} with Kafka's disk");
    Ok(node::run(&folder.node, doing, ON_NODE, &[command, &folder.path]).await?)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(restarts: i32, state: &Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": POD},
            "status": {"containerStatuses": [{
                "name": "c", "image": "", "imageID": "", "ready": false, "restartCount": restarts, "state": state,
            }]},
        }))
        .unwrap()
    }

    #[test]
    fn a_container_has_ended_when_it_does_not_run_or_runs_again() {
        let runs = json!({"running": {}});
        let ended = ended_since(&pod(2, &runs));
        assert!(ended.holds(&pod(2, &runs)).is_err());
        assert!(ended.holds(&pod(3, &runs)).is_ok());
        assert!(ended.holds(&pod(2, &json!({"terminated": {"exitCode": 1}}))).is_ok());
        assert!(ended.holds(&pod(2, &json!({"waiting": {"reason": "CrashLoopBackOff"}}))).is_ok());
    }
}
