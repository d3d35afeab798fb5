//! The sample deployment of `examples/`, as `e2e/deploy.sh` installs it: where its parts are, and
//! how one gets in.

use std::path::Path;
use std::time::Duration;

use chat4all_message::Topics;
use chat4all_operator::api::Chat4AllCluster;
use k8s_openapi::api::core::v1::Pod;
use tokio::process::Command;

use crate::api::{self, Api};
use crate::commands::Commands;
use crate::deletion::Workload;
use crate::groups::Kafka;
use crate::kube::{self, All, Cluster, Namespace, One};
use crate::operator::Operator;
use crate::settings::Settings;
use crate::simulator::Simulator;
use crate::wait::{self, TimedOut};

/// The name of the resource.
pub const NAME: &str = "demo";
/// Its namespace.
pub const NAMESPACE: &str = "chat4all";
/// Its connector.
pub const CONNECTOR: &str = "whatsapp";
/// Partitions of its topics.
pub const PARTITIONS: u32 = 12;
/// The user that messages are sent as.
const USER: &str = "demo";

/// The sample.
#[derive(Clone)]
pub struct Sample {
    /// The cluster that it is in.
    pub cluster: Cluster,
    /// The operator.
    pub operator: Operator,
    /// Where everything but the operator is.
    pub namespace: Namespace,
    /// The resource.
    pub resource: One<Chat4AllCluster>,
    /// All pods of the namespace: the sample's, the simulator's, Kafka's and Cassandra's.
    pub pods: All<Pod>,
    /// The API's pods.
    pub api: Workload,
    /// The routers.
    pub routers: Workload,
    /// The connector's pods.
    pub connectors: Workload,
    /// Kafka.
    pub kafka: Kafka,
    /// Names of topics and groups.
    pub topics: Topics,
    /// The provider.
    pub simulator: Simulator,
    settings: Settings,
}

/// The sample cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API did not let us in.
    #[error(transparent)]
    Api(#[from] api::Error),
    /// The API is not there.
    #[error(transparent)]
    NotReady(#[from] TimedOut),
    /// One of its credentials is not there.
    #[error("could not read {0}, which e2e/deploy.sh writes")]
    Secret(String, #[source] std::io::Error),
    /// It could not be installed.
    #[error("e2e/deploy.sh {0}; what it said is above")]
    Install(String),
}

impl Sample {
    /// The sample in the cluster of the settings, whether it is installed or not.
    pub async fn of(settings: &Settings) -> Result<Self, kube::Error> {
        let cluster = Cluster::connect(&settings.kubeconfig).await?;
        let namespace = cluster.namespace(NAMESPACE);
        let labels =
            |component: &str| format!("app.kubernetes.io/instance={NAME},app.kubernetes.io/component={component}");
        Ok(Self {
            resource: namespace.one(NAME),
            pods: namespace.all(""),
            api: Workload::new(&namespace, &format!("{NAME}-api"), &labels("api")),
            routers: Workload::new(&namespace, &format!("{NAME}-router"), &labels("router")),
            connectors: Workload::new(&namespace, &format!("{NAME}-connector-{CONNECTOR}"), &labels("connector")),
            kafka: Kafka::in_pod(namespace.one("kafka-0")),
            topics: Topics::default(),
            simulator: Simulator::at(&settings.simulator),
            settings: settings.clone(),
            operator: Operator::of(&cluster),
            cluster,
            namespace,
        })
    }

    /// Installs what is not installed: engines, operator and sample, as `make up` does.
    pub async fn install(&self) -> Result<(), Error> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy.sh");
        let status = Command::new(script).env("CHAT4ALL_CACHE", &self.settings.cache).status().await;
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Error::Install(format!("failed ({status})"))),
            Err(error) => Err(Error::Install(format!("could not be run: {error}"))),
        }
    }

    /// Signs in, as soon as the API can be reached through its loopback port.
    pub async fn sign_in(&self) -> Result<Api, Error> {
        let password = self.secret("password")?;
        let what = format!("{} lets {USER} in", self.settings.api);
        let api = wait::until(what, Duration::from_secs(60), async || {
            Api::sign_in(&self.settings.api, USER, &password).await.into()
        });
        Ok(api.await?)
    }

    /// The commands that ask its API, as an operator.
    pub fn commands(&self) -> Result<Commands, Error> {
        Ok(Commands::new(&self.settings.api, &self.secret("operator-password")?))
    }

    /// One of the credentials that `e2e/deploy.sh` makes.
    pub fn secret(&self, name: &str) -> Result<String, Error> {
        let path = self.settings.cache.join("demo").join(name);
        let text = std::fs::read_to_string(&path).map_err(|e| Error::Secret(path.display().to_string(), e))?;
        Ok(text.trim().to_owned())
    }
}
