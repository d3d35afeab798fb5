//! The ConfigMap with the environment of the workloads, and which of its keys each workload reads.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, ConfigMapKeySelector, EnvVar, EnvVarSource};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::api::{AUTH_DIR, WEBHOOKS_DIR};
use super::pod::SHUTDOWN_GRACE_SECONDS;
use crate::model::Model;
use crate::names;

/// What every workload reads.
const COMMON: [&str; 7] = [
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_TOPIC_PREFIX",
    "STORE_CONTACT_POINTS",
    "STORE_KEYSPACE",
    "HTTP_LISTEN",
    "SHUTDOWN_GRACE_SECONDS",
    "RUST_LOG",
];

/// The keys that the API reads.
pub(super) fn api() -> Vec<&'static str> {
    [&COMMON[..], &["CONNECTORS", "AUTH_DIR", "WEBHOOKS_DIR"]].concat()
}

/// The keys that the router reads.
pub(super) fn router() -> Vec<&'static str> {
    [&COMMON[..], &["KAFKA_SESSION_TIMEOUT_MS", "CONNECTORS"]].concat()
}

/// The keys that a connector reads. Not CONNECTORS: adding one connector must not roll the others.
pub(super) fn connector() -> Vec<&'static str> {
    [&COMMON[..], &["KAFKA_SESSION_TIMEOUT_MS"]].concat()
}

/// The ConfigMap.
pub(super) fn config_map(model: &Model) -> ConfigMap {
    let identity = &model.identity;
    let connectors: Vec<_> = model.connectors.iter().map(|c| format!("{}={}", c.name, c.channel)).collect();
    let data = [
        ("KAFKA_BOOTSTRAP_SERVERS", model.kafka.bootstrap_servers.clone()),
        ("KAFKA_TOPIC_PREFIX", model.kafka.topic_prefix.clone()),
        ("KAFKA_SESSION_TIMEOUT_MS", model.kafka.session_timeout.as_millis().to_string()),
        ("STORE_CONTACT_POINTS", model.store.contact_points.clone()),
        ("STORE_KEYSPACE", model.store.keyspace.clone()),
        ("CONNECTORS", connectors.join(",")),
        ("HTTP_LISTEN", super::pod::HTTP_LISTEN.to_owned()),
        ("AUTH_DIR", AUTH_DIR.to_owned()),
        ("WEBHOOKS_DIR", WEBHOOKS_DIR.to_owned()),
        ("SHUTDOWN_GRACE_SECONDS", SHUTDOWN_GRACE_SECONDS.to_string()),
        ("RUST_LOG", "info".to_owned()),
    ];
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(names::config_map(&identity.name)),
            namespace: Some(identity.namespace.clone()),
            labels: Some(names::cluster_labels(&identity.name)),
            owner_references: Some(vec![identity.owner_reference()]),
            ..Default::default()
        },
        data: Some(data.map(|(key, value)| (key.to_owned(), value)).into()),
        ..Default::default()
    }
}

/// An environment that takes these keys from the ConfigMap. Each by name, so that a pod is rolled by
/// what it reads and by nothing else.
pub(super) fn from_config_map(model: &Model, keys: &[&str]) -> Vec<EnvVar> {
    keys.iter()
        .map(|key| EnvVar {
            name: (*key).to_owned(),
            value_from: Some(EnvVarSource {
                config_map_key_ref: Some(ConfigMapKeySelector {
                    name: names::config_map(&model.identity.name),
                    key: (*key).to_owned(),
                    optional: None,
                }),
                ..Default::default()
            }),
            ..Default::default()
        })
        .collect()
}

/// An environment of plain values.
pub(super) fn literal<const N: usize>(values: [(&str, String); N]) -> Vec<EnvVar> {
    values
        .into_iter()
        .map(|(name, value)| EnvVar { name: name.to_owned(), value: Some(value), ..Default::default() })
        .collect()
}

/// The values of these keys, for the hash that rolls the pods.
pub(super) fn values<'a>(environment: &'a BTreeMap<String, String>, keys: &'a [&str]) -> impl Iterator<Item = &'a str> {
    keys.iter().filter_map(|key| environment.get(*key)).map(String::as_str)
}
