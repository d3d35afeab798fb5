//! Listens, serves, and stops in the order that loses nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower_http::catch_panic::CatchPanicLayer;

use crate::problem::{Kind, Problem};
use crate::{
    Api, Error, channels, connections, conversation, dead_letters, health, ledger, login, metrics, openapi, read,
    reparse, send, webhooks,
};

/// All routes.
pub fn app(api: Arc<Api>) -> Router {
    Router::new()
        .route("/auth/token", post(login::token))
        .route("/v1/messages", post(send::message))
        .route("/v1/messages/{id}/read", post(read::read))
        .route("/v1/channels", get(channels::channels))
        .route("/v1/conversations/{id}/messages", get(conversation::messages))
        .route("/v1/dead-letters", get(dead_letters::list::letters))
        .route("/v1/dead-letters/replay", post(dead_letters::sweep::sweep))
        .route("/v1/dead-letters/{id}", get(dead_letters::show::letter))
        .route("/v1/dead-letters/{id}/replay", post(dead_letters::replay::replay))
        .route("/v1/dead-letters/{id}/discard", post(dead_letters::discard::discard))
        .route("/v1/ledger", get(ledger::check))
        .route("/v1/journal/{connector}/replay", post(reparse::webhooks))
        .route("/webhooks/{connector}", get(webhooks::handshake).post(webhooks::take))
        .route("/health", get(health::health))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::openapi))
        .fallback(async |request: Request| {
            Problem::new(Kind::RouteNotFound, format!("there is nothing at {}", request.uri().path()))
        })
        .method_not_allowed_fallback(async |request: Request| {
            Problem::new(Kind::MethodNotAllowed, format!("{} is not for this path; see Allow", request.method()))
        })
        .layer(CatchPanicLayer::custom(|_| {
            tracing::error!("a request made a handler panic");
            Problem::new(Kind::Internal, "this is a fault of this service; it is in its log").into_response()
        }))
        .layer(from_fn_with_state(api.clone(), metrics::count))
        .with_state(api)
}

/// What a stop takes at most, all in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Grace {
    lame_duck: Duration,
    requests: Duration,
    flush: Duration,
}

impl Grace {
    /// Splits the time of a stop. Kubernetes sends SIGTERM and takes the pod out of the endpoints
    /// at the same moment; until every node's proxy knows, requests still come here, so for a
    /// fifth of the time, at most 5 s, they are served as before. A fifth is kept for the
    /// producer, and the rest is for requests that are under way.
    fn of(whole: Duration) -> Self {
        let fifth = whole / 5;
        let lame_duck = fifth.min(Duration::from_secs(5));
        Self { lame_duck, requests: whole - lame_duck - fifth, flush: fifth }
    }
}

pub(crate) async fn serve(
    api: Arc<Api>,
    listen: SocketAddr,
    grace: Duration,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let grace = Grace::of(grace);
    let listener = TcpListener::bind(listen).await.map_err(|source| Error::Listen { listen, source })?;
    tracing::info!(%listen, "the API listens");
    let stop = CancellationToken::new();
    let serving = connections::serve(listener, app(api.clone()), stop.clone());
    let mut server = AbortOnDropHandle::new(tokio::spawn(serving));
    tokio::select! {
        ended = &mut server => return ended.map_err(std::io::Error::other).map_err(Error::Serve),
        () = shutdown.cancelled() => {}
    }
    tracing::info!(seconds = grace.lame_duck.as_secs_f32(), "stopping: not ready, serving what still comes");
    api.readiness.stop();
    sleep(grace.lame_duck).await;
    stop.cancel();
    let begun = Instant::now();
    let outcome = match timeout(grace.requests, &mut server).await {
        Ok(ended) => ended.map_err(std::io::Error::other).map_err(Error::Serve),
        Err(_elapsed) => {
            tracing::warn!("requests were still under way at the end of the grace period");
            Ok(())
        }
    };
    let left = grace.flush + grace.requests.saturating_sub(begun.elapsed());
    if !api.journal.flush(left).await {
        tracing::warn!("Kafka had not acknowledged every record at the end; their requests were not answered with 202");
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_stop_fit_into_the_whole() {
        for seconds in [0, 1, 5, 25, 120] {
            let whole = Duration::from_secs(seconds);
            let grace = Grace::of(whole);
            assert_eq!(grace.lame_duck + grace.requests + grace.flush, whole);
            assert!(grace.lame_duck <= Duration::from_secs(5));
        }
        assert_eq!(Grace::of(Duration::from_secs(25)).lame_duck, Duration::from_secs(5));
    }
}
