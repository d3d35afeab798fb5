//! `chat4all api`.

use std::error::Error;
use std::sync::Arc;

use chat4all_api::{Config, Metrics};
use chat4all_kafka::Producer;

use super::store::reach;
use super::{PREFIX, registry};
use crate::admin::{self, Health};
use crate::args::Api;
use crate::signals;

pub async fn run(args: Api) -> Result<(), Box<dyn Error>> {
    let workload = args.workload;
    let grace = workload.life.grace();
    let shutdown = signals::shutdown(grace)?;
    let mut registry = registry();
    let metrics = Metrics::register(registry.sub_registry_with_prefix(PREFIX));
    let registry = Arc::new(registry);
    // Without an answer to its probes Kubernetes would start the process again and again while the store is away.
    let probes = admin::serve(workload.life.http_listen, Health::new(shutdown.clone()), registry.clone()).await?;
    let Some(store) = reach(&workload.store.config(), &shutdown).await else { return Ok(()) };
    probes.end().await;
    let kafka = workload.kafka.config();
    let producer = Producer::connect(&kafka)?;
    let config = Config {
        listen: workload.life.http_listen,
        kafka,
        topics: workload.kafka.topics(),
        connectors: args.connectors,
        auth_dir: args.auth_dir,
        webhooks_dir: args.webhooks_dir,
        shutdown_grace: grace,
    };
    chat4all_api::run(config, Arc::new(producer), store, metrics, registry, shutdown).await?;
    Ok(())
}
