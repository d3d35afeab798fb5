//! What the person at the simulator may do: read and clear the log, set and end faults, ask
//! whether it is alive.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use crate::fault::Fault;
use crate::server::Shared;

/// Entries in one page of the log where nothing else is asked.
const PAGE: usize = 1000;
/// The most that one page holds.
const LARGEST_PAGE: usize = 10_000;

pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/log", get(read_log).delete(clear_log))
        .route("/fault", get(read_fault).put(set_fault).delete(clear_fault))
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(|| async { "ok" }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

async fn read_log(State(shared): State<Arc<Shared>>, cursor: Result<Query<Cursor>, QueryRejection>) -> Response {
    match cursor {
        Ok(Query(Cursor { after, limit })) => {
            Json(shared.log.page(after, limit.unwrap_or(PAGE).min(LARGEST_PAGE))).into_response()
        }
        Err(error) => wrong(error.body_text()),
    }
}

async fn clear_log(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.log.clear();
    StatusCode::NO_CONTENT
}

/// The fault that stands, or `null`.
async fn read_fault(State(shared): State<Arc<Shared>>) -> Json<Option<Fault>> {
    Json(shared.faults.current(Instant::now()))
}

async fn set_fault(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let fault: Fault = match serde_json::from_slice(&body) {
        Ok(fault) => fault,
        Err(error) => return wrong(format!("not a fault: {error}")),
    };
    if let Err(error) = fault.check() {
        return wrong(error.to_string());
    }
    tracing::info!(?fault, "fault set");
    shared.faults.set(fault.clone(), Instant::now());
    Json(fault).into_response()
}

async fn clear_fault(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.faults.clear();
    tracing::info!("fault cleared");
    StatusCode::NO_CONTENT
}

fn wrong(why: String) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": why}))).into_response()
}
