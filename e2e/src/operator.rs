//! The operator: its pods, and which of them leads.

use ::kube::ResourceExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;

use crate::deletion::Workload;
use crate::kube::{self, Cluster, Namespace, One};

/// Its namespace.
pub const NAMESPACE: &str = "chat4all-system";
/// Name of its Deployment, its Lease and its Helm release, and who its events and fields are from.
pub const NAME: &str = "chat4all-operator";

/// The operator.
#[derive(Clone)]
pub struct Operator {
    /// Where it runs.
    pub namespace: Namespace,
    /// Its Deployment and pods.
    pub workload: Workload,
    lease: One<Lease>,
}

impl Operator {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        let namespace = cluster.namespace(NAMESPACE);
        let labels = format!("app.kubernetes.io/name={NAME}");
        Self { workload: Workload::new(&namespace, NAME, &labels), lease: namespace.one(NAME), namespace }
    }

    /// The name of the pod that the Lease names; `None` when it names none.
    pub async fn holder(&self) -> Result<Option<String>, kube::Error> {
        let lease = self.lease.find().await?;
        Ok(lease.and_then(|lease| lease.spec?.holder_identity).filter(|name| !name.is_empty()))
    }

    /// The pod that leads and is ready; `None` while none does.
    pub async fn leader(&self) -> Result<Option<Pod>, kube::Error> {
        let holder = self.holder().await?;
        let pods = self.workload.running().await?;
        Ok(pods.into_iter().find(|pod| Some(pod.name_any()) == holder))
    }
}
