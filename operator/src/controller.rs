//! The loop: watches what clusters are made of and brings on reconciles. Watches fill caches from
//! their own tasks, so that they go on while reconciles are busy.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::future::try_join_all;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, PodStatus, Secret};
use kube::api::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::core::{DynamicResourceScope, NamespaceResourceScope};
use kube::runtime::controller::{self, Action, Config, ReconcileRequest, trigger_owners, trigger_self, trigger_with};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{ObjectRef, Store, store::Writer};
use kube::runtime::{WatchStreamExt, applier, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::api::Chat4AllCluster;
use crate::apply::Applier;
use crate::backoff::Backoff;
use crate::connectors::pods::ConnectorSource;
use crate::connectors::{Connectors, Wake, Watch};
use crate::kafka::Topics;
use crate::kafka::offsets::OffsetSource;
use crate::kube_error::chain;
use crate::metrics::Metrics;
use crate::model::Identity;
use crate::names::{COMPONENT, CONNECTORS, Component, FIELD_MANAGER, OWNED_BY_OPERATOR};
use crate::owned::{Kind, Owned};
use crate::reconcile::{Context, Error, reconcile};
use crate::references::References;
use crate::scaler::pods::PodSource;
use crate::scaler::{Scalers, World};

/// Reconciles at a time. Most of one is waiting for answers.
const CONCURRENCY: u16 = 16;

/// Events about one cluster that come this close together bring on one reconcile.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// Secrets that no cluster ever names, and of which there are many.
const SECRETS: &str = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token";

type Request = ReconcileRequest<DynamicObject>;
type Outcome = Result<(ObjectRef<DynamicObject>, Action), controller::Error<Error, watcher::Error>>;

/// What the controller works with.
pub struct Setup {
    /// The API server.
    pub client: Client,
    /// The namespace to watch; `None` for all.
    pub namespace: Option<String>,
    /// Who publishes events.
    pub instance: Option<String>,
    /// Kafka's topics.
    pub topics: Arc<dyn Topics>,
    /// How far the routers are in them.
    pub offsets: Arc<dyn OffsetSource>,
    /// The router pods.
    pub pods: Arc<dyn PodSource>,
    /// The connector pods.
    pub connectors: Arc<dyn ConnectorSource>,
    /// Counts.
    pub metrics: Metrics,
}

/// Reconciles until shutdown, then ends the reconciles that run. `working` is called once everything
/// that exists has been read.
pub async fn run(setup: Setup, shutdown: CancellationToken, working: impl FnOnce()) {
    let mut watches = Watches::new(&setup);
    let (clusters, writer) = store_of(cluster_resource());
    watches.clusters(writer);
    let owned = watches.owned();
    let references = Arc::new(References::default());
    watches.secrets(Arc::clone(&references));
    let router_pods = watches.pods(Component::Router.label());
    let connector_pods = watches.pods(CONNECTORS);

    tokio::select! {
        () = all_read(&clusters, &owned) => working(),
        () = shutdown.cancelled() => return,
    }
    let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: setup.instance };
    let recorder = Recorder::new(setup.client.clone(), reporter.clone());
    let scalers = Scalers::new(World {
        client: setup.client.clone(),
        deployments: owned.deployments.clone(),
        router_pods,
        offsets: setup.offsets,
        pods: setup.pods,
        reporter: reporter.clone(),
        metrics: setup.metrics.scaling(),
        wake: {
            let wake = watches.wake();
            Box::new(move |identity: &Identity| wake(&identity.namespace, &identity.name))
        },
    });
    let connectors = Connectors::default();
    let watch = Watch {
        pods: connector_pods,
        clusters: clusters.clone(),
        source: setup.connectors,
        client: setup.client.clone(),
        reporter,
        shown: connectors.clone(),
        wake: watches.wake(),
    };
    watches.tasks.spawn(watch.run());
    let context = Arc::new(Context {
        recorder,
        client: setup.client,
        clusters: clusters.clone(),
        owned,
        references,
        applier: Applier::default(),
        topics: setup.topics,
        metrics: setup.metrics,
        scalers,
        connectors,
        backoff: Backoff::default(),
    });
    let Watches { requests, tasks: _tasks, .. } = watches;
    let queue = requests.map(Ok::<_, watcher::Error>).take_until(shutdown.cancelled_owned());
    let config = Config::default().concurrency(CONCURRENCY).debounce(DEBOUNCE);
    applier(reconcile_apart, retry, Arc::clone(&context), clusters, queue, config)
        .for_each(|outcome| {
            settle(&context, outcome);
            std::future::ready(())
        })
        .await;
}

