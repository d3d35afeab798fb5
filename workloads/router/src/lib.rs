//! The router: stores accepted messages, makes one delivery for each recipient, and applies
//! what becomes of them. Every step may be repeated: a crash anywhere repeats the same writes.
//! Knows no provider.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod handler;
mod members;
mod messages;
mod plan;
mod statuses;

use std::sync::Arc;
use std::time::Duration;

use chat4all_dead_letters::Desk;
use chat4all_kafka::{
    Consumer, ConsumerMetrics, Error, Gate, KafkaConfig, Limits, Producer, Pulse, Settings, together,
};
use chat4all_message::{Connector, Topics};
use chat4all_store::Store;
use tokio_util::sync::CancellationToken;

use crate::handler::Handlers;
use crate::members::Members;

/// What a router must know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The names of the topics.
    pub topics: Topics,
    /// The connectors in the order of the resource.
    pub connectors: Vec<Connector>,
    /// How long records at work may take when a partition is revoked or the process stops.
    pub drain: Duration,
}

/// For each topic. What waits is bounded by its bytes: so many that a partition, which may hold its share of them,
/// goes on with the next fetch before it has run dry. What is at work costs some 10 KiB more for each, and more of
/// it makes nothing faster: the store's requests wait in line behind each other, and the API's behind all of them.
const LIMITS: Limits = Limits { records: 16_384, bytes: 8 << 20, at_work: 256 };

/// A router, ready to run.
pub struct Router {
    messages: Consumer<Handlers>,
    statuses: Consumer<Handlers>,
}

impl Router {
    /// A router that joins its groups when it is run.
    pub fn new(
        config: Config,
        kafka: &KafkaConfig,
        producer: Producer,
        store: Arc<dyn Store>,
        metrics: ConsumerMetrics,
    ) -> Result<Self, Error> {
        let topics = config.topics.clone();
        let desk = Desk::new(topics.clone(), producer.clone(), store.clone());
        let members = Members::of(store.clone());
        let handlers =
            Arc::new(Handlers { topics: config.topics, connectors: config.connectors, producer, desk, members, store });
        let consumer = |group: String, topic: String| {
            let settings = Settings { group, topics: vec![topic], limits: LIMITS, drain: config.drain };
            Consumer::new(kafka, settings, handlers.clone(), Gate::always_open(), metrics.clone())
        };
        Ok(Self {
            messages: consumer(topics.router_group(), topics.messages())?,
            statuses: consumer(topics.status_group(), topics.status_updates())?,
        })
    }

    /// The signs of life of its loops.
    pub fn pulses(&self) -> Vec<Pulse> {
        vec![self.messages.pulse(), self.statuses.pulse()]
    }

    /// Routes until `shutdown`; then finishes what is at work and leaves.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        together(self.messages, self.statuses, shutdown).await
    }
}
