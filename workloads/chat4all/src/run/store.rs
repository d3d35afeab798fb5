//! Reaching the store at start: for as long as it takes, saying so.

use std::sync::Arc;

use chat4all_kafka::persevere;
use chat4all_store::cassandra::CassandraConfig;
use chat4all_store::{Cassandra, Store};
use tokio_util::sync::CancellationToken;

/// The store, when it is there; `None` when the process is stopped first.
pub async fn reach(config: &CassandraConfig, shutdown: &CancellationToken) -> Option<Arc<dyn Store>> {
    let reached = persevere("connect to the store", || Cassandra::connect(config));
    let store = shutdown.run_until_cancelled(reached).await?;
    tracing::info!(contact_points = ?config.contact_points, keyspace = %config.keyspace, "the store is there");
    Some(Arc::new(store))
}
