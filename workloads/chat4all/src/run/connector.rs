//! `chat4all connector`.

use std::error::Error;
use std::time::Duration;

use chat4all_channels::{ChannelConfig, open, pace};
use chat4all_connector::{Config, Connector, ConnectorMetrics};
use chat4all_kafka::{ConsumerMetrics, Producer};

use super::router::FLUSH;
use super::store::reach;
use super::{PREFIX, registry};
use crate::admin::{self, Health};
use crate::args::ConnectorArgs;
use crate::signals;

pub async fn run(args: ConnectorArgs) -> Result<(), Box<dyn Error>> {
    let workload = args.workload;
    let channel = open(
        args.connector_channel,
        &ChannelConfig {
            connector: args.connector_name.clone(),
            base_url: args.connector_base_url,
            account: args.connector_account,
            credentials_dir: args.connector_credentials_dir,
        },
    )?;
    let shutdown = signals::shutdown(workload.life.grace())?;
    let mut registry = registry();
    let ours = registry.sub_registry_with_prefix(PREFIX);
    let consumer_metrics = ConsumerMetrics::register(ours);
    let metrics = ConnectorMetrics::register(ours);
    let health = Health::new(shutdown.clone());
    let _probes = admin::serve(workload.life.http_listen, health.clone(), registry.into()).await?;

    let Some(store) = reach(&workload.store.config(), &shutdown).await else { return Ok(()) };
    let kafka = workload.kafka.config();
    let producer = Producer::connect(&kafka)?;
    let usual = pace(args.connector_channel);
    let config = Config {
        name: args.connector_name,
        topics: workload.kafka.topics(),
        pace: args.connector_budget.map_or(usual, |budget| budget.of(usual)),
        breaker: args.connector_circuit_breaker.unwrap_or_default(),
        retry: args.connector_retry.unwrap_or_default(),
        on_unknown_outcome: args.connector_on_unknown_outcome,
        hold_for: Duration::from_secs(args.connector_hold_seconds),
        request_timeout: Duration::from_millis(args.connector_request_timeout_ms),
        drain: workload.life.drain(),
    };
    let connector = Connector::new(config, channel, &kafka, producer.clone(), store, consumer_metrics, metrics)?;
    health.watch(producer.clone(), connector.pulses());
    connector.run(shutdown).await?;
    producer.flush(FLUSH).await;
    Ok(())
}
