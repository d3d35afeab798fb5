//! Second step of a reconcile: from the resource and what it points at to a [`Model`], or to the
//! list of what is wrong with it. Pure. It also checks what the schema checks, where a builder would
//! go wrong otherwise, since a resource may have been stored before the schema was that strict.

mod account;
mod read;
mod scaling;
mod secrets;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use chat4all_message::credentials;

use self::secrets::Secrets;
use crate::address::{self, HostPort};
use crate::api::{self, Chat4AllCluster, Chat4AllClusterSpec, MAX_CLUSTER_NAME, MAX_CONNECTOR_NAME, ServiceType};
use crate::dereference::Referenced;
use crate::model::{Api, Connector, Exposure, Identity, Image, Kafka, Model, Router, Store};
use crate::neighbours::Neighbour;

pub use self::read::{read, read_status};
pub use self::scaling::scaling;
pub use self::secrets::{JWT_KEY, USERS};

/// One thing that is wrong: where, why, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    field: String,
    reason: String,
    remedy: String,
}

impl Problem {
    /// A problem of this field.
    pub fn new(field: impl Into<String>, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.field, self.reason, self.remedy)
    }
}

/// Why a resource cannot be built.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Refusal {
    /// What is wrong in the resource itself.
    pub spec: Vec<Problem>,
    /// What is wrong with the Secrets that it names.
    pub secrets: Vec<Problem>,
}

/// Checks the resource and gives what the builders need.
///
/// # Errors
/// With everything that is wrong, not only the first.
pub fn validate(
    cluster: &Chat4AllCluster,
    referenced: &Referenced,
    neighbours: &[Neighbour],
) -> Result<Model, Refusal> {
    let mut refusal = Refusal::default();
    let identity = Identity::of(&cluster.metadata);
    let spec = &cluster.spec;

    check_names(&identity, spec, &mut refusal.spec);
    check_numbers(spec, &mut refusal.spec);
    let brokers = addresses("spec.kafka.bootstrapServers", &spec.kafka.bootstrap_servers, &mut refusal.spec);
    let nodes = addresses("spec.store.contactPoints", &spec.store.contact_points, &mut refusal.spec);
    check_replication(spec, &mut refusal.spec);
    refusal.spec.extend(neighbours.iter().filter_map(|n| n.conflict_with(&identity.namespace, spec)));

    let secrets = Secrets { identity: &identity, referenced };
    let auth = &spec.api.auth_secret_ref.name;
    secrets.check("spec.api.authSecretRef", auth, &[JWT_KEY, USERS], &mut refusal.secrets);
    secrets.check_jwt_key(auth, &mut refusal.secrets);
    let auth = secrets.mount(auth, &[JWT_KEY, USERS]);
    for (index, connector) in spec.connectors.iter().enumerate() {
        refusal.spec.extend(account::problems(&format!("spec.connectors[{index}]"), connector));
    }
    let connectors = spec.connectors.iter().map(|c| connector(c, &secrets, &mut refusal.secrets)).collect();

    if refusal != Refusal::default() {
        return Err(refusal);
    }
    Ok(Model {
        image: Image {
            reference: format!("{}:{}", spec.image.repository, spec.version),
            version: spec.version.clone(),
            pull_policy: spec.image.pull_policy,
        },
        kafka: Kafka {
            bootstrap_servers: address::join(&brokers),
            bootstrap_servers_from_afar: address::join(
                &brokers.iter().map(|b| b.seen_from_another_namespace(&identity.namespace)).collect::<Vec<_>>(),
            ),
            topic_prefix: spec.kafka.topic_prefix.clone(),
            partitions: spec.kafka.partitions,
            replication_factor: spec.kafka.replication_factor,
            session_timeout: seconds(spec.kafka.session_timeout_seconds),
        },
        store: Store {
            contact_points: address::join(&nodes),
            keyspace: spec.store.keyspace.clone(),
            replication: spec.store.replication.clone(),
        },
        api: Api {
            replicas: spec.api.replicas,
            resources: spec.api.resources.clone(),
            auth,
            exposure: exposure(&spec.api.service),
        },
        router: Router {
            replicas: spec.router.replicas,
            resources: spec.router.resources.clone(),
            scaling: scaling::scaling(&spec.router.autoscaling, spec.kafka.partitions),
        },
        connectors,
        identity,
    })
}

fn check_names(identity: &Identity, spec: &Chat4AllClusterSpec, problems: &mut Vec<Problem>) {
    // Services are named after the cluster, and their names obey the stricter rule of RFC 1035.
    if !is_dns_label(&identity.name, MAX_CLUSTER_NAME) {
        problems.push(Problem::new(
            "metadata.name",
            "cannot be part of the names of Services and Deployments",
            format!(
                "create the cluster under a name of at most {MAX_CLUSTER_NAME} lower-case letters, digits and dashes, beginning with a letter"
            ),
        ));
    }
    if !is_keyspace(&spec.store.keyspace) {
        problems.push(Problem::new(
            "spec.store.keyspace",
            format!("{:?} is not a keyspace's name", spec.store.keyspace),
            "use at most 48 lower-case letters, digits and underscores, beginning with a letter",
        ));
    }
    let mut seen = BTreeSet::new();
    for (index, connector) in spec.connectors.iter().enumerate() {
        let field = format!("spec.connectors[{index}].name");
        if !is_dns_label(&connector.name, MAX_CONNECTOR_NAME) {
            problems.push(Problem::new(
                &field,
                format!("{:?} cannot be part of the names of topics and workloads", connector.name),
                format!(
                    "use at most {MAX_CONNECTOR_NAME} lower-case letters, digits and dashes, beginning with a letter"
                ),
            ));
        }
        if !seen.insert(&connector.name) {
            problems.push(Problem::new(
                &field,
                format!("another connector is named {:?} too", connector.name),
                "give each connector a name of its own",
            ));
        }
    }
}

