//! A typed client of the cluster. Any namespaced kind is handled through the one trait [`Kind`]:
//! get, create, patch, delete and wait are written once, in [`One`] and [`All`].

mod call;
mod conditions;
mod events;
mod exec;
mod namespaces;
mod object;
mod owned;
mod restart;
mod scale;
mod table;
mod volumes;

use std::path::Path;

use ::kube::config::{Config, KubeConfigOptions, Kubeconfig};
use ::kube::{Api, Client};
use k8s_openapi::api::core::v1::Node;

pub use call::Error;
pub use conditions::{Condition, because, ready, rolled_out, rolled_out_with, running, shows};
pub use events::Event;
pub use exec::Output;
pub use object::{All, Grace, Kind, One};
pub use owned::{Object, Survey, owned};
pub use restart::restarted_at;
pub use table::Table;
pub use volumes::Folder;

/// A cluster.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
}

/// A namespace of a cluster.
#[derive(Clone)]
pub struct Namespace {
    client: Client,
    name: String,
}

impl Cluster {
    /// The cluster of the current context of this kubeconfig.
    pub async fn connect(kubeconfig: &Path) -> Result<Self, Error> {
        // Fails only where one was installed before, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let doing = || format!("read the kubeconfig {} (make up writes it)", kubeconfig.display());
        let file = Kubeconfig::read_from(kubeconfig).map_err(|e| Error::new(doing(), e.into()))?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
            .await
            .map_err(|e| Error::new(doing(), e.into()))?;
        let client = Client::try_from(config).map_err(|e| Error::new("connect to the cluster".into(), e))?;
        Ok(Self { client })
    }

    /// A namespace, whether it exists or not.
    pub fn namespace(&self, name: &str) -> Namespace {
        Namespace { client: self.client.clone(), name: name.to_owned() }
    }
}

impl Cluster {
    /// What a node says of its condition Ready; `None` where it says nothing.
    pub async fn node_ready(&self, name: &str) -> Result<Option<String>, Error> {
        let node = Api::<Node>::all(self.client.clone()).get(name).await;
        let node = node.map_err(|error| Error::new(format!("read node {name}"), error))?;
        let mut conditions = node.status.into_iter().flat_map(|status| status.conditions.into_iter().flatten());
        Ok(conditions.find(|condition| condition.type_ == "Ready").map(|condition| condition.status))
    }
}

impl Namespace {
    /// The object of this name, whether it exists or not.
    pub fn one<K: Kind>(&self, name: impl Into<String>) -> One<K> {
        One::new(self.clone(), name.into())
    }

    /// The objects with these labels (`key=value,key=value`).
    pub fn all<K: Kind>(&self, labels: impl Into<String>) -> All<K> {
        All::new(self.clone(), labels.into())
    }

    fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.name)
    }
}
