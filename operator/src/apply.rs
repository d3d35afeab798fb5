//! Fourth step of a reconcile: bring the objects to the API server, by server-side apply under one
//! field manager, and take away what the resource no longer names.
//!
//! A request is made only when there is something to say: the operator remembers what it last applied
//! and what the API server made of it, and compares that with what its watches show. An edit of a
//! field that it owns moves the object's generation or resourceVersion and is thereby undone; what
//! others own in the object (a restart annotation, say) stays. Knows nothing of messages.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::kube_error::plain;
use crate::model::Identity;
use crate::names::FIELD_MANAGER;
use crate::owned::{Kind, Owned, is_owned_by};

/// The step failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not take an object.
    #[error("could not apply {object}: {}", plain(source))]
    Apply {
        /// Which.
        object: Name,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// An object could not be read.
    #[error("could not read {object}: {}", plain(source))]
    Read {
        /// Which.
        object: Name,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// An object could not be deleted.
    #[error("could not delete {object}: {}", plain(source))]
    Delete {
        /// Which.
        object: Name,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// The name is taken by an object that is not ours.
    #[error(
        "{object} exists and does not belong to this Chat4AllCluster; delete it, or create the cluster under another name"
    )]
    NotOurs {
        /// Which.
        object: Name,
    },
}

/// Kind, namespace and name of an object.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Name {
    kind: Kind,
    namespace: String,
    name: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Applies objects, and remembers what it applied.
#[derive(Default)]
pub struct Applier {
    memory: Mutex<HashMap<ClusterName, HashMap<Name, Applied>>>,
}

/// Namespace and name of a resource.
type ClusterName = (String, String);

/// What was applied last, and what the API server made of it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Applied {
    /// Hash of the object as it was sent.
    sent: [u8; 32],
    uid: Option<String>,
    version: Option<String>,
}

impl Applier {
    /// Brings one object to the API server. Gives it back as the API server has it, or `None` when it
    /// was there already.
    ///
    /// # Errors
    /// When the API server refuses it, or the name is taken by something else.
    pub async fn ensure<T>(
        &self,
        client: &Client,
        owned: &Owned,
        identity: &Identity,
        kind: Kind,
        object: &T,
    ) -> Result<Option<DynamicObject>, Error>
    where
        T: Resource + Serialize,
    {
        let name = name_of(kind, object.meta());
        let body = serde_json::to_value(object).expect("an object of the API is plain data");
        let sent = hash(&body);
        let live = owned.metadata(kind, &name.namespace, &name.name);
        if live.as_ref().is_some_and(|live| self.is_there(identity, &name, object.meta(), sent, live)) {
            return Ok(None);
        }
        let api = api(client, &name);
        if live.is_none() {
            ensure_free(&api, &name, identity).await?;
        }
        let answer = send(&api, &name, &body).await.map_err(|source| Error::Apply { object: name.clone(), source })?;
        let applied = Applied { sent, uid: answer.metadata.uid.clone(), version: version_of(&answer.metadata) };
        self.memory().entry(cluster_name(identity)).or_default().insert(name, applied);
        Ok(Some(answer))
    }

    /// Whether the API server has this object already, so that [`ensure`](Self::ensure) would send nothing.
    pub fn has<T>(&self, owned: &Owned, identity: &Identity, kind: Kind, object: &T) -> bool
    where
        T: Resource + Serialize,
    {
        let name = name_of(kind, object.meta());
        let sent = hash(&serde_json::to_value(object).expect("an object of the API is plain data"));
        let live = owned.metadata(kind, &name.namespace, &name.name);
        live.is_some_and(|live| self.is_there(identity, &name, object.meta(), sent, &live))
    }

    fn is_there(
        &self,
        identity: &Identity,
        name: &Name,
        wanted: &ObjectMeta,
        sent: [u8; 32],
        live: &ObjectMeta,
    ) -> bool {
        let remembered = self.memory().get(&cluster_name(identity)).and_then(|known| known.get(name)).cloned();
        is_current(wanted, sent, remembered.as_ref(), live)
    }

