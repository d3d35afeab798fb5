//! The handler that produces a request's body and answers when Kafka has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use chat4all_kafka::Producer;
use tokio::net::TcpListener;

use super::TO;
use crate::place::{kafka, variable};

struct Handler {
    producer: Producer,
    topic: String,
    taken: AtomicU64,
}

/// Serves until it is killed.
pub async fn serve() {
    let handler = Handler { producer: Producer::connect(&kafka()).unwrap(), topic: variable(TO), taken: 0.into() };
    let app = Router::new()
        .route("/v1/messages", post(take))
        .route("/readyz", get(async || "ok\n"))
        .with_state(Arc::new(handler));
    let listener = TcpListener::bind(variable("HTTP_LISTEN")).await.unwrap();
    let listener = listener.tap_io(|connection| connection.set_nodelay(true).unwrap());
    axum::serve(listener, app).await.unwrap();
}

async fn take(State(handler): State<Arc<Handler>>, body: Bytes) -> (StatusCode, &'static str) {
    let key = handler.taken.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    handler.producer.send(&handler.topic, &key, &body, &[]).await.unwrap();
    (StatusCode::ACCEPTED, r#"{"status":"ACCEPTED"}"#)
}
