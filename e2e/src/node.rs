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

/// Lets the first container of `$1` send nothing to port `$2` and hear nothing from there, for `$3` seconds. Its
/// own network alone is changed, and changed back whatever happens in between.
const CUT: &str = "
    pid=$(crictl inspect --output go-template --template '{{.info.pid}}' \"$1\")
    rules() { nsenter -t \"$pid\" -n iptables \"$@\"; }
    mend() {
        rules -D OUTPUT -p tcp --dport \"$port\" -j DROP
        rules -D INPUT -p tcp --sport \"$port\" -j DROP
    }
    port=$2
    trap mend EXIT
    set -e
    rules -I OUTPUT -p tcp --dport \"$port\" -j DROP
    rules -I INPUT -p tcp --sport \"$port\" -j DROP
    sleep \"$3\"";

/// Adds up what the first process of container `$1` and its children hold in memory, in KiB. An engine's first process is
/// one that starts the engine and reaps.
const RESIDENT: &str = "
    set -eo pipefail
    pid=$(crictl inspect --output go-template --template '{{.info.pid}}' \"$1\")
    ps -o rss= --pid \"$pid\" --ppid \"$pid\" | { total=0; while read -r kib; do total=$((total + kib)); done; echo \"$total\"; }";

/// Gives an image another tag, where containerd keeps those of Kubernetes.
const TAG: &str = "ctr -n k8s.io images tag --force \"docker.io/$1\" \"docker.io/$2\"";

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
    let (node, id) = place(pod);
    run(node, format!("kill the process of pod {}", pod.name_any()), KILL, &[id]).await.map(drop)
}

/// Cuts a pod off from a port of others for this time; returns when it is over.
pub async fn cut_off(pod: &Pod, port: u16, time: Duration) -> Result<(), Error> {
    let (node, id) = place(pod);
    let (port, seconds) = (port.to_string(), time.as_secs().to_string());
    let doing = format!("cut pod {} off from port {port}", pod.name_any());
    run(node, doing, CUT, &[id, &port, &seconds]).await.map(drop)
}

/// Bytes of memory that the processes of the pod's first container hold.
pub async fn resident_bytes(pod: &Pod) -> Result<u64, Error> {
    let (node, id) = place(pod);
    let doing = format!("read the memory of pod {}", pod.name_any());
    let said = run(node, doing.clone(), RESIDENT, &[id]).await?;
    let kib: Option<u64> = said.parse().ok();
    kib.map(|kib| kib << 10).ok_or_else(|| Error { doing, node: node.to_owned(), said })
}

/// Gives an image another tag on a node.
pub async fn tag(node: &str, image: &str, tagged: &str) -> Result<(), Error> {
    run(node, format!("tag {image}"), TAG, &[image, tagged]).await.map(drop)
}

/// Stops a node as one does with a container, and starts it again. It has a second to end: systemd starts itself anew
/// on the signal that Docker sends where the image names none, and would go on as it was until it is killed.
pub async fn restart(node: &str) -> Result<(), Error> {
    let fail = |said| Error { doing: "restart the container".into(), node: node.to_owned(), said };
    docker(&["stop", "-t", "1", node]).await.map_err(fail)?;
    docker(&["start", node]).await.map(drop).map_err(fail)
}

/// The node that a pod is on, and the id of its first container.
fn place(pod: &Pod) -> (&str, &str) {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default();
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let id = statuses.filter_map(|status| status.container_id.as_deref()).next().unwrap_or_default();
    (node, id.trim_start_matches("containerd://"))
}

/// Ends the API server, which comes back by itself after this time, also if the test does not live
/// to see it. Returns at once.
pub async fn take_api_server_away(time: Duration) -> Result<(), Error> {
    let seconds = time.as_secs().to_string();
    let command = ["exec", "--detach", CONTROL_PLANE, "sh", "-c", API_SERVER_AWAY, "sh", &seconds];
    let fail = |said| Error { doing: "take the API server away".into(), node: CONTROL_PLANE.into(), said };
    docker(&command).await.map(drop).map_err(fail)
}

/// Runs a script of bash as root on a node, with these arguments from `$1` on. Gives what it printed; `doing` says in
/// an error what it was to do.
pub(crate) async fn run(node: &str, doing: String, script: &str, arguments: &[&str]) -> Result<String, Error> {
    let command = [["exec", node, "bash", "-c", script, "bash"].as_slice(), arguments].concat();
    docker(&command).await.map_err(|said| Error { doing, node: node.to_owned(), said })
}

/// What the command printed; what it complained of, if it failed.
async fn docker(arguments: &[&str]) -> Result<String, String> {
    match Command::new("docker").args(arguments).output().await {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("docker: {error}")),
    }
}
