//! What the API counts, and `GET /metrics`. Labels are bounded: routes as they are written here,
//! connectors as they are configured.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::Api;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TopicLabels {
    topic: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectorLabels {
    connector: String,
}

type Latency = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// The API's counters. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    latency: Latency,
    produce_failures: Family<TopicLabels, Counter>,
    forged: Family<ConnectorLabels, Counter>,
}

/// From a record acknowledged at once to the producer's own time-out of 11 s.
fn histogram() -> Histogram {
    Histogram::new([0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 11.0])
}

impl Metrics {
    /// Registers the API's metrics.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            latency: Family::new_with_constructor(histogram as fn() -> Histogram),
            produce_failures: Family::default(),
            forged: Family::default(),
        };
        let registry = registry.sub_registry_with_prefix("api");
        registry.register("requests", "Answered requests by status class", metrics.requests.clone());
        registry.register("request_duration_seconds", "From the request to its answer", metrics.latency.clone());
        registry.register(
            "produce_failures",
            "Records that Kafka did not acknowledge",
            metrics.produce_failures.clone(),
        );
        registry.register(
            "webhook_signature_failures",
            "Webhooks refused because the provider did not sign them",
            metrics.forged.clone(),
        );
        // Shown from the start as 0, so that the first failure is an increase that an alert sees.
        for topic in ["messages", "inbound", "replays"] {
            drop(metrics.produce_failures.get_or_create(&TopicLabels { topic }));
        }
        metrics
    }

    pub(crate) fn watch_webhook(&self, connector: &str) {
        drop(self.forged.get_or_create(&ConnectorLabels { connector: connector.to_owned() }));
    }

    pub(crate) fn produce_failed(&self, topic: &'static str) {
        self.produce_failures.get_or_create(&TopicLabels { topic }).inc();
    }

    pub(crate) fn webhook_forged(&self, connector: &str) {
        self.forged.get_or_create(&ConnectorLabels { connector: connector.to_owned() }).inc();
    }
}

/// Counts and times every request.
pub(crate) async fn count(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = method(request.method().as_str());
    let mut response = next.run(request).await;
    if api.readiness.is_stopping() {
        // Clients with an open connection would otherwise come here until the end.
        response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    let status = class(response.status());
    api.metrics.latency.get_or_create(&RouteLabels { route: route.clone() }).observe(begun.elapsed().as_secs_f64());
    api.metrics.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    response
}

/// Methods are the client's words; only known ones become labels.
fn method(name: &str) -> &'static str {
    ["GET", "POST", "HEAD", "OPTIONS"].into_iter().find(|known| *known == name).unwrap_or("other")
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// `GET /metrics`.
pub(crate) async fn metrics(State(api): State<Arc<Api>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &api.registry) {
        Ok(()) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
