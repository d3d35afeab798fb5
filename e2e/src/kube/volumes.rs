//! Volumes that are folders of a node, as local storage makes them.

use ::kube::Api;
use k8s_openapi::api::core::v1::PersistentVolume;

use super::{Cluster, Error};

/// A folder of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The node's name.
    pub node: String,
    /// The absolute path there.
    pub path: String,
}

impl Cluster {
    /// The folder that a volume is; `None` where it is something else, or on no certain node.
    pub async fn folder(&self, volume: &str) -> Result<Option<Folder>, Error> {
        let found = Api::<PersistentVolume>::all(self.client.clone()).get(volume).await;
        let found = found.map_err(|error| Error::new(format!("read volume {volume}"), error))?;
        Ok(folder(found))
    }
}

/// Local storage ties its volumes to one node, by the label with its name.
fn folder(volume: PersistentVolume) -> Option<Folder> {
    let spec = volume.spec?;
    let path = spec.host_path.map(|volume| volume.path).or(spec.local.map(|volume| volume.path))?;
    let terms = spec.node_affinity?.required?.node_selector_terms;
    let mut expressions = terms.into_iter().flat_map(|term| term.match_expressions.into_iter().flatten());
    let of_one_node = expressions.find(|found| found.key == "kubernetes.io/hostname" && found.operator == "In")?;
    let node = of_one_node.values?.into_iter().next()?;
    path.starts_with('/').then_some(Folder { node, path })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(source: &Value) -> Option<Folder> {
        let mut volume = json!({"metadata": {"name": "pvc-1"}, "spec": source});
        let hostname = json!([{"key": "kubernetes.io/hostname", "operator": "In", "values": ["worker"]}]);
        volume["spec"]["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": hostname}]}});
        folder(serde_json::from_value(volume).unwrap())
    }

    #[test]
    fn both_kinds_of_local_volumes_are_folders_of_their_node() {
        let found = Some(Folder { node: "worker".into(), path: "/var/pvc-1".into() });
        assert_eq!(of(&json!({"hostPath": {"path": "/var/pvc-1"}})), found);
        assert_eq!(of(&json!({"local": {"path": "/var/pvc-1"}})), found);
    }

    #[test]
    fn a_volume_of_another_kind_is_no_folder() {
        assert_eq!(of(&json!({"nfs": {"server": "s", "path": "/var/pvc-1"}})), None);
        assert_eq!(folder(PersistentVolume::default()), None);
    }
}
