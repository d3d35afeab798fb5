//! Writes down every count that a Deployment was ever given, by a watch: a count that stood for a
//! moment only is not missed.

use std::sync::{Arc, Mutex, PoisonError};

use ::kube::runtime::{WatchStreamExt as _, watcher};
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use tokio_util::task::AbortOnDropHandle;

use crate::kube::One;

/// A count that a Deployment was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// When it was first seen.
    pub at: Timestamp,
    /// The count.
    pub replicas: u32,
}

/// Watches a Deployment until it is dropped.
pub struct Counts {
    seen: Arc<Mutex<Vec<Count>>>,
    _watch: AbortOnDropHandle<()>,
}

impl Counts {
    /// Begins with the count that it has now.
    pub fn watch(deployment: &One<Deployment>) -> Self {
        Self::watch_with(deployment, |deployment| deployment.spec?.replicas)
    }

    /// The counts of pods that are ready, instead of those that it was given.
    pub fn watch_ready(deployment: &One<Deployment>) -> Self {
        Self::watch_with(deployment, |deployment| Some(deployment.status?.ready_replicas.unwrap_or(0)))
    }

    fn watch_with(deployment: &One<Deployment>, count: fn(Deployment) -> Option<i32>) -> Self {
        let seen = Arc::new(Mutex::default());
        let note = Arc::clone(&seen);
        let changes = watcher(deployment.api(), deployment.only()).default_backoff().touched_objects();
        let watch = changes.for_each(move |deployment| {
            // A watch that breaks off is taken up again.
            if let Some(replicas) = deployment.ok().and_then(count) {
                write_down(&note, u32::try_from(replicas).unwrap_or_default());
            }
            std::future::ready(())
        });
        Self { seen, _watch: AbortOnDropHandle::new(tokio::spawn(watch)) }
    }

    /// The counts so far, oldest first; neighbours differ.
    pub fn seen(&self) -> Vec<Count> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same without their times.
    pub fn replicas(&self) -> Vec<u32> {
        self.seen().iter().map(|count| count.replicas).collect()
    }
}

fn write_down(seen: &Mutex<Vec<Count>>, replicas: u32) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.last().is_none_or(|last| last.replicas != replicas) {
        seen.push(Count { at: Timestamp::now(), replicas });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_written_down_when_it_changes() {
        let seen = Mutex::default();
        for replicas in [1, 1, 6, 6, 4, 6] {
            write_down(&seen, replicas);
        }
        let replicas: Vec<u32> = seen.into_inner().unwrap().iter().map(|count| count.replicas).collect();
        assert_eq!(replicas, [1, 6, 4, 6]);
    }
}
