//! From whatever the API server stores to the type of the resource. A resource may have been stored
//! before the schema was as strict as today's, so nothing is taken for granted.

use kube::api::DynamicObject;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde_json::{Map, Value};

use super::Problem;
use crate::api::{Chat4AllCluster, Chat4AllClusterStatus};

/// Reads the resource out of whatever the API server stores.
///
/// # Errors
/// When a field is missing or of another type; names the field.
pub fn read(object: &DynamicObject) -> Result<Chat4AllCluster, Problem> {
    let mut value = object.data.clone();
    if let Some(map) = value.as_object_mut() {
        // The status is written by the operator and need not be read to be replaced.
        map.remove("status");
        map.insert("apiVersion".into(), "chat4all.io/v1alpha1".into());
        map.insert("kind".into(), "Chat4AllCluster".into());
        map.insert("metadata".into(), Value::Object(Map::new()));
    }
    let mut cluster: Chat4AllCluster =
        serde_path_to_error::deserialize(value.into_deserializer()).map_err(|error| {
            let path = error.path().to_string();
            Problem::new(
                if path == "." { "spec".to_owned() } else { path },
                error.inner().to_string(),
                "compare it with `kubectl explain chat4allcluster.spec --recursive` and correct it",
            )
        })?;
    cluster.metadata = object.metadata.clone();
    Ok(cluster)
}

/// Reads the status that was written last; `None` when there is none, or none of ours.
pub fn read_status(object: &DynamicObject) -> Option<Chat4AllClusterStatus> {
    object.data.get("status").and_then(|status| Chat4AllClusterStatus::deserialize(status).ok())
}
