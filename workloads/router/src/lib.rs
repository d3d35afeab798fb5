//! The router: stores accepted messages, makes one delivery for each recipient, and applies
//! what becomes of them. Every step may be repeated: a crash anywhere repeats the same writes.
//! Knows no provider.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod handler;
mod messages;
mod plan;
mod statuses;

use std::sync::Arc;
use std::time::Duration;

use chat4all_kafka::{Consumer, ConsumerMetrics, Error, Gate, KafkaConfig, Limits, Producer, Pulse, Settings};
use chat4all_message::{Connector, Topics};
use chat4all_store::Store;

use crate::handler::Router;

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

/// About 1 KiB for each record, so at most a few MiB wait in a router.
const LIMITS: Limits = Limits { records: 2048, bytes: 8 << 20 };

/// A router that joins its group when it is run, and the pulse of its loop.
pub fn router(
    config: Config,
    kafka: &KafkaConfig,
    producer: Producer,
    store: Arc<dyn Store>,
    metrics: ConsumerMetrics,
) -> Result<(RouterConsumer, Pulse), Error> {
    let settings = Settings {
        group: config.topics.router_group(),
        topics: vec![config.topics.messages(), config.topics.status_updates()],
        limits: LIMITS,
        drain: config.drain,
    };
    let handler = Arc::new(Router { topics: config.topics, connectors: config.connectors, producer, store });
    let consumer = Consumer::new(kafka, settings, handler, Gate::always_open(), metrics)?;
    let pulse = consumer.pulse();
    Ok((consumer, pulse))
}

/// The consumer of a router; its `run` ends at shutdown.
pub type RouterConsumer = Consumer<Router>;
