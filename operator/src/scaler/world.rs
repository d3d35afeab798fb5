//! What the tasks share.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::runtime::events::Reporter;
use kube::runtime::reflector::{ObjectRef, Store};

use super::pods::PodSource;
use crate::kafka::offsets::OffsetSource;
use crate::metrics::ScalingMetrics;
use crate::model::Identity;
use crate::names::{COMPONENT, Component, INSTANCE};

/// What the tasks share.
pub struct World {
    /// The API server.
    pub client: Client,
    /// The Deployments of the clusters, as the watch sees them.
    pub deployments: Store<Deployment>,
    /// The router pods, as the watch sees them.
    pub router_pods: Store<Pod>,
    /// Kafka.
    pub offsets: Arc<dyn OffsetSource>,
    /// The router pods themselves.
    pub pods: Arc<dyn PodSource>,
    /// Who publishes events.
    pub reporter: Reporter,
    /// What the decisions say in numbers.
    pub metrics: ScalingMetrics,
    /// Asks for a reconcile of a cluster, because it has something new to show.
    pub wake: Box<dyn Fn(&Identity) + Send + Sync>,
}

impl World {
    /// A Deployment.
    pub(super) fn deployment(&self, identity: &Identity, name: &str) -> Option<Arc<Deployment>> {
        self.deployments.get(&ObjectRef::new(name).within(&identity.namespace))
    }

    /// Addresses of the routers of a cluster that are ready and stay.
    pub(super) fn router_addresses(&self, identity: &Identity) -> Vec<String> {
        let pods = self.router_pods.state();
        let theirs = pods.iter().filter(|pod| is_router_of(pod, identity) && is_ready(pod));
        theirs.filter_map(|pod| pod.status.as_ref()?.pod_ip.clone()).collect()
    }
}

fn is_router_of(pod: &Pod, identity: &Identity) -> bool {
    let label = |key: &str| pod.metadata.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    pod.metadata.namespace.as_deref() == Some(&identity.namespace)
        && label(INSTANCE) == Some(&identity.name)
        && label(COMPONENT) == Some(Component::Router.label())
}

/// Whether a pod is ready and stays.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.into_iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}
