//! Follows the memory of every process, and containers that are started again, while something else goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::kube::ResourceExt as _;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use super::flat::Point;
use super::process::Process;
use crate::restarts::{Restarts, restarted, restarts};
use crate::sample::Sample;

/// Between two looks: they take some of the machine, and twenty minutes shall be many of them.
const BETWEEN_LOOKS: Duration = Duration::from_secs(15);

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The memory of each pod, oldest first, by the process in it and its name.
    pub memory: BTreeMap<(Process, String), Vec<Point>>,
    /// A line for each container that was started again.
    pub restarted: BTreeSet<String>,
}

/// Watches until it is dropped.
pub struct Watch {
    seen: Arc<Mutex<Seen>>,
    _task: AbortOnDropHandle<()>,
}

impl Watch {
    /// Begins.
    pub fn start(sample: Sample) -> Self {
        let seen = Arc::new(Mutex::default());
        let task = tokio::spawn(watch(sample, Arc::clone(&seen)));
        Self { seen, _task: AbortOnDropHandle::new(task) }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn watch(sample: Sample, seen: Arc<Mutex<Seen>>) {
    let began = Instant::now();
    let mut before: BTreeMap<Process, Restarts> = BTreeMap::new();
    let mut turns = interval(BETWEEN_LOOKS);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        for process in Process::ALL {
            // Asked again the next time.
            let Ok(pods) = process.pods(&sample).list().await else { continue };
            let before = before.entry(process).or_insert_with(|| restarts(&pods));
            let again = restarted(before, &pods);
            let mut points = Vec::new();
            for pod in &pods {
                if let Some(mib) = process.resident_mib(&sample, pod).await {
                    points.push((pod.name_any(), Point { at: began.elapsed(), mib }));
                }
            }
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.restarted.extend(again);
            for (pod, point) in points {
                seen.memory.entry((process, pod)).or_default().push(point);
            }
        }
    }
}
