//! Whether the operator lives and is ready, over HTTP, and its metrics beside it. Served from the
//! start, also while another operator leads.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The loop around the Lease turns every few seconds, whatever the API server does; standing still
/// for this long it will not move again.
const STANDSTILL: Duration = Duration::from_secs(60);

/// What the operator is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// It has not looked at the Lease yet.
    Starting,
    /// Another operator leads.
    StandingBy,
    /// It leads, and is still reading what there is.
    Reading,
    /// It leads and reconciles.
    Leading,
    /// It was told to end.
    Stopping,
}

/// The operator's health. Clones share it.
#[derive(Clone)]
pub struct Health(Arc<Mutex<(Phase, Instant)>>);

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(Mutex::new((Phase::Starting, Instant::now()))))
    }
}

impl Health {
    /// The loop around the Lease turned.
    pub fn beat(&self) {
        let mut state = self.state();
        state.1 = Instant::now();
        if state.0 == Phase::Starting {
            state.0 = Phase::StandingBy;
        }
    }

    /// The operator does something else from now on.
    pub fn enter(&self, phase: Phase) {
        self.state().0 = phase;
    }

    /// Whether a restart would not help.
    pub fn is_alive(&self) -> bool {
        self.state().1.elapsed() < STANDSTILL
    }

    /// Whether it does its part, leading or standing by.
    pub fn is_ready(&self) -> bool {
        matches!(self.state().0, Phase::StandingBy | Phase::Leading)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, (Phase, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves `/livez`, `/readyz` and `/metrics` until shutdown.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(
    listen: SocketAddr,
    health: Health,
    registry: Registry,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    axum::serve(listener, router(health, Arc::new(registry)))
        .with_graceful_shutdown(async move { shutdown.cancelled().await })
        .await
}

fn router(health: Health, registry: Arc<Registry>) -> Router {
    let probes = Router::new()
        .route("/livez", get(|State(health): State<Health>| async move { answer(health.is_alive()) }))
        .route("/readyz", get(|State(health): State<Health>| async move { answer(health.is_ready()) }))
        .with_state(health);
    probes.merge(Router::new().route("/metrics", get(metrics)).with_state(registry))
}

fn answer(good: bool) -> (StatusCode, &'static str) {
    if good { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "no\n") }
}

async fn metrics(State(registry): State<Arc<Registry>>) -> impl IntoResponse {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_operator_that_stands_by_is_ready() {
        let health = Health::default();
        assert!(!health.is_ready());
        health.beat();
        assert!(health.is_ready());
    }

    #[tokio::test]
    async fn an_operator_that_leads_is_ready_once_it_has_read_what_there_is() {
        let health = Health::default();
        health.beat();
        health.enter(Phase::Reading);
        assert!(!health.is_ready());
        health.enter(Phase::Leading);
        assert!(health.is_ready());
        health.enter(Phase::Stopping);
        assert!(!health.is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn an_operator_whose_loop_stands_still_is_not_alive() {
        let health = Health::default();
        tokio::time::advance(STANDSTILL - Duration::from_secs(1)).await;
        assert!(health.is_alive());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!health.is_alive());
        health.beat();
        assert!(health.is_alive());
    }
}
