//! A connector with a provider, a ledger and topics of its own.

#![allow(dead_code, unused_imports, clippy::unwrap_used)]

#[path = "../../../router/tests/support/mod.rs"]
mod house;
mod provider;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat4all_channels::{ChannelConfig, Pace};
use chat4all_connector::{BreakerPolicy, Config, Connector, ConnectorMetrics, Error, OnUnknownOutcome, RetryPolicy};
use chat4all_kafka::{ConsumerMetrics, Placed};
use chat4all_message::{
    AcceptedMessage, Address, Channel, Delivery, DeliveryEvent, DeliveryId, MessageId, StatusUpdate, Subject,
};
use chat4all_store::{Ledger as _, LedgerEntry, Memory};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tempfile::TempDir;

pub use house::{Cluster, PARTITIONS, Running, Script, Scripted, assert_dead_letter, eventually, with_cluster};
pub use provider::{Call, NUMBER_ID, PAGE_ID, Provider, TOKEN, picture};

/// The connector's name.
pub const MAIN: &str = "main";

/// Settings that a test may change: patient by default, so that only what a test is about happens.
#[derive(Debug, Clone, Copy)]
pub struct Policies {
    pub pace: Pace,
    /// Whether the provider enforces its limits.
    pub provider_enforces: bool,
    pub breaker: BreakerPolicy,
    pub retry: RetryPolicy,
    pub on_unknown_outcome: OnUnknownOutcome,
    pub hold_for: Duration,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            pace: Pace::UNLIMITED,
            provider_enforces: false,
            // Never opens.
            breaker: BreakerPolicy { minimum_calls: 1_000_000, ..BreakerPolicy::default() },
            retry: RetryPolicy { max_attempts: 3, initial_backoff_millis: 100, max_backoff_millis: 400 },
            on_unknown_outcome: OnUnknownOutcome::Resend,
            hold_for: Duration::from_millis(200),
        }
    }
}

/// Where a connector works.
pub struct Place<'a> {
    pub cluster: &'a Cluster,
    pub provider: Provider,
    pub memory: Arc<Memory>,
    pub policies: Policies,
    registry: Mutex<Registry>,
    consumers: ConsumerMetrics,
    metrics: ConnectorMetrics,
    credentials: TempDir,
}

