//! What the API asks of Kafka: put a record there and say when it is safe. A trait, so that tests
//! can hold the acknowledgement back.

use std::time::Duration;

use async_trait::async_trait;
use chat4all_kafka::{Placed, ProduceError, Producer};

/// Where accepted messages and webhooks go.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Appends a record; returns once all replicas have it, or with an error after about 11 s.
    async fn append(&self, topic: &str, key: &[u8], value: &[u8]) -> Result<Placed, ProduceError> {
        self.append_with(topic, key, value, &[]).await
    }

    /// Appends a record with headers.
    async fn append_with(
        &self,
        topic: &str,
        key: &[u8],
        value: &[u8],
        headers: &[(&str, &[u8])],
    ) -> Result<Placed, ProduceError>;

    /// Whether Kafka answers within this time.
    async fn reachable(&self, within: Duration) -> bool;

    /// The error after which nothing more is taken and the process must be started again.
    fn fatal_error(&self) -> Option<String>;

    /// Waits at most so long until every record is answered; whether it was.
    async fn flush(&self, within: Duration) -> bool;
}

#[async_trait]
impl Journal for Producer {
    async fn append_with(
        &self,
        topic: &str,
        key: &[u8],
        value: &[u8],
        headers: &[(&str, &[u8])],
    ) -> Result<Placed, ProduceError> {
        self.send(topic, key, value, headers).await
    }

    async fn reachable(&self, within: Duration) -> bool {
        Producer::reachable(self, within).await
    }

    fn fatal_error(&self) -> Option<String> {
        Producer::fatal_error(self)
    }

    async fn flush(&self, within: Duration) -> bool {
        Producer::flush(self, within).await
    }
}
