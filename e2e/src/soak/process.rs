//! The processes whose memory is followed, and where each tells of it.

use std::time::Duration;

use ::kube::ResourceExt as _;
use k8s_openapi::api::core::v1::Pod;

use super::flat::WARM_UP;
use crate::kube::All;
use crate::metrics;
use crate::node;
use crate::sample::Sample;

const MEBIBYTE: f64 = 1_048_576.0;

/// Requests that the simulator's log keeps (`Config::LOG_CAPACITY`); until it holds them it grows as it should.
const SIMULATOR_KEEPS: u32 = 250_000;

/// A kind of process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    /// The operator.
    Operator,
    /// The API.
    Api,
    /// A router.
    Router,
    /// A connector.
    Connector,
    /// The provider.
    Simulator,
    /// Kafka.
    Kafka,
    /// Cassandra.
    Cassandra,
}

impl Process {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Operator, Self::Api, Self::Router, Self::Connector, Self::Simulator, Self::Kafka, Self::Cassandra];

    /// Those that are proved.
    pub const WORKLOADS: [Self; 4] = [Self::Operator, Self::Api, Self::Router, Self::Connector];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Api => "API",
            Self::Router => "router",
            Self::Connector => "connector",
            Self::Simulator => "simulator",
            Self::Kafka => "Kafka",
            Self::Cassandra => "Cassandra",
        }
    }

    /// How long it may grow at a rate of messages a second; none where it is told of and not judged: a Java engine takes
    /// what its heap may be, when it likes.
    pub fn warm_up(self, rate: u32) -> Option<Duration> {
        match self {
            Self::Operator | Self::Api | Self::Router | Self::Connector => Some(WARM_UP),
            Self::Simulator => Some(WARM_UP.max(Duration::from_secs(u64::from(SIMULATOR_KEEPS / rate.max(1))))),
            Self::Kafka | Self::Cassandra => None,
        }
    }

    /// Its pods.
    pub(super) fn pods(self, sample: &Sample) -> All<Pod> {
        let engine = |name: &str| sample.namespace.all(format!("app.kubernetes.io/name={name}"));
        match self {
            Self::Operator => sample.operator.workload.pods.clone(),
            Self::Api => sample.api.pods.clone(),
            Self::Router => sample.routers.pods.clone(),
            Self::Connector => sample.connectors.pods.clone(),
            Self::Simulator => engine("simulator"),
            Self::Kafka => engine("kafka"),
            Self::Cassandra => engine("cassandra"),
        }
    }

    /// What it holds in this pod, in MiB: by its own metrics, or by its node where it has none. None while it cannot be
    /// asked, as when its pod begins or ends.
    pub(super) async fn resident_mib(self, sample: &Sample, pod: &Pod) -> Option<f64> {
        let namespace = match self {
            Self::Operator => &sample.operator.namespace,
            Self::Api | Self::Router | Self::Connector => &sample.namespace,
            Self::Simulator | Self::Kafka | Self::Cassandra => {
                return Some(node::resident_bytes(pod).await.ok()? as f64 / MEBIBYTE);
            }
        };
        let text = namespace.one::<Pod>(pod.name_any()).http("/metrics").await.ok()?;
        Some(metrics::sample(&text, "process_resident_memory_bytes", &[])? / MEBIBYTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulator_may_grow_until_its_log_is_full() {
        assert_eq!(Process::Simulator.warm_up(100), Some(Duration::from_secs(2500)));
        assert_eq!(Process::Simulator.warm_up(10_000), Some(WARM_UP));
    }

    #[test]
    fn what_is_proved_is_judged() {
        assert!(Process::WORKLOADS.iter().all(|process| process.warm_up(100).is_some()));
        assert!(Process::WORKLOADS.iter().all(|process| Process::ALL.contains(process)));
    }
}
