//! Deletes pods of a Deployment, and waits until others have taken their place.

use std::fmt;
use std::time::Duration;

use ::kube::ResourceExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;

use crate::kube::{self, All, Grace, One, rolled_out, running};
use crate::node;
use crate::wait::{self, Look, TimedOut};

/// A pod's graceful end (30 s at most), its replacement's start, and the machine being busy.
const REPLACED_WITHIN: Duration = Duration::from_secs(90);

/// How a pod is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As `kubectl delete pod`: it may finish what it does.
    Graceful,
    /// As `kubectl delete pod --grace-period=0 --force`, after its process got SIGKILL: the
    /// kubelet alone would still send SIGTERM first, and a quick program would end well.
    Killed,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Graceful => "deleted",
            Way::Killed => "killed",
        })
    }
}

/// A Deployment and its pods.
#[derive(Clone)]
pub struct Workload {
    /// The Deployment.
    pub deployment: One<Deployment>,
    /// Its pods.
    pub pods: All<Pod>,
    namespace: kube::Namespace,
}

/// A pod could not be deleted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster did not do it.
    #[error(transparent)]
    Kube(#[from] kube::Error),
    /// Its process could not be killed.
    #[error(transparent)]
    Kill(#[from] node::Error),
    /// It was not replaced.
    #[error(transparent)]
    NotReplaced(#[from] TimedOut),
}

impl Workload {
    /// The workload of this Deployment, whose pods have these labels.
    pub fn new(namespace: &kube::Namespace, deployment: &str, labels: &str) -> Self {
        Self { deployment: namespace.one(deployment), pods: namespace.all(labels), namespace: namespace.clone() }
    }

    /// The pods that are ready, the longest running first.
    pub async fn running(&self) -> Result<Vec<Pod>, kube::Error> {
        let mut pods = self.pods.list().await?;
        pods.retain(|pod| running().holds(pod).is_ok());
        pods.sort_by_key(|pod| (pod.metadata.creation_timestamp.clone(), pod.name_any()));
        Ok(pods)
    }

    /// Deletes a pod; returns when that is under way.
    pub async fn delete(&self, pod: &Pod, way: Way) -> Result<(), Error> {
        let one = self.namespace.one::<Pod>(pod.name_any());
        match way {
            Way::Graceful => one.delete(Grace::Own).await?,
            Way::Killed => {
                node::kill(pod).await?;
                one.delete(Grace::None).await?
            }
        };
        Ok(())
    }

    /// Waits until this pod is gone and the Deployment runs all its replicas again.
    pub async fn until_replaced(&self, pod: &Pod) -> Result<(), TimedOut> {
        let gone = pod.uid().unwrap_or_default();
        self.namespace.one::<Pod>(pod.name_any()).until_gone(&gone, REPLACED_WITHIN).await?;
        // The Deployment's status lags behind its pods, so these are counted first.
        let wanted = self.deployment.find().await.ok().flatten().and_then(|d| d.spec?.replicas).unwrap_or(1);
        let what = format!("{} has {wanted} ready pods after the end of {}", self.deployment, pod.name_any());
        wait::until(what, REPLACED_WITHIN, async || match self.pods.list().await {
            Err(error) => Look::NotYet(error.to_string()),
            Ok(pods) => {
                let ready = pods.iter().filter(|pod| running().holds(pod).is_ok()).count();
                if ready == usize::try_from(wanted).unwrap_or_default() && pods.len() == ready {
                    Look::Yes(())
                } else {
                    Look::NotYet(pods.iter().map(|pod| as_text(&running(), pod)).collect::<Vec<_>>().join("; "))
                }
            }
        })
        .await?;
        self.deployment.until(rolled_out(), REPLACED_WITHIN).await.map(drop)
    }
}

fn as_text(running: &kube::Condition<Pod>, pod: &Pod) -> String {
    running.holds(pod).err().unwrap_or_else(|| format!("{} is ready", pod.name_any()))
}