/// Longer than any reconcile that gets answers; one that gets none would keep its cluster, and with others like it
/// every cluster, waiting for as long as TCP does.
const LONGEST: Duration = Duration::from_secs(300);

/// Reconciles in a task of its own, so that a defect ends this one reconcile and no other.
fn reconcile_apart(
    object: Arc<DynamicObject>,
    context: Arc<Context>,
) -> futures::future::BoxFuture<'static, Result<Action, Error>> {
    Box::pin(async move {
        let task = AbortOnDropHandle::new(tokio::spawn(reconcile(object, context)));
        match timeout(LONGEST, task).await {
            Ok(ended) => ended.unwrap_or(Err(Error::Panicked)),
            Err(_elapsed) => Err(Error::Unanswered(LONGEST)),
        }
    })
}

#[allow(clippy::needless_pass_by_value, reason = "the signature is given")]
fn retry(object: Arc<DynamicObject>, error: &Error, context: Arc<Context>) -> Action {
    let wait = context.backoff.failed(key(&object.metadata.namespace, object.metadata.name.as_deref()));
    tracing::warn!(
        namespace = object.metadata.namespace,
        cluster = object.metadata.name,
        error = chain(error),
        wait_seconds = wait.as_secs(),
        "reconcile failed"
    );
    Action::requeue(wait)
}

/// Forgets a cluster that is gone. Other outcomes were reported where they came about.
fn settle(context: &Context, outcome: Outcome) {
    if let Err(controller::Error::ObjectNotFound(gone)) = outcome {
        let (namespace, name) = key(&gone.namespace, Some(&gone.name));
        context.references.set(&namespace, &name, &[].into());
        context.applier.forget(&namespace, &name);
        context.scalers.forget(&namespace, &name);
        context.metrics.cluster(&namespace, &name, None);
        context.backoff.reset(&(namespace, name));
    }
}

fn key(namespace: &Option<String>, name: Option<&str>) -> (String, String) {
    (namespace.clone().unwrap_or_default(), name.unwrap_or_default().to_owned())
}

async fn all_read(clusters: &Store<DynamicObject>, owned: &Owned) {
    let rest = try_join_all(owned.metadata.values().map(Store::wait_until_ready));
    let read = futures::join!(
        clusters.wait_until_ready(),
        owned.deployments.wait_until_ready(),
        owned.jobs.wait_until_ready(),
        rest,
    );
    if let (Ok(()), Ok(()), Ok(()), Ok(_)) = read {
        return;
    }
    // A watch has ended, which it does with the process only.
    std::future::pending().await
}

fn cluster_resource() -> ApiResource {
    ApiResource::erase::<Chat4AllCluster>(&())
}

fn store_of<K>(resource: K::DynamicType) -> (Store<K>, Writer<K>)
where
    K: Resource + Clone + 'static,
    K::DynamicType: Clone + Eq + Hash,
{
    let writer = Writer::new(resource);
    (writer.as_reader(), writer)
}

/// The watches: each a task that fills a cache and asks for reconciles.
struct Watches {
    client: Client,
    namespace: Option<String>,
    sender: UnboundedSender<Request>,
    requests: BoxStream<'static, Request>,
    /// They end with this value.
    tasks: JoinSet<()>,
}

impl Watches {
    fn new(setup: &Setup) -> Self {
        let (sender, requests) = unbounded();
        Self {
            client: setup.client.clone(),
            namespace: setup.namespace.clone(),
            sender,
            requests: requests.boxed(),
            tasks: JoinSet::new(),
        }
    }

    /// Watches the clusters themselves, without reading more into them than metadata: one that is
    /// malformed must not stop the watch of the others.
    fn clusters(&mut self, writer: Writer<DynamicObject>) {
        let api: Api<DynamicObject> = self.dynamic(&cluster_resource());
        let seen = watcher(api, watcher::Config::default())
            .default_backoff()
            .modify(|object| object.metadata.managed_fields = None)
            .reflect(writer)
            .touched_objects();
        self.follow(trigger_self(seen, cluster_resource()));
    }

