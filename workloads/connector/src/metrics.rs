//! What a connector tells about itself. Labels come from small fixed sets.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The metrics of the connectors of a process.
#[derive(Debug, Clone)]
pub struct ConnectorMetrics {
    /// Provider calls by what came of them.
    pub(crate) calls: Family<Call, Counter>,
    /// How long the provider took.
    pub(crate) call_seconds: Family<Labels, Histogram, fn() -> Histogram>,
    /// Deliveries that came to an end: `sent` or `failed`.
    pub(crate) deliveries: Family<Call, Counter>,
    /// Calls whose answer never came.
    pub(crate) unknown_outcomes: Family<Labels, Counter>,
    /// 1 for the state that the breaker is in.
    pub(crate) breaker: Family<State, Gauge>,
    /// 1 for how the account stands with its provider.
    pub(crate) standing: Family<State, Gauge>,
    /// Calls a second that this replica may make now.
    pub(crate) budget: Family<Budget, Gauge<f64, AtomicU64>>,
    /// Recipients that are held up alone.
    pub(crate) parked: Family<Labels, Gauge>,
    /// Records that were given up.
    pub(crate) dead_letters: Family<Labels, Counter>,
    /// 1 while the account is paused.
    pub(crate) paused: Family<Labels, Gauge>,
    /// Things that webhooks told: `status`, `message`, `read`, `unhandled`, `ignored`, `rejected`.
    pub(crate) webhook_events: Family<Call, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Labels {
    pub(crate) connector: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Call {
    pub(crate) connector: String,
    pub(crate) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct State {
    pub(crate) connector: String,
    pub(crate) state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Budget {
    pub(crate) connector: String,
    pub(crate) calls: &'static str,
}

impl ConnectorMetrics {
    /// Metrics in this registry; once for each process.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            calls: Family::default(),
            // 5 ms to 20 s: a provider on the same network, and one at its time-out.
            call_seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.005, 2.0, 13))),
            deliveries: Family::default(),
            unknown_outcomes: Family::default(),
            breaker: Family::default(),
            standing: Family::default(),
            budget: Family::default(),
            parked: Family::default(),
            dead_letters: Family::default(),
            paused: Family::default(),
            webhook_events: Family::default(),
        };
        registry.register("connector_calls", "Provider calls by outcome", metrics.calls.clone());
        registry.register_with_unit(
            "connector_call",
            "Time until the provider answered",
            Unit::Seconds,
            metrics.call_seconds.clone(),
        );
        registry.register("connector_deliveries", "Deliveries that came to an end", metrics.deliveries.clone());
        registry.register(
            "connector_unknown_outcomes",
            "Provider calls whose answer never came",
            metrics.unknown_outcomes.clone(),
        );
        registry.register("connector_breaker_state", "1 for the state of the circuit breaker", metrics.breaker.clone());
        registry.register(
            "connector_account_state",
            "1 for how the account stands with its provider",
            metrics.standing.clone(),
        );
        registry.register(
            "connector_budget_calls_per_second",
            "Calls a second that this replica may make now",
            metrics.budget.clone(),
        );
        registry.register(
            "connector_parked",
            "Recipients that wait for a retry or for their own pace",
            metrics.parked.clone(),
        );
        registry.register("connector_dead_letters", "Records that were given up", metrics.dead_letters.clone());
        registry.register("connector_account_paused", "1 while the account is paused", metrics.paused.clone());
        registry.register("connector_webhook_events", "Things that webhooks told", metrics.webhook_events.clone());
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_finds_what_it_reads() {
        let mut registry = Registry::default();
        let metrics = ConnectorMetrics::register(registry.sub_registry_with_prefix("chat4all"));
        let connector = || "whatsapp".to_owned();
        metrics.breaker.get_or_create(&State { connector: connector(), state: "open" }).set(1);
        metrics.standing.get_or_create(&State { connector: connector(), state: "token-expired" }).set(1);
        metrics.dead_letters.get_or_create(&Labels { connector: connector() }).inc();
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            r#"chat4all_connector_breaker_state{connector="whatsapp",state="open"} 1"#,
            r#"chat4all_connector_account_state{connector="whatsapp",state="token-expired"} 1"#,
            r#"chat4all_connector_dead_letters_total{connector="whatsapp"} 1"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line}: {text}");
        }
    }
}
