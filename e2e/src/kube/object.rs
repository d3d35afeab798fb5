//! One object, or all objects of a label, of any namespaced kind.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::Duration;

use ::kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use ::kube::core::NamespaceResourceScope;
use ::kube::runtime::watcher;
use ::kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::conditions::Condition;
use super::{Error, Namespace};
use crate::wait::{self, Look, TimedOut};

/// A namespaced kind that is known when this is compiled, the operator's own included.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
        + 'static
{
}

/// How an object is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// With the time that the object itself asks for.
    Own,
    /// At once, as `kubectl delete --grace-period=0 --force`.
    None,
}

/// An object by name.
#[derive(Clone)]
pub struct One<K> {
    namespace: Namespace,
    name: String,
    kind: PhantomData<K>,
}

impl<K: Kind> One<K> {
    pub(super) fn new(namespace: Namespace, name: String) -> Self {
        Self { namespace, name, kind: PhantomData }
    }

    /// The object; `None` when there is none.
    pub async fn find(&self) -> Result<Option<K>, Error> {
        self.namespace.api::<K>().get_opt(&self.name).await.map_err(self.failed("read"))
    }

    /// Creates it.
    pub async fn create(&self, object: &K) -> Result<K, Error> {
        self.namespace.api().create(&PostParams::default(), object).await.map_err(self.failed("create"))
    }

    /// Lets the API server check these fields as a new object, and creates nothing. They need not
    /// be what the type would allow.
    pub async fn would_be_created(&self, fields: &Value) -> Result<(), Error> {
        let api = self.api();
        let path = format!("{}?dryRun=All&fieldValidation=Strict", api.resource_url());
        let body = fields.to_string().into_bytes();
        let request = http::Request::post(path).header("Content-Type", "application/json").body(body);
        let request = request.map_err(::kube::Error::HttpError).map_err(self.failed("create"))?;
        self.namespace.client.request::<Value>(request).await.map_err(self.failed("create"))?;
        Ok(())
    }

    /// Merges these fields into it.
    pub async fn merge(&self, fields: &Value) -> Result<K, Error> {
        let patch = Patch::Merge(fields);
        self.namespace.api().patch(&self.name, &PatchParams::default(), &patch).await.map_err(self.failed("patch"))
    }

    /// Lets this field manager want these fields and no others, by server-side apply; makes the object where it is
    /// not there. Fields of other managers stay, and wanting one that differs from theirs is refused.
    pub async fn apply(&self, fields: &Value, manager: &str) -> Result<K, Error> {
        let mut object = fields.clone();
        object["apiVersion"] = K::api_version(&()).into();
        object["kind"] = K::kind(&()).into();
        object["metadata"]["name"] = self.name.as_str().into();
        let params = PatchParams::apply(manager);
        self.namespace.api().patch(&self.name, &params, &Patch::Apply(&object)).await.map_err(self.failed("apply"))
    }

    /// Changes it as `kubectl edit` does: reads it, and writes it back whole. Returns what was stored.
    pub async fn edit(&self, change: impl Fn(&mut Value)) -> Result<Value, Error> {
        let url = format!("{}/{}", self.api().resource_url(), self.name);
        loop {
            let read = http::Request::get(&url).body(Vec::new()).map_err(::kube::Error::HttpError);
            let read = read.map_err(self.failed("edit"))?;
            let mut object: Value = self.namespace.client.request(read).await.map_err(self.failed("edit"))?;
            change(&mut object);
            let body = object.to_string().into_bytes();
            let write = http::Request::put(&url).header("Content-Type", "application/json").body(body);
            let write = write.map_err(::kube::Error::HttpError).map_err(self.failed("edit"))?;
            match self.namespace.client.request::<Value>(write).await {
                Ok(stored) => return Ok(stored),
                // Somebody else was faster: read again.
                Err(::kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(self.failed("edit")(error)),
            }
        }
    }

    /// Asks for its deletion; returns the uid of what is being deleted, `None` when there was nothing.
    pub async fn delete(&self, grace: Grace) -> Result<Option<String>, Error> {
        let Some(uid) = self.find().await?.and_then(|object| object.uid()) else { return Ok(None) };
        let params = DeleteParams {
            grace_period_seconds: (grace == Grace::None).then_some(0),
            preconditions: Some(Preconditions { uid: Some(uid.clone()), resource_version: None }),
            ..DeleteParams::background()
        };
        match self.namespace.api::<K>().delete(&self.name, &params).await {
            Ok(_) => Ok(Some(uid)),
            Err(::kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(None),
            Err(error) => Err(self.failed("delete")(error)),
        }
    }

    /// Waits until the object with this uid is gone. Another one of its name does not count.
    pub async fn until_gone(&self, uid: &str, limit: Duration) -> Result<(), TimedOut> {
        let what = format!("{self} with uid {uid} is gone");
        let waited = wait::until(what, limit, async || match self.find().await {
            Err(error) => Look::NotYet(error.to_string()),
            Ok(Some(object)) if object.uid().as_deref() == Some(uid) => {
                let finalizers = object.finalizers();
                Look::NotYet(format!(
                    "it is there, deleted at {:?}, finalizers {finalizers:?}",
                    object.meta().deletion_timestamp
                ))
            }
            Ok(_) => Look::Yes(()),
        });
        self.explained(waited.await).await
    }

    /// Waits until the object is there and the condition holds of it.
    pub async fn until(&self, condition: Condition<K>, limit: Duration) -> Result<K, TimedOut> {
        let what = format!("{self} {condition}");
        let waited = wait::until(what, limit, async || match self.find().await {
            Err(error) => Look::NotYet(error.to_string()),
            Ok(None) => Look::NotYet("it does not exist".into()),
            Ok(Some(object)) => condition.holds(&object).map(|()| object).into(),
        });
        self.explained(waited.await).await
    }

    /// Adds the object's events to an error.
    async fn explained<T>(&self, waited: Result<T, TimedOut>) -> Result<T, TimedOut> {
        match waited {
            Ok(found) => Ok(found),
            Err(error) => {
                let context = self.newest_events().await;
                Err(TimedOut { context, ..error })
            }
        }
    }

    /// A client of its kind in its namespace.
    pub(crate) fn api(&self) -> Api<K> {
        self.namespace.api()
    }

    /// What a watch must be told to see this object only.
    pub(crate) fn only(&self) -> watcher::Config {
        watcher::Config::default().fields(&format!("metadata.name={}", self.name))
    }

    pub(super) fn failed(&self, verb: &str) -> impl FnOnce(::kube::Error) -> Error + use<K> {
        let doing = format!("{verb} {self}");
        move |source| Error::new(doing, source)
    }

    pub(super) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl<K: Kind> std::fmt::Display for One<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", K::kind(&()), self.namespace.name, self.name)
    }
}

/// The objects with the same labels.
#[derive(Clone)]
pub struct All<K> {
    namespace: Namespace,
    labels: String,
    kind: PhantomData<K>,
}

impl<K: Kind> All<K> {
    pub(super) fn new(namespace: Namespace, labels: String) -> Self {
        Self { namespace, labels, kind: PhantomData }
    }

    /// All of them.
    pub async fn list(&self) -> Result<Vec<K>, Error> {
        let params = ListParams::default().labels(&self.labels);
        match self.namespace.api().list(&params).await {
            Ok(list) => Ok(list.items),
            Err(error) => Err(Error::new(format!("list {self}"), error)),
        }
    }
}

impl<K: Kind> std::fmt::Display for All<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} with {}", K::plural(&()), self.namespace.name, self.labels)
    }
}
