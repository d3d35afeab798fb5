//! Namespaces themselves, and what is asked of the API server as a whole.

use std::collections::BTreeMap;
use std::time::Duration;

use ::kube::ResourceExt as _;
use ::kube::api::{Api, DeleteParams, ObjectMeta, PostParams};
use k8s_openapi::api::core::v1 as core;

use super::{Cluster, Error};
use crate::wait::{self, Look, TimedOut};

impl Cluster {
    /// Creates a namespace that takes only pods of the restricted profile.
    pub async fn create_namespace(&self, name: &str) -> Result<(), Error> {
        let labels = BTreeMap::from([("pod-security.kubernetes.io/enforce".to_owned(), "restricted".to_owned())]);
        let metadata = ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() };
        let namespace = core::Namespace { metadata, ..core::Namespace::default() };
        let created = self.namespaces().create(&PostParams::default(), &namespace).await;
        created.map(drop).map_err(|error| Error::new(format!("create namespace {name}"), error))
    }

    /// Asks for the deletion of a namespace with all that is in it, if there is one.
    pub async fn delete_namespace(&self, name: &str) -> Result<(), Error> {
        match self.namespaces().delete(name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(::kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(Error::new(format!("delete namespace {name}"), error)),
        }
    }

    /// Waits until there is no such namespace.
    pub async fn until_namespace_is_gone(&self, name: &str, limit: Duration) -> Result<(), TimedOut> {
        wait::until(format!("namespace {name} is gone"), limit, async || match self.namespaces().get_opt(name).await {
            Err(error) => Look::NotYet(error.to_string()),
            Ok(None) => Look::Yes(()),
            Ok(Some(namespace)) => Look::NotYet(what_remains(&namespace)),
        })
        .await
    }

    /// What the API server answers to GET of this path.
    pub async fn text(&self, path: &str) -> Result<String, Error> {
        let fail = |error| Error::new(format!("get {path}"), error);
        let request = http::Request::get(path).body(Vec::new()).map_err(::kube::Error::HttpError).map_err(fail)?;
        self.client.request_text(request).await.map_err(fail)
    }

    fn namespaces(&self) -> Api<core::Namespace> {
        Api::all(self.client.clone())
    }
}

/// What Kubernetes says of a namespace that is being deleted.
fn what_remains(namespace: &core::Namespace) -> String {
    let conditions = namespace.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let said = conditions.filter(|c| c.status == "True").filter_map(|c| c.message.as_deref());
    format!("{} is there: {}", namespace.name_any(), said.collect::<Vec<_>>().join("; "))
}