fn check_numbers(spec: &Chat4AllClusterSpec, problems: &mut Vec<Problem>) {
    let partitions = spec.kafka.partitions;
    let mut numbers = vec![
        ("spec.kafka.partitions".to_owned(), partitions, 1, 1000),
        ("spec.kafka.replicationFactor".to_owned(), spec.kafka.replication_factor, 1, 15),
        ("spec.kafka.sessionTimeoutSeconds".to_owned(), spec.kafka.session_timeout_seconds, 6, 300),
        ("spec.api.replicas".to_owned(), spec.api.replicas, 0, 100),
        ("spec.router.replicas".to_owned(), spec.router.replicas, 0, partitions),
    ];
    numbers.extend(scaling::numbers(spec));
    for (index, connector) in spec.connectors.iter().enumerate() {
        let field = |name: &str| format!("spec.connectors[{index}].{name}");
        numbers.push((field("replicas"), connector.replicas, 0, partitions));
        numbers.push((field("requestTimeoutSeconds"), connector.request_timeout_seconds, 1, 120));
        if let Some(budget) = connector.budget {
            numbers.push((field("budget.messagesPerSecond"), budget.messages_per_second, 1, 100_000));
        }
        numbers.push((field("holdSeconds"), connector.hold_seconds, 1, 86_400));
        numbers.push((field("retry.maxAttempts"), connector.retry.max_attempts, 1, 20));
        let longest = connector.retry.max_backoff_millis;
        numbers.push((field("retry.initialBackoffMillis"), connector.retry.initial_backoff_millis, 10, longest));
    }
    for (field, value, least, most) in numbers {
        if value < least || value > most {
            problems.push(Problem::new(
                field,
                format!("{value} is not possible here"),
                format!("set it to {least} to {most}"),
            ));
        }
    }
}

/// The replication goes into a CQL statement, so nothing but words may stand in it.
fn check_replication(spec: &Chat4AllClusterSpec, problems: &mut Vec<Problem>) {
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let replication = &spec.store.replication;
    if !replication.contains_key("class") {
        problems.push(Problem::new(
            "spec.store.replication",
            "names no class",
            "add class, for example NetworkTopologyStrategy",
        ));
    }
    for (key, value) in replication {
        if !word(key) || !word(value) {
            problems.push(Problem::new(
                format!("spec.store.replication.{key}"),
                format!("{value:?} has characters that cannot stand there"),
                "use letters, digits, dots, dashes and underscores in keys and values",
            ));
        }
    }
}

fn addresses(field: &str, texts: &[String], problems: &mut Vec<Problem>) -> Vec<HostPort> {
    if texts.is_empty() {
        problems.push(Problem::new(field, "is empty", "name at least one host:port"));
    }
    let mut addresses = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match text.parse() {
            Ok(address) => addresses.push(address),
            Err(address::NotHostPort) => problems.push(Problem::new(
                format!("{field}[{index}]"),
                format!("{text:?} is not host:port"),
                "write a host, a colon and a port from 1 to 65535",
            )),
        }
    }
    addresses
}

fn connector(connector: &api::Connector, secrets: &Secrets<'_>, problems: &mut Vec<Problem>) -> Connector {
    let field = format!("spec.connectors[{}].credentialsSecretRef", connector.name);
    let secret = &connector.credentials_secret_ref.name;
    let endpoints = connector.account.endpoints.iter().map(|endpoint| endpoint.name.as_str());
    let sends: Vec<&str> = credentials::of_connector(connector.channel).iter().copied().chain(endpoints).collect();
    let checks = credentials::of_webhook(connector.channel);
    secrets.check(&field, secret, &[&sends, checks].concat(), problems);
    Connector {
        name: connector.name.clone(),
        channel: connector.channel,
        credentials: secrets.mount(secret, &sends),
        webhook: secrets.mount(secret, checks),
        account: connector.account.clone(),
        base_url: connector.base_url.clone(),
        replicas: connector.replicas,
        resources: connector.resources.clone(),
        budget: connector.budget,
        circuit_breaker: connector.circuit_breaker.clone(),
        retry: connector.retry.clone(),
        request_timeout: seconds(connector.request_timeout_seconds),
        on_unknown_outcome: connector.on_unknown_outcome,
        hold: seconds(connector.hold_seconds),
    }
}

fn exposure(service: &api::Service) -> Exposure {
    match service.type_ {
        ServiceType::ClusterIP => Exposure::ClusterIp,
        ServiceType::NodePort => Exposure::NodePort(service.node_port),
        ServiceType::LoadBalancer => Exposure::LoadBalancer,
    }
}

fn seconds(count: i32) -> Duration {
    Duration::from_secs(count.unsigned_abs().into())
}

fn is_dns_label(name: &str, max: usize) -> bool {
    name.len() <= max
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_keyspace(name: &str) -> bool {
    name.len() <= 48
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests;
