//! `/livez`, `/readyz` and `/metrics` of a workload that serves nothing else.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chat4all_kafka::{Producer, Pulse};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// A consumer's loop comes round several times a second; one that did not for so long is stuck
/// and the process is started again.
const STUCK: Duration = Duration::from_secs(30);

/// What the probes look at. The consumers come when the store is reached.
#[derive(Clone)]
pub struct Health {
    consumers: Arc<OnceLock<(Producer, Vec<Pulse>)>>,
    shutdown: CancellationToken,
}

impl Health {
    /// Nothing is ready yet.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self { consumers: Arc::default(), shutdown }
    }

    /// From here on these are watched.
    pub fn watch(&self, producer: Producer, pulses: Vec<Pulse>) {
        let _ = self.consumers.set((producer, pulses));
    }

    /// Why the process must be started again, if it must.
    fn ill(&self) -> Option<String> {
        let (producer, pulses) = self.consumers.get()?;
        if let Some(error) = producer.fatal_error() {
            return Some(format!("the Kafka producer cannot go on: {error}"));
        }
        let age = pulses.iter().map(Pulse::age).max()?;
        (age > STUCK).then(|| format!("a consumer's loop has not come round for {} s", age.as_secs()))
    }

    /// Why the process is not ready, if it is not. Lag is no reason.
    fn unready(&self) -> Option<&'static str> {
        if self.shutdown.is_cancelled() {
            return Some("stopping");
        }
        match self.consumers.get() {
            None => Some("the store is not reached yet"),
            Some((_, pulses)) if pulses.iter().all(Pulse::joined) => None,
            Some(_) => Some("the consumer group has not given an assignment yet"),
        }
    }
}

#[derive(Clone)]
struct Admin {
    health: Health,
    registry: Arc<Registry>,
}

/// Answers probes for as long as it is there: until the process ends, so that they are answered while it stops.
#[must_use]
pub struct Probes(AbortOnDropHandle<()>);

impl Probes {
    /// Leaves the address to somebody else.
    pub async fn end(self) {
        self.0.abort();
        _ = self.0.await;
    }
}

/// Serves the probes.
pub async fn serve(listen: SocketAddr, health: Health, registry: Arc<Registry>) -> std::io::Result<Probes> {
    let app = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Admin { health, registry });
    let listener = tokio::net::TcpListener::bind(listen).await?;
    Ok(Probes(AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(%error, "the probes' server ended");
        }
    }))))
}

async fn livez(State(admin): State<Admin>) -> Response {
    match admin.health.ill() {
        None => "ok\n".into_response(),
        Some(why) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")).into_response(),
    }
}

async fn readyz(State(admin): State<Admin>) -> Response {
    match admin.health.unready() {
        None => "ok\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &admin.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn while_the_store_is_away_the_process_is_alive_and_not_ready_and_then_leaves_its_address() {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = free.local_addr().unwrap();
        drop(free);
        let probes = serve(listen, Health::new(CancellationToken::new()), Arc::default()).await.unwrap();
        let status = async |path| reqwest::get(format!("http://{listen}{path}")).await.unwrap().status();
        assert_eq!(
            (status("/livez").await, status("/readyz").await),
            (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE)
        );
        probes.end().await;
        tokio::net::TcpListener::bind(listen).await.unwrap();
    }
}
