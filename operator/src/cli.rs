//! The command line and the environment, and what each command starts.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::connectors::pods::HttpConnectors;
use crate::controller::{self, Setup};
use crate::health::{self, Health, Phase};
use crate::kafka::Remembered;
use crate::kafka::admin::KafkaAdmin;
use crate::kafka::offsets::KafkaOffsets;
use crate::kube_error::chain;
use crate::lease::{Election, lead};
use crate::metrics::Metrics;
use crate::scaler::pods::HttpPods;
use crate::{api, check};

/// How long reconciles that run may take to end after SIGTERM; well below the 30 s that Kubernetes
/// waits before SIGKILL.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(15);

/// Reconciles Chat4AllCluster resources into API, router and connector workloads.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// What is logged: a level, or levels by module as in `info,kube=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info", global = true)]
    log: String,

    /// How it is logged.
    #[arg(long, env = "LOG_FORMAT", default_value = "text", global = true)]
    log_format: LogFormat,

    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator (the default).
    Run,
    /// Print the CustomResourceDefinition.
    Crd {
        /// For whom: kubectl, or the chart.
        #[arg(long, default_value = "manifest")]
        format: CrdFormat,
    },
    /// Check that an installation works: the resource is served and an operator is ready.
    Check {
        /// Address of the operator, for example http://chat4all-operator:8080.
        #[arg(long, env = "OPERATOR_URL")]
        url: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CrdFormat {
    /// YAML for kubectl.
    Manifest,
    /// Template of the Helm chart.
    Chart,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    Text,
    /// Lines for machines.
    Json,
}

/// Settings of the operator.
#[derive(Clone, Debug, clap::Args)]
struct Run {
    /// Namespace of the operator, where its Lease is.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    pod_namespace: String,

    /// Name of this pod; its identity in the election and in events.
    #[arg(long, env = "POD_NAME", default_value = "chat4all-operator")]
    pod_name: String,

    /// The namespace whose clusters it serves; empty for all namespaces.
    #[arg(long, env = "WATCH_NAMESPACE", default_value = "")]
    watch_namespace: String,

    /// Name of the Lease by which several operators agree who leads.
    #[arg(long, env = "LEASE_NAME", default_value = "chat4all-operator")]
    lease_name: String,

    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, env = "HTTP_LISTEN", default_value = "0.0.0.0:8080")]
    http_listen: SocketAddr,
}

/// A command did not do what it was told.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("could not find out how to reach the API server; run in a pod or set KUBECONFIG")]
    Client(#[source] kube::Error),
    #[error("could not serve health and metrics on {address}; set HTTP_LISTEN to a free address")]
    Health {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("could not listen for SIGTERM")]
    Signal(#[source] std::io::Error),
    #[error("could not print")]
    Print(#[source] std::io::Error),
    #[error(transparent)]
    Lost(#[from] crate::lease::Lost),
    #[error(transparent)]
    Check(#[from] check::Error),
}

impl Args {
    /// Does what the command line says.
    pub async fn run(self) -> ExitCode {
        self.start_log();
        let outcome = match self.command {
            None | Some(Command::Run) => operate(self.run).await,
            Some(Command::Crd { format }) => print(match format {
                CrdFormat::Manifest => api::manifest(),
                CrdFormat::Chart => api::chart_template(),
            }),
            Some(Command::Check { url }) => examine(&url).await,
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(error = chain(&error), "ended");
                ExitCode::FAILURE
            }
        }
    }

    fn start_log(&self) {
        // kube puts each line into a span that repeats what the line says; who wants it asks for it.
        let filter = EnvFilter::new(format!("kube_runtime=warn,{}", self.log));
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match self.log_format {
            LogFormat::Text => log.init(),
            LogFormat::Json => log.json().flatten_event(true).init(),
        }
    }
}

fn print(text: String) -> Result<(), Error> {
    std::io::stdout().write_all(text.as_bytes()).map_err(Error::Print)
}

async fn examine(url: &str) -> Result<(), Error> {
    let client = Client::try_default().await.map_err(Error::Client)?;
    check::check(client, url).await?;
    print("the resource is served and the operator is ready\n".to_owned())
}

async fn operate(settings: Run) -> Result<(), Error> {
    let shutdown = on_signal()?;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let health = Health::default();
    let address = settings.http_listen;
    // Ends after the rest, so that probes are answered until the last moment.
    let ended = CancellationToken::new();
    let served = health::serve(address, health.clone(), registry, ended.clone());
    let led = async {
        let result = lead_clusters(settings, &metrics, &health, shutdown).await;
        ended.cancel();
        result
    };
    tokio::select! {
        result = led => result,
        result = served => result.map_err(|source| Error::Health { address, source }),
    }
}

async fn lead_clusters(
    settings: Run,
    metrics: &Metrics,
    health: &Health,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let client = Client::try_default().await.map_err(Error::Client)?;
    let election = Election::new(client.clone(), &settings.pod_namespace, &settings.lease_name, &settings.pod_name);
    let setup = Setup {
        client,
        namespace: Some(settings.watch_namespace).filter(|namespace| !namespace.is_empty()),
        instance: Some(settings.pod_name),
        topics: Arc::new(Remembered::new(KafkaAdmin::default())),
        offsets: Arc::new(KafkaOffsets::default()),
        pods: Arc::new(HttpPods::default()),
        connectors: Arc::new(HttpConnectors::default()),
        metrics: metrics.clone(),
    };
    let result = lead(
        election,
        || health.beat(),
        shutdown.clone(),
        || async {
            metrics.leads(true);
            health.enter(Phase::Reading);
            let work = controller::run(setup, shutdown.clone(), || health.enter(Phase::Leading));
            let too_long = async {
                shutdown.cancelled().await;
                health.enter(Phase::Stopping);
                tokio::time::sleep(SHUTDOWN_GRACE).await;
            };
            tokio::select! {
                () = work => {}
                () = too_long => tracing::warn!("reconciles did not end in time and are broken off"),
            }
        },
    )
    .await;
    metrics.leads(false);
    Ok(result?)
}

/// Cancelled by SIGTERM, which Kubernetes sends, or SIGINT, which a terminal does.
fn on_signal() -> Result<CancellationToken, Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signal)?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to end");
        token.cancel();
    });
    Ok(cancelled)
}
