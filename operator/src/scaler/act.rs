//! Sets the number of routers: server-side apply on the Deployment's `scale`, under a field manager of
//! its own, so that the operator's other applies never hold the number while it follows the work.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::look::replicas;
use crate::names::{FIELD_MANAGER, SCALE_FIELD_MANAGER};

/// What became of an attempt to set the number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is set, and ours.
    Done,
    /// Somebody else owns it with another value.
    OwnedElsewhere,
}

/// Whose a number of pods is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Owner {
    /// The scaler's.
    Scaler {
        /// The number.
        count: u32,
    },
    /// Somebody else's: their field manager, where one is noted.
    Other(Option<String>),
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
    count: u32,
    force: bool,
) -> Result<Outcome, kube::Error> {
    let body = scale(namespace, deployment, count);
    let params = PatchParams { force, ..PatchParams::apply(SCALE_FIELD_MANAGER) };
    match deployments(client, namespace).patch_scale(deployment, &params, &Patch::Apply(&body)).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Outcome::OwnedElsewhere),
        answer => answer.map(|_| Outcome::Done),
    }
}

/// Makes the scaler's field manager an owner of the number of pods as it is, where the operator's applies
/// are one and would take the number along. Where it is somebody else's it stays theirs.
///
/// # Errors
/// When the API server does not take it, also because the Deployment was just changed: then try again.
pub async fn claim(client: &Client, namespace: &str, deployment: &str) -> Result<(), kube::Error> {
    let api = deployments(client, namespace);
    let live = api.get(deployment).await?;
    let count = replicas(&live);
    let owners = live.metadata.managed_fields.unwrap_or_default();
    let applied = |entry: &ManagedFieldsEntry| owns_replicas(entry) && entry.manager.as_deref() == Some(FIELD_MANAGER);
    if owners.iter().any(is_ours) || !owners.iter().any(applied) {
        return Ok(());
    }
    let mut body = scale(namespace, deployment, count);
    // Nothing may have changed the number in between.
    body["metadata"]["resourceVersion"] = live.metadata.resource_version.into();
    api.patch_scale(deployment, &PatchParams::apply(SCALE_FIELD_MANAGER), &Patch::Apply(&body)).await.map(drop)
}

/// The number of pods that a Deployment wants, as the API server has it now; `None` without a Deployment.
///
/// # Errors
/// When the API server does not say.
pub async fn present(client: &Client, namespace: &str, deployment: &str) -> Result<Option<i32>, kube::Error> {
    let found = deployments(client, namespace).get_opt(deployment).await?;
    Ok(found.and_then(|deployment| deployment.spec?.replicas))
}

fn scale(namespace: &str, deployment: &str, count: u32) -> Value {
    json!({
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": deployment, "namespace": namespace},
        "spec": {"replicas": count},
    })
}

/// Whose the number of pods of a Deployment is, as the API server has it now.
///
/// # Errors
/// When the API server does not say.
pub async fn owner(client: &Client, namespace: &str, deployment: &str) -> Result<Owner, kube::Error> {
    let live = deployments(client, namespace).get(deployment).await?;
    let count = replicas(&live);
    Ok(owner_by(&live.metadata.managed_fields.unwrap_or_default(), count))
}

fn owner_by(entries: &[ManagedFieldsEntry], count: u32) -> Owner {
    match entries.iter().any(is_ours) {
        true => Owner::Scaler { count },
        false => Owner::Other(foreign_manager(entries)),
    }
}

/// Whoever sets another number takes it from the scaler.
fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    owns_replicas(entry) && entry.manager.as_deref() == Some(SCALE_FIELD_MANAGER)
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
        assert_eq!(owner_by(&entries[1..], 3), Owner::Other(Some("an-autoscaler".into())));
        assert_eq!(owner_by(&entries[1..2], 3), Owner::Other(None));
        assert_eq!(owner_by(&entries[..2], 3), Owner::Scaler { count: 3 });
    }
}
