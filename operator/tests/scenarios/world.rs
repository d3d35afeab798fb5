//! The world of an operator: an API server, a Kafka that does as it is told, and stand-ins for the
//! controllers of Kubernetes that run Jobs and pods.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chat4all_operator::connectors::pods::{ConnectorSource, PodReading};
use chat4all_operator::controller::{self, Setup};
use chat4all_operator::kafka::{Ensured, Error, Topics};
use chat4all_operator::metrics::Metrics;
use chat4all_operator::model::Topic;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::api_server::ApiServer;
use crate::flow::Flow;

pub const NAMESPACE: &str = "chat4all";

/// A Kafka.
#[derive(Clone, Default)]
pub struct Kafka {
    topics: Arc<Mutex<BTreeMap<String, i32>>>,
    error: Arc<Mutex<Option<Error>>>,
}

impl Kafka {
    pub fn fails(&self, error: Option<Error>) {
        *self.error.lock().unwrap() = error;
    }

    /// It has lost all that it held.
    pub fn forgets(&self) {
        self.topics.lock().unwrap().clear();
    }

    pub fn topics(&self) -> BTreeMap<String, i32> {
        self.topics.lock().unwrap().clone()
    }
}

#[async_trait]
impl Topics for Kafka {
    async fn ensure(&self, _: &str, topics: &[Topic]) -> Ensured {
        if let Some(error) = self.error.lock().unwrap().clone() {
            return error.into();
        }
        let mut there = self.topics.lock().unwrap();
        let missing = topics.iter().map(|topic| topic.name.clone()).filter(|name| !there.contains_key(name)).collect();
        there.extend(topics.iter().map(|topic| (topic.name.clone(), topic.partitions)));
        Ensured { missing, done: Ok(()) }
    }
}

/// The connector pods, which are well until they say something else. Clones share it.
#[derive(Clone, Default)]
pub struct ConnectorPods(Arc<Mutex<Said>>);

#[derive(Default)]
struct Said {
    by: BTreeMap<String, PodReading>,
    asked: usize,
    silent: bool,
}

impl ConnectorPods {
    /// From now on this pod says so.
    pub fn say(&self, pod: &str, reading: PodReading) {
        self.0.lock().unwrap().by.insert(pod.to_owned(), reading);
    }

    /// From now on no pod answers, or each does.
    pub fn silent(&self, silent: bool) {
        self.0.lock().unwrap().silent = silent;
    }

    /// How many questions there were.
    pub fn asked(&self) -> usize {
        self.0.lock().unwrap().asked
    }
}

#[async_trait]
impl ConnectorSource for ConnectorPods {
    async fn ask(&self, address: &str) -> Option<PodReading> {
        let mut said = self.0.lock().unwrap();
        said.asked += 1;
        if said.silent {
            return None;
        }
        Some(said.by.get(address).copied().unwrap_or_default())
    }
}

/// A running operator and what is around it.
pub struct World {
    pub api: ApiServer,
    pub kafka: Kafka,
    /// What goes through the topics.
    pub flow: Flow,
    pub connectors: ConnectorPods,
    registry: Registry,
    shutdown: CancellationToken,
}

impl World {
    /// Starts an operator in an empty world.
    pub fn new() -> Self {
        Self::around((ApiServer::new(), Kafka::default()))
    }

    /// Starts an operator in a world that exists.
    pub fn around((api, kafka): (ApiServer, Kafka)) -> Self {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let shutdown = CancellationToken::new();
        let (flow, connectors) = (Flow::on(&api), ConnectorPods::default());
        let setup = Setup {
            client: api.client(),
            namespace: None,
            instance: Some("operator-0".into()),
            topics: Arc::new(kafka.clone()),
            offsets: Arc::new(flow.clone()),
            pods: Arc::new(flow.clone()),
            connectors: Arc::new(connectors.clone()),
            metrics,
        };
        tokio::spawn(controller::run(setup, shutdown.clone(), || {}));
        Self { api, kafka, flow, connectors, registry, shutdown }
    }

    /// Ends the operator and leaves the rest.
    pub async fn stop(self) -> (ApiServer, Kafka) {
        self.shutdown.cancel();
        tokio::time::sleep(Duration::from_secs(1)).await;
        (self.api, self.kafka)
    }

    /// A world with the sample and its Secrets, where everything runs.
    pub async fn with_a_ready_cluster() -> Self {
        let world = Self::new();
        world.create_secrets();
        world.api.put(sample());
        world.kubernetes_runs_everything().await;
        world.until("the cluster is ready", |w| w.condition("Ready").0 == "True").await;
        world.until("the routers were looked at", |w| w.condition("RouterScaling").0 != "Unknown").await;
        world.is_quiet().await;
        world
    }

    /// The same, with the number of routers following the work.
    pub async fn with_scaling_on() -> Self {
        let world = Self::with_a_ready_cluster().await;
        world.edit_spec(|spec| spec["router"]["autoscaling"] = scaling());
        world.until("scaling is on", |w| w.condition("RouterScaling").1 != "Off").await;
        world.is_quiet().await;
        world
    }

    /// Changes the sample as its user would.
    pub fn edit_spec(&self, edit: impl FnOnce(&mut Value)) {
        self.api.edit("chat4allclusters", NAMESPACE, "demo", |cluster| edit(&mut cluster["spec"]));
    }

    pub fn create_secrets(&self) {
        self.api.put(secret("demo-auth", &["jwt-key", "users.yaml"]));
        self.api.put(secret("demo-whatsapp", &["access-token", "app-secret", "verify-token"]));
    }