    /// Watches everything that clusters own.
    fn owned(&mut self) -> Owned {
        let (deployments, writer) = store_of(());
        self.own(self.typed(), writer, (), |deployment: &mut Deployment| {
            deployment.metadata.managed_fields = None;
            if let Some(spec) = &mut deployment.spec {
                spec.template = Default::default();
            }
        });
        let (jobs, writer) = store_of(());
        self.own(self.typed(), writer, (), |job: &mut Job| {
            job.metadata.managed_fields = None;
            if let Some(spec) = &mut job.spec {
                spec.template = Default::default();
            }
        });
        let mut metadata = BTreeMap::new();
        for kind in Kind::METADATA_ONLY {
            let (store, writer) = store_of::<PartialObjectMeta<DynamicObject>>(kind.api_resource());
            let api = self.dynamic(&kind.api_resource());
            self.own(api, writer, kind.api_resource(), |object: &mut PartialObjectMeta<DynamicObject>| {
                object.metadata.managed_fields = None;
            });
            metadata.insert(kind, store);
        }
        Owned { deployments, jobs, metadata }
    }

    fn own<K>(&mut self, api: Api<K>, writer: Writer<K>, resource: K::DynamicType, trim: fn(&mut K))
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        K::DynamicType: Clone + Debug + Eq + Hash + Send + Sync,
    {
        let seen = watcher(api, watcher::Config::default().labels(OWNED_BY_OPERATOR))
            .default_backoff()
            .modify(trim)
            .reflect(writer)
            .touched_objects();
        self.follow(trigger_owners::<DynamicObject, _>(seen, cluster_resource(), resource));
    }

    /// Watches the metadata of Secrets; nothing of them is kept.
    fn secrets(&mut self, references: Arc<References>) {
        let api: Api<PartialObjectMeta<Secret>> = self.typed();
        let seen = watcher(api, watcher::Config::default().fields(SECRETS)).default_backoff().touched_objects();
        self.follow(trigger_with(seen, move |secret: PartialObjectMeta<Secret>| {
            let (namespace, name) = key(&secret.metadata.namespace, secret.metadata.name.as_deref());
            let clusters = references.naming(&namespace, &name);
            clusters
                .into_iter()
                .map(move |cluster| ObjectRef::new_with(&cluster, cluster_resource()).within(&namespace))
                .collect::<Vec<_>>()
        }));
    }

    /// Watches the pods of a part, of which only the addresses and the readiness are kept. They bring on
    /// no reconcile: the Deployment does.
    fn pods(&mut self, part: &str) -> Store<Pod> {
        let (store, writer) = store_of(());
        let labels = format!("{OWNED_BY_OPERATOR},{COMPONENT}={part}");
        let seen = watcher(self.typed::<Pod>(), watcher::Config::default().labels(&labels))
            .default_backoff()
            .modify(|pod| {
                pod.metadata.managed_fields = None;
                pod.metadata.annotations = None;
                pod.spec = None;
                if let Some(status) = &mut pod.status {
                    let PodStatus { pod_ip, conditions, .. } = std::mem::take(status);
                    *status = PodStatus { pod_ip, conditions, ..Default::default() };
                }
            })
            .reflect(writer)
            .touched_objects();
        self.tasks.spawn(seen.for_each(|pod| {
            if let Err(error) = pod {
                broke_off(&error);
            }
            std::future::ready(())
        }));
        store
    }

    /// Asks for reconciles from outside of the watches, by namespace and name.
    fn wake(&self) -> Wake {
        let sender = self.sender.clone();
        Box::new(move |namespace, name| {
            let cluster = ObjectRef::new_with(name, cluster_resource()).within(namespace);
            // The receiver ends with the process.
            drop(sender.unbounded_send(cluster.into()));
        })
    }

    fn typed<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    fn dynamic<K>(&self, resource: &ApiResource) -> Api<K>
    where
        K: Resource<Scope = DynamicResourceScope, DynamicType = ApiResource>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        }
    }

    fn follow(&mut self, requests: impl Stream<Item = Result<Request, watcher::Error>> + Send + 'static) {
        let sender = self.sender.clone();
        self.tasks.spawn(requests.for_each(move |request| {
            match request {
                // The receiver ends with the process.
                Ok(request) => drop(sender.unbounded_send(request)),
                Err(error) => broke_off(&error),
            }
            std::future::ready(())
        }));
    }
}

fn broke_off(error: &watcher::Error) {
    tracing::warn!(error = chain(error), "a watch broke off and is taken up again");
}
