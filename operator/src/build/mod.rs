//! Third step of a reconcile: every object of a cluster, from the [`Model`] alone. Pure and unable to
//! fail; tested by name on YAML fixtures. Knows no client and not what exists already.

mod api;
mod config;
mod connector;
mod migration;
mod pod;
mod router;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use sha2::{Digest, Sha256};

use crate::model::{Identity, Model};
use crate::names::Component;

pub use migration::ATTEMPT;
pub use pod::CONFIG_HASH;

/// Every object of one cluster, by the time at which it is applied.
#[derive(Clone, Debug)]
pub struct Objects {
    /// Who the pods are; first, since a pod cannot start without.
    pub service_accounts: Vec<ServiceAccount>,
    /// The migration, which ends before anything of a new version is applied.
    pub migration: Job,
    /// The environment of the workloads.
    pub config_map: ConfigMap,
    /// The way to the API.
    pub service: Service,
    /// How many pods may be drained at once.
    pub disruption_budgets: Vec<PodDisruptionBudget>,
    /// The workloads.
    pub deployments: Vec<Deployment>,
}

/// Builds every object.
pub fn build(model: &Model) -> Objects {
    let parts = workloads(model);
    let config_map = config::config_map(model);
    let environment = config_map.data.clone().unwrap_or_default();
    let deployments = std::iter::once(api::deployment(model, &environment))
        .chain(std::iter::once(router::deployment(model, &environment)))
        .chain(model.connectors.iter().map(|connector| connector::deployment(model, connector, &environment)))
        .collect();
    Objects {
        service_accounts: parts
            .iter()
            .chain([&Component::Migrate])
            .map(|part| service_account(&model.identity, part))
            .collect(),
        migration: migration::job(model),
        config_map,
        service: api::service(model),
        disruption_budgets: parts.iter().map(|part| disruption_budget(&model.identity, part)).collect(),
        deployments,
    }
}

/// The parts of a cluster that run all the time.
pub fn workloads(model: &Model) -> Vec<Component> {
    let connectors = model.connectors.iter().map(|connector| Component::Connector(connector.name.clone()));
    [Component::Api, Component::Router].into_iter().chain(connectors).collect()
}

/// Metadata of an object of a part.
fn metadata(identity: &Identity, part: &Component) -> ObjectMeta {
    ObjectMeta {
        name: Some(part.object_name(&identity.name)),
        namespace: Some(identity.namespace.clone()),
        labels: Some(part.labels(&identity.name)),
        owner_references: Some(vec![identity.owner_reference()]),
        ..Default::default()
    }
}

/// An account for each part, so that a platform can give one of them an identity. None has any right
/// and none mounts a token.
fn service_account(identity: &Identity, part: &Component) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(identity, part),
        automount_service_account_token: Some(false),
        ..Default::default()
    }
}

/// One pod at a time may be drained; a pod that is not ready may always be, or a broken one would
/// hold up the drain of its node.
fn disruption_budget(identity: &Identity, part: &Component) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: metadata(identity, part),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector { match_labels: Some(part.selector(&identity.name)), ..Default::default() }),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Sixteen hexadecimal digits of a hash: short enough for a name, and changed content still changes
/// it.
pub fn short_hash(hasher: Sha256) -> String {
    hex::encode(&hasher.finalize()[..8])
}

#[cfg(test)]
pub mod tests;
