//! Whether this process is alive and whether it should get requests: two questions. A process
//! that cannot reach Kafka is alive; restarting it would not help.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat4all_store::Store;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::Api;
use crate::journal::Journal;

/// How long an answer is good: kubelets, load balancers and people ask at once.
const FRESH: Duration = Duration::from_millis(1500);
/// For one look at Kafka or the store; both are looked at together.
const LOOK: Duration = Duration::from_millis(1500);

/// What is reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reach {
    kafka: bool,
    store: bool,
}

/// Readiness, looked up at most every one and a half seconds.
#[derive(Default)]
pub(crate) struct Readiness {
    stopping: AtomicBool,
    /// Held during a look, so that those who ask meanwhile wait for its answer.
    latest: Mutex<Option<(Instant, Reach)>>,
}

impl Readiness {
    /// From now on this process is not ready: it is about to stop.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    async fn look(&self, journal: &dyn Journal, store: &dyn Store) -> Reach {
        let mut latest = self.latest.lock().await;
        if let Some((at, reach)) = *latest
            && at.elapsed() < FRESH
        {
            return reach;
        }
        // Kafka's own time-out may come a little late.
        let kafka = timeout(LOOK * 2, journal.reachable(LOOK));
        let (kafka, store) = tokio::join!(kafka, timeout(LOOK, store.ping()));
        let reach = Reach { kafka: kafka.unwrap_or(false), store: matches!(store, Ok(Ok(()))) };
        if let Some((_, before)) = *latest
            && before != reach
        {
            tracing::info!(kafka = reach.kafka, store = reach.store, "readiness changed");
        }
        *latest = Some((Instant::now(), reach));
        reach
    }
}

/// `GET /livez`: 503 only when nothing but a restart helps.
pub(crate) async fn livez(State(api): State<Arc<Api>>) -> (StatusCode, Json<Value>) {
    match api.journal.fatal_error() {
        None => (StatusCode::OK, Json(json!({"alive": true}))),
        Some(error) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"alive": false, "kafka": error}))),
    }
}

#[derive(Serialize)]
pub(crate) struct Ready {
    ready: bool,
    kafka: &'static str,
    store: &'static str,
    stopping: bool,
}

/// `GET /readyz`: says which part is not ready.
pub(crate) async fn readyz(State(api): State<Arc<Api>>) -> (StatusCode, Json<Ready>) {
    let reach = api.readiness.look(api.journal.as_ref(), api.store.as_ref()).await;
    let stopping = api.readiness.is_stopping();
    let ready = reach.kafka && reach.store && !stopping;
    let word = |reachable| if reachable { "ok" } else { "unreachable" };
    let body = Ready { ready, kafka: word(reach.kafka), store: word(reach.store), stopping };
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body))
}

/// `GET /health`, as old clients know it.
pub(crate) async fn health(state: State<Arc<Api>>) -> (StatusCode, Json<Value>) {
    let (code, Json(ready)) = readyz(state).await;
    (code, Json(json!({"status": if ready.ready { "ok" } else { "unavailable" }})))
}
