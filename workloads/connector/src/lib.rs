//! The connector: carries deliveries to one provider account. Around each call: ledger, account
//! (pauses, budget, breaker), time-out, classification by the channel, retry, dead letter. It also reads
//! the journal of the provider's webhooks. Knows one channel, and nothing of HTTP servers.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod account;
mod breaker;
mod budget;
mod deliver;
mod gone;
mod guarded;
mod inbound;
mod journal;
mod metrics;
mod moved;
mod overdue;
mod pairs;
mod parked;
mod policy;
mod provider;
mod standing;
mod step;
mod upload;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use chat4all_channels::{Channel, Pace};
use chat4all_dead_letters::Desk;
use chat4all_kafka::{
    Consumer, ConsumerMetrics, Gate, KafkaConfig, Lease, Limits, Producer, Pulse, Settings, Share, gate, together,
};
use chat4all_message::Topics;
use chat4all_store::Store;
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::deliver::Deliverer;
use crate::gone::Gone;
use crate::inbound::Intake;
use crate::journal::Journal;
use crate::moved::Moved;
use crate::pairs::Pairs;
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
    /// How fast the provider may be called, by all replicas together.
    pub pace: Pace,
    /// When to stop calling a provider that fails.
    pub breaker: BreakerPolicy,
    /// When to try again, and when to give up.
    pub retry: RetryPolicy,
    /// What to do when nobody knows whether the provider took a message.
    pub on_unknown_outcome: OnUnknownOutcome,
    /// With [`OnUnknownOutcome::Hold`]: how long a status of the provider is waited for.
    pub hold_for: Duration,
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
const OUTBOUND_LIMITS: Limits = Limits { records: 10_000, bytes: 32 << 20, at_work: 10_000 };

/// A webhook may hold 3 MB and a thousand statuses.
const INBOUND_LIMITS: Limits = Limits { records: 256, bytes: 16 << 20, at_work: 256 };

/// A connector, ready to run.
pub struct Connector {
    outbound: Consumer<Deliverer>,
    inbound: Consumer<Journal>,
    account: Arc<Account>,
    /// This replica's part of the budget: that of the partitions.
    share: Share,
    deliverer: Arc<Deliverer>,
}

impl Connector {
    /// A connector that joins its groups when it is run.
    pub fn new(
        config: Config,
        channel: Arc<dyn Channel>,
        kafka: &KafkaConfig,
        producer: Producer,
        store: Arc<dyn Store>,
        consumer_metrics: ConsumerMetrics,
        metrics: ConnectorMetrics,
    ) -> Result<Self, Error> {
        let (keeper, gate) = gate();
        let account =
            Arc::new(Account::new(config.name.clone(), config.breaker, &config.pace, keeper, metrics.clone()));
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
        let desk = Desk::new(config.topics.clone(), producer.clone(), store.clone());
        let journal = Journal {
            group: inbound.group.clone(),
            channel: channel.clone(),
            intake: Intake {
                connector: config.name.clone(),
                topics: config.topics.clone(),
                producer: producer.clone(),
                store: store.clone(),
            },
            desk: desk.clone(),
            metrics: metrics.clone(),
        };
        let deliverer = Arc::new(Deliverer {
            group: outbound.group.clone(),
            provider: Provider::new(channel, config.request_timeout).map_err(Error::Http)?,
            account: account.clone(),
            producer,
            desk,
            store,
            metrics,
            pairs: Pairs::new(config.pace.recipient),
            config,
            moved: Moved::default(),
            gone: Gone::default(),
        });
        let outbound = Consumer::new(kafka, outbound, deliverer.clone(), gate, consumer_metrics.clone())?;
        Ok(Self {
            share: outbound.share(),
            outbound,
            inbound: Consumer::new(kafka, inbound, Arc::new(journal), Gate::always_open(), consumer_metrics)?,
            account,
            deliverer,
        })
    }

    /// The signs of life of its loops.
    pub fn pulses(&self) -> Vec<Pulse> {
        vec![self.outbound.pulse(), self.inbound.pulse()]
    }

    /// Carries deliveries until `shutdown`; then finishes the calls at work and leaves.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let ended = CancellationToken::new();
        let (account, share) = (self.account, self.share);
        let consume = async {
            let outcome = together(self.outbound, self.inbound, shutdown).await;
            ended.cancel();
            outcome
        };
        let lease = Lease::until(ended.clone());
        let overdue = self.deliverer.end_overdue(&lease);
        let (_, _, consumed) = tokio::join!(ended.run_until_cancelled(account.tend(share)), overdue, consume);
        Ok(consumed?)
    }
}
