//! The tasks: one for each cluster, from the first reconcile that could build it until it is gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::plan::Plan;
use super::task::Task;
use super::view::{self, View};
use super::world::World;
use crate::api::LearnedStatus;

/// Namespace and name of a resource.
type Key = (String, String);

/// The tasks of all clusters.
pub struct Scalers {
    world: Arc<World>,
    running: Mutex<HashMap<Key, Running>>,
}

/// One task. It ends with this value.
struct Running {
    plan: watch::Sender<Plan>,
    view: watch::Receiver<Option<View>>,
    _task: AbortOnDropHandle<()>,
}

impl Scalers {
    /// None yet.
    pub fn new(world: World) -> Self {
        Self { world: Arc::new(world), running: Mutex::default() }
    }

    /// Tells what a cluster asks for. `learned` is what its status remembers.
    pub fn set(&self, plan: Plan, learned: Option<&LearnedStatus>) {
        let key = (plan.identity.namespace.clone(), plan.identity.name.clone());
        let mut running = self.running();
        if let Some(task) = running.get(&key) {
            let former = task.plan.borrow().clone();
            if plan.continues(&former) {
                task.plan.send_if_modified(|current| {
                    let changed = current.scaling != plan.scaling;
                    *current = plan;
                    changed
                });
                return;
            }
            self.forget_clients(&former);
        }
        let learned = view::recalled(learned, &plan.pods_hash);
        let (sender, plans) = watch::channel(plan.clone());
        let (shown, view) = watch::channel(None);
        let task = Task::new(Arc::clone(&self.world), plan, learned).run(plans, shown);
        let task = AbortOnDropHandle::new(tokio::spawn(task));
        running.insert(key, Running { plan: sender, view, _task: task });
    }

    /// Scaling is off in the resource, whatever else it asks for.
    pub fn switch_off(&self, namespace: &str, name: &str) {
        if let Some(task) = self.running().get(&(namespace.to_owned(), name.to_owned())) {
            task.plan.send_if_modified(|plan| std::mem::replace(&mut plan.scaling.enabled, false));
        }
    }

    /// What is to be shown of a cluster; `None` until the first look.
    pub fn view(&self, namespace: &str, name: &str) -> Option<View> {
        let running = self.running();
        running.get(&(namespace.to_owned(), name.to_owned()))?.view.borrow().clone()
    }

    /// The cluster is gone, or nobody knows what its scaling should be by.
    pub fn forget(&self, namespace: &str, name: &str) {
        let gone = self.running().remove(&(namespace.to_owned(), name.to_owned()));
        if let Some(gone) = gone {
            self.forget_clients(&gone.plan.borrow());
            self.world.metrics.forget(namespace, name);
        }
    }

    fn forget_clients(&self, plan: &Plan) {
        self.world.offsets.forget(&plan.brokers, &plan.topics);
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Key, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
