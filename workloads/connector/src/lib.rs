//! The connector: carries deliveries to one provider account. Around each call: ledger, account
//! (pauses, breaker), time-out, classification by the channel, retry, dead letter. It also reads
//! the journal of the provider's webhooks. Knows one channel, and nothing of HTTP servers.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod account;
mod breaker;
mod deliver;
mod gone;
mod guarded;
mod journal;
mod metrics;
mod moved;
mod policy;
mod provider;
mod step;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use chat4all_channels::Channel;
use chat4all_dead_letters::Desk;
use chat4all_kafka::{Consumer, ConsumerMetrics, Gate, KafkaConfig, Limits, Producer, Pulse, Settings, gate, together};
use chat4all_message::Topics;
use chat4all_store::Ledger;
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::deliver::Deliverer;
use crate::gone::Gone;
use crate::journal::Journal;
use crate::moved::Moved;
use crate::provider::Provider;

pub use crate::breaker::BreakerPolicy;
pub use crate::metrics::ConnectorMetrics;
pub use crate::policy::{OnUnknownOutcome, RetryPolicy};

/// What a connector must know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name; part of topic names.
    pub name: String,
    /// The names of the topics.
    pub topics: Topics,
    /// When to stop calling a provider that fails.
    pub breaker: BreakerPolicy,
    /// When to try again, and when to give up.
    pub retry: RetryPolicy,
    /// What to do when nobody knows whether the provider took a message.
    pub on_unknown_outcome: OnUnknownOutcome,
    /// How long the provider may take for one answer. Longer than `drain`, and a graceful stop
    /// can cut a call off.
    pub request_timeout: Duration,
    /// How long records at work may take when a partition is revoked or the process stops.
    pub drain: Duration,
}

/// Why a connector ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] chat4all_kafka::Error),
    /// The HTTP client cannot be made.
    #[error("could not create the HTTP client")]
    Http(#[source] reqwest::Error),
}

/// Deliveries waiting for a retry or for the account stay in memory; about 1 KiB for each.
const OUTBOUND_LIMITS: Limits = Limits { records: 10_000, bytes: 32 << 20 };

/// A webhook may hold 3 MB and a thousand statuses.
const INBOUND_LIMITS: Limits = Limits { records: 256, bytes: 16 << 20 };

/// A connector, ready to run.
pub struct Connector {
    outbound: Consumer<Deliverer>,
    inbound: Consumer<Journal>,
    account: Arc<Account>,
}

impl Connector {
    /// A connector that joins its groups when it is run. What it gives up goes over `desk`.
    #[expect(clippy::too_many_arguments, reason = "each is another part of the world")]
    pub fn new(
        config: Config,
        channel: Arc<dyn Channel>,
        kafka: &KafkaConfig,
        producer: Producer,
        desk: Desk,
        ledger: Arc<dyn Ledger>,
        consumer_metrics: ConsumerMetrics,
        metrics: ConnectorMetrics,
    ) -> Result<Self, Error> {
        let (keeper, gate) = gate();
        let account = Arc::new(Account::new(config.name.clone(), config.breaker, keeper, metrics.clone()));
        let outbound = Settings {
            group: config.topics.connector_group(&config.name),
            topics: vec![config.topics.outbound(&config.name)],
            limits: OUTBOUND_LIMITS,
            drain: config.drain,
        };
        let inbound = Settings {
            group: config.topics.inbound_group(&config.name),
            topics: vec![config.topics.inbound(&config.name)],
            limits: INBOUND_LIMITS,
            drain: config.drain,
        };
        let journal = Journal {
            group: inbound.group.clone(),
            topics: config.topics.clone(),
            channel: channel.clone(),
            producer: producer.clone(),
            desk: desk.clone(),
            metrics: metrics.clone(),
            connector: config.name.clone(),
        };
        let deliverer = Deliverer {
            group: outbound.group.clone(),
            provider: Provider::new(channel, config.request_timeout).map_err(Error::Http)?,
            account: account.clone(),
            producer,
            desk,
            ledger,
            metrics,
            config,
            moved: Moved::default(),
            gone: Gone::default(),
        };
        Ok(Self {
            outbound: Consumer::new(kafka, outbound, Arc::new(deliverer), gate, consumer_metrics.clone())?,
            inbound: Consumer::new(kafka, inbound, Arc::new(journal), Gate::always_open(), consumer_metrics)?,
            account,
        })
    }

    /// The signs of life of its loops.
    pub fn pulses(&self) -> Vec<Pulse> {
        vec![self.outbound.pulse(), self.inbound.pulse()]
    }

    /// Carries deliveries until `shutdown`; then finishes the calls at work and leaves.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let ended = CancellationToken::new();
        let account = self.account;
        let consume = async {
            let outcome = together(self.outbound, self.inbound, shutdown).await;
            ended.cancel();
            outcome
        };
        let (_, consumed) = tokio::join!(ended.run_until_cancelled(account.tend()), consume);
        Ok(consumed?)
    }
}
