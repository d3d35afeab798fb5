//! What the operator owns in the API server, as its watches last saw it. Deployments and Jobs are
//! kept with their state, everything else as metadata only.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store};

use crate::model::Identity;
use crate::names::INSTANCE;

/// A kind of object that a cluster owns.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Who pods are.
    ServiceAccount,
    /// The environment of the workloads.
    ConfigMap,
    /// The way to the API.
    Service,
    /// How many pods may be drained.
    PodDisruptionBudget,
    /// The workloads.
    Deployment,
    /// The migration of the schema.
    Job,
}

impl Kind {
    /// Kinds of which the metadata is all that need be known.
    pub const METADATA_ONLY: [Self; 4] =
        [Self::ServiceAccount, Self::ConfigMap, Self::Service, Self::PodDisruptionBudget];

    /// How the API server calls it.
    pub fn api_resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::Job => ApiResource::erase::<Job>(&()),
        }
    }
}

/// What the watches saw.
pub struct Owned {
    /// The Deployments, without their templates.
    pub deployments: Store<Deployment>,
    /// The Jobs, without their templates.
    pub jobs: Store<Job>,
    /// The metadata of the rest.
    pub metadata: BTreeMap<Kind, Store<PartialObjectMeta<DynamicObject>>>,
}

impl Owned {
    /// The Deployment with this name.
    pub fn deployment(&self, namespace: &str, name: &str) -> Option<Deployment> {
        self.deployments.get(&ObjectRef::new(name).within(namespace)).map(|found| Deployment::clone(&found))
    }

    /// The Job with this name.
    pub fn job(&self, namespace: &str, name: &str) -> Option<Job> {
        self.jobs.get(&ObjectRef::new(name).within(namespace)).map(|found| Job::clone(&found))
    }

    /// The metadata of an object.
    pub fn metadata(&self, kind: Kind, namespace: &str, name: &str) -> Option<ObjectMeta> {
        match kind {
            Kind::Deployment => self.deployment(namespace, name).map(|found| found.metadata),
            Kind::Job => self.job(namespace, name).map(|found| found.metadata),
            kind => {
                let key = ObjectRef::new_with(name, kind.api_resource()).within(namespace);
                Some(self.metadata.get(&kind)?.get(&key)?.metadata.clone())
            }
        }
    }

    /// Everything that belongs to a cluster, whether it still should or not.
    pub fn of(&self, identity: &Identity) -> Vec<(Kind, ObjectMeta)> {
        let deployments = self.deployments.state().into_iter().map(|d| (Kind::Deployment, d.metadata.clone()));
        let jobs = self.jobs.state().into_iter().map(|j| (Kind::Job, j.metadata.clone()));
        let rest = self.metadata.iter().flat_map(|(kind, store)| {
            store.state().into_iter().map(|object| (*kind, object.metadata.clone())).collect::<Vec<_>>()
        });
        deployments.chain(jobs).chain(rest).filter(|(_, meta)| belongs_to(meta, identity)).collect()
    }
}

/// Whether it carries the labels of the cluster and is owned by this very resource, not by an
/// earlier one of the same name.
pub fn belongs_to(meta: &ObjectMeta, identity: &Identity) -> bool {
    let labels = meta.labels.as_ref();
    meta.namespace.as_deref() == Some(&identity.namespace)
        && labels.and_then(|l| l.get(INSTANCE)) == Some(&identity.name)
        && is_owned_by(meta, identity)
}

/// Whether the resource is its controlling owner.
pub fn is_owned_by(meta: &ObjectMeta, identity: &Identity) -> bool {
    meta.owner_references.iter().flatten().any(|owner| owner.uid == identity.uid && owner.controller == Some(true))
}
