//! The HTTP API: takes messages, shows conversations, takes providers' webhooks. It answers 202
//! or 200 only when Kafka has what it took; it writes nothing into the store but idempotency
//! keys. Knows no provider beyond the gate of its webhook.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod body;
mod caller;
mod channels;
mod connections;
mod conversation;
mod dead_letters;
mod draft;
mod fields;
mod health;
mod idempotency;
mod journal;
mod ledger;
mod login;
mod members;
mod metrics;
mod openapi;
mod problem;
mod read;
mod reparse;
mod send;
mod serve;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tokens;
pub mod users;
mod webhooks;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chat4all_kafka::KafkaConfig;
use chat4all_ledger::{Journals, LedgerCheck};
use chat4all_message::{Connector, Topics};
use chat4all_store::Store;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

pub use journal::Journal;
pub use metrics::Metrics;
pub use serve::app;

use body::LargeBodies;
use health::Readiness;
use members::Members;
use tokens::Tokens;
use users::Users;
use webhooks::Gates;

/// What the API must know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where Kafka is, for looking at what it keeps.
    pub kafka: KafkaConfig,
    /// The names of the topics.
    pub topics: Topics,
    /// The connectors in the order of the resource.
    pub connectors: Vec<Connector>,
    /// The folder with `users.yaml` and `jwt-key`.
    pub auth_dir: PathBuf,
    /// The folder with one folder for each connector, with what its channel checks webhooks by.
    pub webhooks_dir: PathBuf,
    /// How long a stop may take, all in all.
    pub shutdown_grace: Duration,
}

/// The API cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The users cannot be read.
    #[error(transparent)]
    Users(#[from] users::Error),
    /// The key that signs tokens cannot be read.
    #[error(transparent)]
    Tokens(#[from] tokens::Error),
    /// The secrets of a connector's webhook cannot be read.
    #[error("webhook of connector {connector} (WEBHOOKS_DIR): {source}")]
    Webhook {
        /// The connector.
        connector: String,
        /// Why.
        source: chat4all_channels::Error,
    },
    /// The address cannot be had.
    #[error("could not listen on {listen}; is something else there? See HTTP_LISTEN")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The listener failed.
    #[error("the HTTP server stopped")]
    Serve(#[source] std::io::Error),
}

/// The API with everything it works with.
pub struct Api {
    topics: Topics,
    connectors: Vec<Connector>,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    users: Users,
    tokens: Tokens,
    gates: Gates,
    members: Members,
    large_bodies: LargeBodies,
    keyed: idempotency::Turns,
    metrics: Metrics,
    registry: Arc<Registry>,
    readiness: Readiness,
    ledger: LedgerCheck,
    journals: Journals,
}

impl Api {
    /// Reads the files that the configuration names. `registry` is what `/metrics` shows; `metrics`
    /// are registered in it.
    pub fn open(
        config: &Config,
        journal: Arc<dyn Journal>,
        store: Arc<dyn Store>,
        metrics: Metrics,
        registry: Arc<Registry>,
    ) -> Result<Self, Error> {
        for connector in &config.connectors {
            metrics.watch_webhook(&connector.name);
        }
        Ok(Self {
            topics: config.topics.clone(),
            connectors: config.connectors.clone(),
            users: Users::read(&config.auth_dir)?,
            tokens: Tokens::read(&config.auth_dir)?,
            gates: webhooks::gates(&config.webhooks_dir, &config.connectors)?,
            members: Members::of(store.clone()),
            large_bodies: LargeBodies::default(),
            keyed: idempotency::Turns::default(),
            readiness: Readiness::default(),
            ledger: LedgerCheck::new(config.kafka.clone(), config.topics.clone(), store.clone()),
            journals: Journals::new(config.kafka.clone(), config.topics.clone()),
            journal,
            store,
            metrics,
            registry,
        })
    }
}

/// Serves until `shutdown`, then stops within the grace period: first not ready, then no new
/// requests, then the last records acknowledged.
pub async fn run(
    config: Config,
    journal: Arc<dyn Journal>,
    store: Arc<dyn Store>,
    metrics: Metrics,
    registry: Arc<Registry>,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let api = Arc::new(Api::open(&config, journal, store, metrics, registry)?);
    serve::serve(api, config.listen, config.shutdown_grace, shutdown).await
}
