//! What is done on the nodes themselves. Nodes of kind are containers of Docker with the nodes' names.

use std::time::Duration;

use ::kube::ResourceExt as _;
use k8s_openapi::api::core::v1::Pod;
use tokio::process::Command;

/// The node with the API server, as kind names it.
const CONTROL_PLANE: &str = "chat4all-control-plane";

/// By the id of a container.
const KILL: &str = "kill -9 $(crictl inspect --output go-template --template '{{.info.pid}}' \"$1\")";

/// Takes the API server's manifest away, whose kubelet then ends it, and puts it back after `$1` seconds.
/// Whatever goes wrong in between, it is put back.
const API_SERVER_AWAY: &str = "
    manifest=/etc/kubernetes/manifests/kube-apiserver.yaml
    mv $manifest /root/ && trap 'mv /root/kube-apiserver.yaml $manifest' EXIT
    running() { crictl ps -q --name '^kube-apiserver$'; }
    for _ in $(seq 60); do
        [ -n \"$(running)\" ] || break
        crictl stop --timeout 1 $(running) >/dev/null 2>&1
        sleep 0.5
    done
    sleep $1";

/// Something could not be done on a node.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing} on {node}: {said}")]
pub struct Error {
    doing: String,
    node: String,
    said: String,
}

/// SIGKILL to the process of the pod's first container.
pub async fn kill(pod: &Pod) -> Result<(), Error> {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default();
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let id = statuses.filter_map(|status| status.container_id.as_deref()).next().unwrap_or_default();
    let id = id.trim_start_matches("containerd://");
    let killed = docker(&["exec", node, "sh", "-c", KILL, "sh", id]).await;
    let doing = format!("kill the process of pod {}", pod.name_any());
    killed.map(drop).map_err(|said| Error { doing, node: node.to_owned(), said })
}

/// Ends the API server, which comes back by itself after this time, also if the test does not live
/// to see it. Returns at once.
pub async fn take_api_server_away(time: Duration) -> Result<(), Error> {
    let seconds = time.as_secs().to_string();
    let command = ["exec", "--detach", CONTROL_PLANE, "sh", "-c", API_SERVER_AWAY, "sh", &seconds];
    let fail = |said| Error { doing: "take the API server away".into(), node: CONTROL_PLANE.into(), said };
    docker(&command).await.map(drop).map_err(fail)
}

/// What the command printed; what it complained of, if it failed.
async fn docker(arguments: &[&str]) -> Result<String, String> {
    match Command::new("docker").args(arguments).output().await {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("docker: {error}")),
    }
}