    /// Waits until something holds; the clock runs only while everything else waits.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{what}: not within 100 seconds; the cluster is {:#}", self.cluster());
    }

    /// Waits until nothing has been written for a while.
    pub async fn is_quiet(&self) {
        let mut before = usize::MAX;
        while before != self.api.writes().len() {
            before = self.api.writes().len();
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    pub fn cluster(&self) -> Value {
        self.api.get("chat4allclusters", NAMESPACE, "demo").unwrap_or(Value::Null)
    }

    /// Status, reason and message of a condition of the sample.
    pub fn condition(&self, type_: &str) -> (String, String, String) {
        condition(&self.cluster(), type_)
    }

    pub fn deployment(&self, name: &str) -> Option<Value> {
        self.api.get("deployments", NAMESPACE, name)
    }

    pub fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }

    /// Plays the controllers of Kubernetes until nothing is left to run: Jobs complete, pods become
    /// ready.
    pub async fn kubernetes_runs_everything(&self) {
        let mut idle = 0;
        while idle < 20 {
            idle = if self.kubernetes_takes_a_step() { 0 } else { idle + 1 };
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn kubernetes_takes_a_step(&self) -> bool {
        let jobs = self.api.all("jobs").into_iter().filter(|job| job.get("status").is_none());
        let behind = |d: &Value| d["status"]["observedGeneration"] != d["metadata"]["generation"];
        let deployments = self.api.all("deployments").into_iter().filter(behind);
        let mut stepped = false;
        for job in jobs {
            stepped = true;
            self.set_status("jobs", &job, json!({"conditions": [{"type": "Complete", "status": "True"}]}));
        }
        for deployment in deployments {
            stepped = true;
            let replicas = &deployment["spec"]["replicas"];
            let status = json!({
                "observedGeneration": deployment["metadata"]["generation"],
                "replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas,
            });
            self.set_status("deployments", &deployment, status);
            self.run_pods_of(&deployment);
        }
        stepped
    }

    /// As many pods of routers and of connectors as the Deployment wants. Their names are their addresses.
    fn run_pods_of(&self, deployment: &Value) {
        let meta = &deployment["metadata"];
        if !matches!(meta["labels"]["app.kubernetes.io/component"].as_str(), Some("router" | "connector")) {
            return;
        }
        let (namespace, name) = (meta["namespace"].as_str().unwrap(), meta["name"].as_str().unwrap());
        let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
        let there = self.api.names("pods").into_iter().filter(|pod| pod.starts_with(name)).count() as u64;
        for n in there..wanted {
            self.api.put(json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("{name}-{n}"), "namespace": namespace, "labels": meta["labels"]},
                "status": {"podIP": format!("{name}-{n}"), "conditions": [{"type": "Ready", "status": "True"}]},
            }));
        }
        for n in wanted..there {
            self.api.delete("pods", namespace, &format!("{name}-{n}"));
        }
    }

    /// Lets time pass, in which Kubernetes does what Deployments ask for.
    pub async fn pass(&self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < end {
            self.kubernetes_takes_a_step();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    pub fn replicas(&self) -> i64 {
        self.deployment("demo-router").unwrap()["spec"]["replicas"].as_i64().unwrap()
    }

    fn set_status(&self, plural: &str, object: &Value, status: Value) {
        let meta = &object["metadata"];
        let (namespace, name) = (meta["namespace"].as_str().unwrap(), meta["name"].as_str().unwrap());
        self.api.edit(plural, namespace, name, |object| object["status"] = status);
    }

    /// The migration fails, long enough ago for the next attempt.
    pub fn the_migration_fails(&self) {
        for job in self.api.all("jobs") {
            let failed = json!({"type": "Failed", "status": "True", "message": "no host available", "lastTransitionTime": "2026-01-01T00:00:00Z"});
            self.set_status("jobs", &job, json!({"conditions": [failed]}));
        }
    }
}

/// Status, reason and message of a condition.
pub fn condition(cluster: &Value, type_: &str) -> (String, String, String) {
    let conditions = cluster["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.into_iter().find(|c| c["type"] == type_).unwrap_or_default();
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"), text("message"))
}

/// The sample, as the API server would store it.
pub fn sample() -> Value {
    let mut sample: Value = serde_yaml::from_str(include_str!("../fixtures/cluster.yaml")).unwrap();
    sample["metadata"].as_object_mut().unwrap().remove("generation");
    sample
}

/// Scaling as it is on, with the defaults that the API server fills in.
pub fn scaling() -> Value {
    json!({"enabled": true, "minReplicas": 1})
}

/// The sample under another name, beside it on the same engines.
pub fn another(name: &str) -> Value {
    let mut cluster = sample();
    cluster["metadata"]["name"] = name.into();
    cluster["metadata"]["uid"] = format!("uid-of-{name}").into();
    cluster["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z".into();
    cluster["spec"]["kafka"]["topicPrefix"] = format!("{name}.").into();
    cluster["spec"]["store"]["keyspace"] = name.replace('-', "_").into();
    cluster["spec"]["api"]["service"] = json!({"type": "ClusterIP"});
    cluster
}

pub fn secret(name: &str, keys: &[&str]) -> Value {
    // Base64 of 40 letters.
    let value = "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg=";
    let data: BTreeMap<_, _> = keys.iter().map(|key| (*key, value)).collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": name, "namespace": NAMESPACE}, "data": data,
    })
}
