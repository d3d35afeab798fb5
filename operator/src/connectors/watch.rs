//! The task that asks the connector pods of all clusters, one cheap question for each pod at each look.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, Resource as _};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::ailment::Ailment;
use super::pods::{ConnectorSource, PodReading};
use super::record::Record;
use crate::api::Chat4AllCluster;
use crate::kube_error::plain;
use crate::names::{CONNECTOR, INSTANCE};
use crate::scaler::is_ready;

/// Between two looks. A breaker is open for 30 s by default, and people look at a status for minutes.
const POLL: Duration = Duration::from_secs(15);

/// Pods that are asked at a time.
const AT_A_TIME: usize = 32;

/// Namespace and name of a cluster.
type Cluster = (String, String);

/// What ails the connectors of all clusters, as last seen. Clones share it.
#[derive(Clone, Default)]
pub struct Connectors(Arc<Mutex<HashMap<Cluster, BTreeMap<String, Ailment>>>>);

impl Connectors {
    /// What ails a connector of a cluster.
    pub fn ailment(&self, namespace: &str, cluster: &str, connector: &str) -> Option<Ailment> {
        self.lock().get(&(namespace.to_owned(), cluster.to_owned()))?.get(connector).copied()
    }

    /// Takes in what was seen; the clusters of which that is something else than before.
    fn replace(&self, seen: HashMap<Cluster, BTreeMap<String, Ailment>>) -> Vec<Cluster> {
        let mut shown = self.lock();
        let before = std::mem::replace(&mut *shown, seen);
        let mut clusters: Vec<&Cluster> = before.keys().chain(shown.keys()).collect();
        clusters.sort();
        clusters.dedup();
        clusters.into_iter().filter(|cluster| before.get(*cluster) != shown.get(*cluster)).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Cluster, BTreeMap<String, Ailment>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for a reconcile of the cluster with this namespace and name.
pub type Wake = Box<dyn Fn(&str, &str) + Send + Sync>;

/// The task and what it needs.
pub struct Watch {
    /// The connector pods, as the watch sees them.
    pub pods: Store<Pod>,
    /// The clusters, as the watch sees them.
    pub clusters: Store<DynamicObject>,
    /// Asks a pod.
    pub source: Arc<dyn ConnectorSource>,
    /// The API server.
    pub client: Client,
    /// Who publishes events.
    pub reporter: Reporter,
    /// Where it is shown.
    pub shown: Connectors,
    /// Asks for a reconcile of a cluster that has something new to show.
    pub wake: Wake,
}

impl Watch {
    /// Looks for ever.
    pub async fn run(self) {
        let mut tick = interval(POLL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut records: HashMap<(Cluster, String), Record> = HashMap::new();
        loop {
            tick.tick().await;
            let readings = self.ask().await;
            records.retain(|connector, _| readings.contains_key(connector));
            let mut seen: HashMap<Cluster, BTreeMap<String, Ailment>> = HashMap::new();
            for ((cluster, connector), readings) in readings {
                let record = records.entry((cluster.clone(), connector.clone())).or_default();
                let found = record.look(&readings, Instant::now());
                if found.first_dead_letter {
                    self.tell_first_dead_letter(&cluster, &connector).await;
                }
                if let Some(ailment) = found.ailment {
                    seen.entry(cluster).or_default().insert(connector, ailment);
                }
            }
            for (namespace, name) in self.shown.replace(seen) {
                (self.wake)(&namespace, &name);
            }
        }
    }

    /// What the pods of each connector say that has pods; those that give no answer say nothing.
    async fn ask(&self) -> HashMap<(Cluster, String), BTreeMap<String, PodReading>> {
        let pods = self.pods.state();
        let mut readings: HashMap<_, BTreeMap<_, _>> = HashMap::new();
        let mut ready = Vec::new();
        for pod in &pods {
            let Some(connector) = connector_of(pod) else { continue };
            readings.entry(connector.clone()).or_default();
            if let Some(address) =
                pod.status.as_ref().and_then(|status| status.pod_ip.clone()).filter(|_| is_ready(pod))
            {
                ready.push((connector, address));
            }
        }
        let ask = |(connector, address): ((Cluster, String), String)| async move {
            let reading = self.source.ask(&address).await;
            (connector, address, reading)
        };
        let mut answers = stream::iter(ready).map(ask).buffer_unordered(AT_A_TIME);
        while let Some((connector, address, reading)) = answers.next().await {
            if let (Some(pods), Some(reading)) = (readings.get_mut(&connector), reading) {
                pods.insert(address, reading);
            }
        }
        readings
    }

    async fn tell_first_dead_letter(&self, (namespace, name): &Cluster, connector: &str) {
        let resource = ApiResource::erase::<Chat4AllCluster>(&());
        let reference = ObjectRef::new_with(name, resource.clone()).within(namespace);
        let Some(cluster) = self.clusters.get(&reference) else { return };
        let event = Event {
            type_: EventType::Warning,
            reason: "FirstDeadLetter".to_owned(),
            note: Some(format!(
                "spec.connectors[{connector}]: a delivery was given up and is a dead letter; look at why with `chat4all dlq list`"
            )),
            action: "GiveUp".to_owned(),
            secondary: None,
        };
        tracing::warn!(namespace, cluster = name, connector, "a first dead letter");
        // One that lasted would tell another connector's within minutes as a repetition of this one.
        let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        if let Err(error) = recorder.publish(&event, &cluster.object_ref(&resource)).await {
            tracing::warn!(error = plain(&error), "could not publish an event");
        }
    }
}

fn connector_of(pod: &Pod) -> Option<(Cluster, String)> {
    let label = |key: &str| pod.metadata.labels.as_ref()?.get(key).cloned();
    Some(((pod.metadata.namespace.clone()?, label(INSTANCE)?), label(CONNECTOR)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(ailing: &[(&str, &str, Ailment)]) -> HashMap<Cluster, BTreeMap<String, Ailment>> {
        let mut seen: HashMap<Cluster, BTreeMap<String, Ailment>> = HashMap::new();
        for (cluster, connector, ailment) in ailing {
            seen.entry(("ns".into(), (*cluster).into())).or_default().insert((*connector).into(), *ailment);
        }
        seen
    }

    #[test]
    fn only_the_clusters_that_fare_otherwise_than_before_have_something_to_show() {
        let shown = Connectors::default();
        let changed = |ailing: &[_]| shown.replace(seen(ailing)).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(changed(&[]), [""; 0]);
        assert_eq!(changed(&[("a", "x", Ailment::BreakerOpen), ("b", "x", Ailment::TokenExpired)]), ["a", "b"]);
        assert_eq!(changed(&[("a", "x", Ailment::BreakerOpen), ("b", "x", Ailment::BreakerOpen)]), ["b"]);
        assert_eq!(shown.ailment("ns", "b", "x"), Some(Ailment::BreakerOpen));
        assert_eq!(changed(&[("b", "x", Ailment::BreakerOpen)]), ["a"]);
        assert_eq!(shown.ailment("ns", "a", "x"), None);
    }
}
