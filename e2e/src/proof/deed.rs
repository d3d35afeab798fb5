//! What is done to a deployment, as data.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::deletion::Way;
use crate::story::{Duplicates, Watched};

/// Whose pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The routers'.
    Router,
    /// The connector's.
    Connector,
    /// The API's.
    Api,
    /// The operator's.
    Operator,
}

/// A database or broker, of one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Kafka.
    Kafka,
    /// Cassandra.
    Cassandra,
}

/// A way between two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// From a router to Kafka.
    RouterToKafka,
    /// From a router to Cassandra.
    RouterToCassandra,
    /// From the connector to the provider.
    ConnectorToProvider,
}

/// Something that is done to a deployment under load.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// A pod ends.
    Pod(Whose, Way),
    /// An engine's pod ends.
    Engine(Engine, Way),
    /// A node's container is stopped and started.
    Node,
    /// A pod is cut off for a while.
    Cut(Path, Duration),
    /// The provider misbehaves for a while: in words, and as the simulator takes it.
    Provider(&'static str, Value, Duration),
    /// The workloads go to another version, and the next time back.
    Upgrade,
    /// The routers go from one to as many as there are partitions, and back.
    Scale,
    /// The connector gets a clock that is so many seconds ahead, or behind below zero, and then the true one.
    Clock(i64),
    /// Kafka's disk has no room left, until Kafka has ended.
    Disk,
}

const SHORT: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(60);

/// Five minutes: what Kerberos and signed requests allow clocks to differ by, so what goes unnoticed in the field.
const SHIFT: i64 = 300;

/// All of them.
pub fn all() -> Vec<Deed> {
    use Deed::{Clock, Cut, Disk, Engine as E, Node, Pod, Provider, Scale, Upgrade};
    let mut deeds = Vec::new();
    for way in [Way::Graceful, Way::Killed] {
        deeds.extend([Whose::Router, Whose::Connector, Whose::Api, Whose::Operator].map(|whose| Pod(whose, way)));
        deeds.extend([Engine::Kafka, Engine::Cassandra].map(|engine| E(engine, way)));
    }
    deeds.push(Node);
    for time in [SHORT, LONG] {
        deeds.extend(
            [Path::RouterToKafka, Path::RouterToCassandra, Path::ConnectorToProvider].map(|path| Cut(path, time)),
        );
    }
    deeds.extend([
        Provider("slow (3 s)", json!({"delayMillis": 3000}), SHORT),
        Provider("failing (503)", json!({"status": 503}), SHORT),
        Provider("throttling (429)", json!({"code": 130_429, "status": 429}), SHORT),
        Provider("taking and not answering", json!({"dropAnswer": true, "accept": true}), SHORT),
        Provider("neither taking nor answering", json!({"dropAnswer": true}), SHORT),
        Upgrade,
        Scale,
        Clock(SHIFT),
        Clock(-SHIFT),
        Disk,
    ]);
    deeds
}

/// Those that every run of the tests makes once: of each kind that no other case makes and that takes no preparation.
pub fn short() -> Vec<Deed> {
    use Deed::{Cut, Engine as E, Pod};
    vec![
        Pod(Whose::Api, Way::Killed),
        // Not Cassandra, which takes a minute to come back.
        E(Engine::Kafka, Way::Killed),
        Cut(Path::RouterToKafka, SHORT),
        Cut(Path::RouterToCassandra, SHORT),
    ]
}

impl Deed {
    /// Whose partitions are watched.
    pub(super) fn watched(&self) -> Watched {
        match self {
            Self::Pod(Whose::Connector, _)
            | Self::Cut(Path::ConnectorToProvider, _)
            | Self::Provider(..)
            | Self::Clock(_) => Watched::Connector,
            _ => Watched::Routers,
        }
    }

    /// Whether the provider may get messages twice: where a call's answer can be lost.
    pub(super) fn duplicates(&self) -> Duplicates {
        match self {
            Self::Pod(Whose::Connector | Whose::Router, Way::Graceful)
            | Self::Pod(Whose::Operator | Whose::Api, _)
            | Self::Scale
            | Self::Clock(_) => Duplicates::Never,
            _ => Duplicates::Named,
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(whose, way) => {
                let whose = match whose {
                    Whose::Router => "router",
                    Whose::Connector => "connector",
                    Whose::Api => "API",
                    Whose::Operator => "operator",
                };
                write!(f, "{whose} pod {way}")
            }
            Self::Engine(engine, way) => write!(f, "{engine:?} {way}"),
            Self::Node => f.write_str("node stopped and started"),
            Self::Cut(path, time) => {
                let path = match path {
                    Path::RouterToKafka => "router cut off from Kafka",
                    Path::RouterToCassandra => "router cut off from Cassandra",
                    Path::ConnectorToProvider => "connector cut off from the provider",
                };
                write!(f, "{path} for {} s", time.as_secs())
            }
            Self::Provider(how, _, time) => write!(f, "provider {how} for {} s", time.as_secs()),
            Self::Upgrade => f.write_str("rolling upgrade"),
            Self::Scale => f.write_str("routers scaled to the maximum and back"),
            Self::Clock(seconds) => {
                let where_to = if *seconds < 0 { "behind" } else { "ahead" };
                write!(f, "connector's clock {} s {where_to}", seconds.abs())
            }
            Self::Disk => f.write_str("Kafka's disk full"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_deed_has_a_name_of_its_own_and_the_short_ones_are_among_all() {
        let names: BTreeSet<String> = all().iter().map(Deed::to_string).collect();
        assert_eq!(names.len(), all().len());
        assert!(short().iter().all(|deed| all().contains(deed)));
    }
}
