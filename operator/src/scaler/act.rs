//! Sets the number of routers: server-side apply on the Deployment's `scale`, under a field manager of
//! its own, so that the operator's other applies never hold the number while it follows the work.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::names::{FIELD_MANAGER, SCALE_FIELD_MANAGER};

/// What became of an attempt to set the number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is set, and ours.
    Done,
    /// Somebody else owns it with another value.
    OwnedElsewhere,
}

/// Sets the number of pods of a Deployment. Unless forced it takes the number from nobody who wants
/// another one.
///
/// # Errors
/// When the API server does not take it.
pub async fn set(
    client: &Client,
    namespace: &str,
    deployment: &str,
    replicas: i32,
    force: bool,
) -> Result<Outcome, kube::Error> {
    let body = scale(namespace, deployment, replicas);
    let params = PatchParams { force, ..PatchParams::apply(SCALE_FIELD_MANAGER) };
    match deployments(client, namespace).patch_scale(deployment, &params, &Patch::Apply(&body)).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Outcome::OwnedElsewhere),
        answer => answer.map(|_| Outcome::Done),
    }
}

/// Makes the scaler's field manager an owner of the number of pods as it is, unless it is one already.
///
/// # Errors
/// When the API server does not take it, also because the Deployment was just changed: then try again.
pub async fn claim(client: &Client, namespace: &str, deployment: &str) -> Result<(), kube::Error> {
    let api = deployments(client, namespace);
    let live = api.get(deployment).await?;
    let owners = live.metadata.managed_fields.unwrap_or_default();
    if owners.iter().any(|entry| owns_replicas(entry) && entry.manager.as_deref() == Some(SCALE_FIELD_MANAGER)) {
        return Ok(());
    }
    let replicas = live.spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let mut body = scale(namespace, deployment, replicas);
    // Nothing may have changed the number in between.
    body["metadata"]["resourceVersion"] = live.metadata.resource_version.into();
    api.patch_scale(deployment, &PatchParams::apply(SCALE_FIELD_MANAGER), &Patch::Apply(&body)).await.map(drop)
}

fn scale(namespace: &str, deployment: &str, replicas: i32) -> Value {
    json!({
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": deployment, "namespace": namespace},
        "spec": {"replicas": replicas},
    })
}

/// Who last set the number of pods of a Deployment, other than the operator.
///
/// # Errors
/// When the API server does not say.
pub async fn who_set_it(client: &Client, namespace: &str, deployment: &str) -> Result<Option<String>, kube::Error> {
    let found = deployments(client, namespace).get_metadata(deployment).await?;
    Ok(foreign_manager(&found.metadata.managed_fields.unwrap_or_default()))
}

/// The manager that last set `spec.replicas`, other than the operator.
fn foreign_manager(entries: &[ManagedFieldsEntry]) -> Option<String> {
    let foreign = |entry: &&ManagedFieldsEntry| {
        let manager = entry.manager.as_deref();
        owns_replicas(entry) && manager != Some(FIELD_MANAGER) && manager != Some(SCALE_FIELD_MANAGER)
    };
    let latest = entries.iter().filter(foreign).max_by_key(|entry| entry.time.as_ref().map(|time| time.0))?;
    latest.manager.clone()
}

fn owns_replicas(entry: &ManagedFieldsEntry) -> bool {
    entry.fields_v1.as_ref().is_some_and(|fields| fields.0.pointer("/f:spec/f:replicas").is_some())
}

fn deployments(client: &Client, namespace: &str) -> Api<Deployment> {
    Api::namespaced(client.clone(), namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_other_than_the_operator_who_set_the_number_is_named() {
        let entries: Vec<ManagedFieldsEntry> = serde_yaml::from_str(
            "
- {manager: chat4all-operator-scaler, operation: Apply, subresource: scale, time: '2026-01-01T00:00:09Z', fieldsType: FieldsV1, fieldsV1: {'f:spec': {'f:replicas': {}}}}
- {manager: kube-controller-manager, operation: Update, subresource: status, time: '2026-01-01T00:00:08Z', fieldsType: FieldsV1, fieldsV1: {'f:status': {'f:replicas': {}}}}
- {manager: an-autoscaler, operation: Update, subresource: scale, time: '2026-01-01T00:00:07Z', fieldsType: FieldsV1, fieldsV1: {'f:spec': {'f:replicas': {}}}}
- {manager: kubectl, operation: Update, subresource: scale, time: '2026-01-01T00:00:01Z', fieldsType: FieldsV1, fieldsV1: {'f:spec': {'f:replicas': {}}}}",
        )
        .unwrap();
        assert_eq!(foreign_manager(&entries).as_deref(), Some("an-autoscaler"));
        assert_eq!(foreign_manager(&entries[..2]), None);
    }
}