    /// Deletes what belongs to the cluster and is not in `wanted`. Gives the names.
    ///
    /// # Errors
    /// When the API server does not delete something.
    pub async fn prune(
        &self,
        client: &Client,
        owned: &Owned,
        identity: &Identity,
        wanted: &[(Kind, &ObjectMeta)],
    ) -> Result<Vec<Name>, Error> {
        let wanted: Vec<_> = wanted.iter().map(|(kind, meta)| name_of(*kind, meta)).collect();
        let mut pruned = Vec::new();
        for (kind, meta) in owned.of(identity) {
            let name = name_of(kind, &meta);
            if !wanted.contains(&name) && meta.deletion_timestamp.is_none() {
                delete(client, &name, meta.uid).await?;
                if let Some(known) = self.memory().get_mut(&cluster_name(identity)) {
                    known.remove(&name);
                }
                pruned.push(name);
            }
        }
        Ok(pruned)
    }

    /// Forgets a cluster that is gone.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.memory().remove(&(namespace.to_owned(), name.to_owned()));
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<ClusterName, HashMap<Name, Applied>>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates an object that never changes afterwards, such as a Job.
///
/// # Errors
/// When the API server refuses it. That it exists already is no error.
pub async fn create<T>(client: &Client, kind: Kind, object: &T) -> Result<(), Error>
where
    T: Resource + Serialize,
{
    let name = name_of(kind, object.meta());
    let body = serde_json::to_value(object).expect("an object of the API is plain data");
    let body: DynamicObject = serde_json::from_value(body).expect("an object of the API has metadata");
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
    match api(client, &name).create(&params, &body).await {
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
        Err(source) => Err(Error::Apply { object: name, source }),
        Ok(_) => Ok(()),
    }
}

/// Applies by server-side apply. What that cannot merge is replaced: somebody may have set a field
/// that excludes one of ours (`value` beside our `valueFrom`, say), and apply leaves what it does not
/// own. A merge patch exchanges whole lists and with them such a field; the apply after it is what
/// makes the fields ours.
async fn send(api: &Api<DynamicObject>, name: &Name, body: &Value) -> Result<DynamicObject, kube::Error> {
    tracing::debug!(object = %name, "apply");
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let refused = match api.patch(&name.name, &params, &Patch::Apply(body)).await {
        Err(kube::Error::Api(status)) if status.code == 422 => status,
        other => return other,
    };
    let replace = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
    match api.patch(&name.name, &replace, &Patch::Merge(body)).await {
        Ok(_) => tracing::info!(object = %name, because = refused.message, "replaced what could not be merged"),
        Err(_) => return Err(kube::Error::Api(refused)),
    }
    api.patch(&name.name, &params, &Patch::Apply(body)).await
}

/// Deletes one object, unless it has been replaced meanwhile.
///
/// # Errors
/// When the API server does not delete it. That it is gone already is no error.
pub async fn remove(client: &Client, kind: Kind, meta: &ObjectMeta) -> Result<(), Error> {
    delete(client, &name_of(kind, meta), meta.uid.clone()).await
}

async fn delete(client: &Client, name: &Name, uid: Option<String>) -> Result<(), Error> {
    // In the background: the pods of a Job are orphaned otherwise.
    let params = DeleteParams::background().preconditions(Preconditions { uid, ..Default::default() });
    match api(client, name).delete(&name.name, &params).await {
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        Err(source) => Err(Error::Delete { object: name.clone(), source }),
        Ok(_) => Ok(()),
    }
}

/// Refuses a name that something else has: force-applying to it would take it over, and deleting the
/// cluster would delete it.
async fn ensure_free(api: &Api<DynamicObject>, name: &Name, identity: &Identity) -> Result<(), Error> {
    let found =
        api.get_metadata_opt(&name.name).await.map_err(|source| Error::Read { object: name.clone(), source })?;
    match found {
        Some(found) if !is_owned_by(&found.metadata, identity) => Err(Error::NotOurs { object: name.clone() }),
        _ => Ok(()),
    }
}

/// Whether the API server has what would be sent. `live` is what the watch shows, which may be
/// behind; then it is sent once more, which changes nothing.
fn is_current(wanted: &ObjectMeta, sent: [u8; 32], applied: Option<&Applied>, live: &ObjectMeta) -> bool {
    let applied_it = applied
        .is_some_and(|applied| applied.sent == sent && applied.uid == live.uid && applied.version == version_of(live));
    let contains = |live: Option<&BTreeMap<String, String>>, wanted: Option<&BTreeMap<String, String>>| {
        wanted.into_iter().flatten().all(|(key, value)| live.and_then(|l| l.get(key)) == Some(value))
    };
    applied_it
        && contains(live.labels.as_ref(), wanted.labels.as_ref())
        && contains(live.annotations.as_ref(), wanted.annotations.as_ref())
        && wanted
            .owner_references
            .iter()
            .flatten()
            .all(|owner| live.owner_references.iter().flatten().any(|o| o == owner))
}

/// What moves when someone changes the object: its generation, which counts changes of the wanted
/// state and not of the status, or, for kinds without one, its resourceVersion.
fn version_of(meta: &ObjectMeta) -> Option<String> {
    match meta.generation {
        Some(generation) if generation > 0 => Some(format!("generation {generation}")),
        _ => meta.resource_version.clone(),
    }
}

fn hash(body: &Value) -> [u8; 32] {
    Sha256::digest(body.to_string().as_bytes()).into()
}

fn name_of(kind: Kind, meta: &ObjectMeta) -> Name {
    Name { kind, namespace: meta.namespace.clone().unwrap_or_default(), name: meta.name.clone().unwrap_or_default() }
}

fn cluster_name(identity: &Identity) -> ClusterName {
    (identity.namespace.clone(), identity.name.clone())
}

fn api(client: &Client, name: &Name) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), &name.namespace, &name.kind.api_resource())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(yaml: &str) -> ObjectMeta {
        serde_yaml::from_str(yaml).unwrap()
    }

    const SENT: [u8; 32] = [7; 32];

    fn applied(version: &str) -> Applied {
        Applied { sent: SENT, uid: Some("u".into()), version: Some(version.into()) }
    }

    #[test]
    fn an_object_that_is_as_it_was_applied_is_left_alone() {
        let wanted = meta("{labels: {a: '1'}}");
        let live = meta("{uid: u, generation: 3, labels: {a: '1', theirs: '2'}}");
        assert!(is_current(&wanted, SENT, Some(&applied("generation 3")), &live));
    }

    #[test]
    fn a_status_that_moves_is_no_change() {
        let live = meta("{uid: u, generation: 3, resourceVersion: '99'}");
        assert!(is_current(&meta("{}"), SENT, Some(&applied("generation 3")), &live));
    }

    #[test]
    fn a_restarted_operator_applies_once_more() {
        assert!(!is_current(&meta("{}"), SENT, None, &meta("{uid: u, generation: 3}")));
    }

    #[test]
    fn changed_content_is_applied() {
        let live = meta("{uid: u, generation: 3}");
        assert!(!is_current(&meta("{}"), [8; 32], Some(&applied("generation 3")), &live));
    }

    #[test]
    fn an_edited_spec_is_applied_over() {
        let live = meta("{uid: u, generation: 4}");
        assert!(!is_current(&meta("{}"), SENT, Some(&applied("generation 3")), &live));
    }

    #[test]
    fn an_edited_label_is_applied_over() {
        let live = meta("{uid: u, generation: 3, labels: {a: changed}}");
        assert!(!is_current(&meta("{labels: {a: '1'}}"), SENT, Some(&applied("generation 3")), &live));
    }

    #[test]
    fn a_kind_without_generation_is_compared_by_its_resource_version() {
        let live = meta("{uid: u, resourceVersion: '12'}");
        assert!(is_current(&meta("{}"), SENT, Some(&applied("12")), &live));
        assert!(!is_current(&meta("{}"), SENT, Some(&applied("11")), &live));
    }

    #[test]
    fn an_object_that_was_deleted_and_made_again_by_someone_is_applied_over() {
        let live = meta("{uid: other, generation: 3}");
        assert!(!is_current(&meta("{}"), SENT, Some(&applied("generation 3")), &live));
    }
}