/// Runs a test on a place of its own.
pub async fn with_place<T>(policies: Policies, test: impl AsyncFnOnce(&Place<'_>) -> T) -> T {
    with_cluster(&[MAIN], async |cluster| {
        let mut registry = Registry::default();
        let credentials = TempDir::new().unwrap();
        let place = Place {
            cluster,
            provider: Provider::start(policies.provider_enforces).await,
            memory: Arc::default(),
            policies,
            consumers: ConsumerMetrics::register(&mut registry),
            metrics: ConnectorMetrics::register(&mut registry),
            registry: Mutex::new(registry),
            credentials,
        };
        place.replace_token(TOKEN);
        test(&place).await
    })
    .await
}

impl Place<'_> {
    /// A connector whose ledger follows a script.
    pub fn start_with(&self, ledger: Arc<Scripted>) -> Running<Error> {
        self.start_at(&self.provider.url, ledger)
    }

    /// A connector whose provider is elsewhere.
    pub fn start_at(&self, url: &str, ledger: Arc<Scripted>) -> Running<Error> {
        let account = format!(r#"{{"phoneNumberId":"{NUMBER_ID}","allowedNetworks":["127.0.0.0/8"]}}"#);
        self.start_as(self.channel(Channel::Whatsapp, &account, url), ledger)
    }

    /// A connector for Messenger.
    pub fn start_page(&self) -> Running<Error> {
        let channel = self.channel(Channel::Messenger, &format!(r#"{{"pageId":"{PAGE_ID}"}}"#), &self.provider.url);
        self.start_as(channel, self.ledger(Script::Play))
    }

    fn channel(&self, kind: Channel, account: &str, url: &str) -> Arc<dyn chat4all_channels::Channel> {
        let config = ChannelConfig {
            connector: MAIN.into(),
            base_url: Some(url.to_owned()),
            account: account.to_owned(),
            credentials_dir: self.credentials.path().into(),
        };
        chat4all_channels::open(kind, &config).unwrap()
    }

    /// A connector that speaks another channel, whose ledger follows a script.
    pub fn start_as(&self, channel: Arc<dyn chat4all_channels::Channel>, ledger: Arc<Scripted>) -> Running<Error> {
        let config = Config {
            name: MAIN.into(),
            topics: self.cluster.topics.clone(),
            pace: self.policies.pace,
            breaker: self.policies.breaker,
            retry: self.policies.retry,
            on_unknown_outcome: self.policies.on_unknown_outcome,
            hold_for: self.policies.hold_for,
            request_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(15),
        };
        let (kafka, producer) = (&self.cluster.kafka, self.cluster.producer.clone());
        let (consumers, metrics) = (self.consumers.clone(), self.metrics.clone());
        let connector = Connector::new(config, channel, kafka, producer, ledger, consumers, metrics).unwrap();
        Running::start(connector.pulses(), |shutdown| connector.run(shutdown))
    }

    /// Replaces the account's token, as a new Secret does; a connector that is started after it has it.
    pub fn replace_token(&self, token: &str) {
        std::fs::write(self.credentials.path().join("access-token"), token).unwrap();
    }

    /// A connector.
    pub fn start(&self) -> Running<Error> {
        self.start_with(self.ledger(Script::Play))
    }

    pub fn ledger(&self, script: Script) -> Arc<Scripted> {
        Scripted::new(self.memory.clone(), script)
    }

    pub async fn entry(&self, delivery: &Delivery) -> LedgerEntry {
        self.memory.entry(delivery.reference.delivery_id).await.unwrap().expect("the ledger knows the delivery")
    }

    /// Asks the connector to carry a delivery.
    pub async fn order(&self, delivery: &Delivery) -> Placed {
        self.cluster.put(&self.outbound(), &delivery.recipient.to_string(), delivery).await
    }

    pub fn outbound(&self) -> String {
        self.cluster.topics.outbound(MAIN)
    }

    pub fn group(&self) -> String {
        self.cluster.topics.connector_group(MAIN)
    }

    /// Waits until all deliveries are committed.
    pub async fn drained(&self) {
        self.cluster.drained(&self.group(), &[self.outbound()]).await;
    }

    /// What was told of a delivery.
    pub async fn told(&self, delivery: &Delivery) -> Vec<DeliveryEvent> {
        let all = self.cluster.statuses().await.into_iter();
        all.filter(|update| subject(update) == Some(delivery.reference.delivery_id))
            .map(|update| update.event)
            .collect()
    }

    /// The sum of a metric over its labels that hold this text; 0 when it has no such series.
    pub fn metric(&self, name: &str, label: &str) -> f64 {
        let mut text = String::new();
        encode(&mut text, &self.registry.lock().unwrap()).unwrap();
        let series = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        series.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    }

    pub async fn until_metric(&self, name: &str, label: &str, holds: impl Fn(f64) -> bool) {
        eventually(&format!("{name}{{{label}}} is as expected"), async || holds(self.metric(name, label))).await;
    }
}

fn subject(update: &StatusUpdate) -> Option<DeliveryId> {
    match &update.subject {
        Subject::Delivery { delivery, .. } => Some(delivery.delivery_id),
        Subject::Provider(_) => None,
    }
}

/// The `number`th recipient.
pub fn recipient(number: usize) -> Address {
    format!("whatsapp:+55629{number:08}").parse().unwrap()
}

/// A new delivery to the `number`th recipient.
pub fn delivery(number: usize, content: &str) -> Delivery {
    let recipient = recipient(number);
    let message = AcceptedMessage {
        message_id: MessageId::now(),
        conversation_id: format!("c{number}").parse().unwrap(),
        sender: "ana".parse().unwrap(),
        recipient: Some(recipient.clone()),
        content: content.into(),
        file_id: None,
        media: None,
        template: None,
        reply_to: None,
        inbound: None,
    };
    Delivery::of(&message, recipient, MAIN)
}
