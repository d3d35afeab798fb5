//! `chat4all router`.

use std::error::Error;
use std::time::Duration;

use chat4all_kafka::{ConsumerMetrics, Producer};
use chat4all_router::Config;

use super::store::reach;
use super::{PREFIX, registry};
use crate::admin::{self, Health};
use crate::args::Router;
use crate::signals;

/// What a producer may take to flush at the end.
pub const FLUSH: Duration = Duration::from_secs(5);

pub async fn run(args: Router) -> Result<(), Box<dyn Error>> {
    let workload = args.workload;
    let shutdown = signals::shutdown(workload.life.grace())?;
    let mut registry = registry();
    let metrics = ConsumerMetrics::register(registry.sub_registry_with_prefix(PREFIX));
    let health = Health::new(shutdown.clone());
    let _probes = admin::serve(workload.life.http_listen, health.clone(), registry.into()).await?;

    let Some(store) = reach(&workload.store.config(), &shutdown).await else { return Ok(()) };
    let kafka = workload.kafka.config();
    let producer = Producer::connect(&kafka)?;
    let config = Config { topics: workload.kafka.topics(), connectors: args.connectors, drain: workload.life.drain() };
    let router = chat4all_router::Router::new(config, &kafka, producer.clone(), store, metrics)?;
    health.watch(producer.clone(), router.pulses());
    router.run(shutdown).await?;
    producer.flush(FLUSH).await;
    Ok(())
}
