//! The Deployment of one connector.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{SecretVolumeSource, Volume};
use serde::Serialize;

use super::config;
use super::pod::{self, ConfigHash, SECRET_FILE_MODE, SHUTDOWN_GRACE_SECONDS, Workload};
use crate::model::{Connector, Model};
use crate::names::Component;

/// Where the connector finds what it sends with.
const CREDENTIALS_DIR: &str = "/etc/chat4all/credentials";

/// A call that has begun is waited for; then the connector wants ten seconds to leave its group, and five for the rest.
const AFTER_THE_CALL: i64 = 15;

pub(super) fn deployment(model: &Model, connector: &Connector, environment: &BTreeMap<String, String>) -> Deployment {
    let mut keys = config::connector();
    let call = i64::try_from(connector.request_timeout.as_secs()).unwrap_or(i64::MAX);
    let grace = SHUTDOWN_GRACE_SECONDS.max(call.saturating_add(AFTER_THE_CALL));
    let longer = (grace > SHUTDOWN_GRACE_SECONDS).then(|| {
        keys.retain(|key| *key != "SHUTDOWN_GRACE_SECONDS");
        config::literal([("SHUTDOWN_GRACE_SECONDS", grace.to_string())])
    });
    // What is said about one connector stands in its own Deployment, where a change rolls only it.
    let own = config::literal([
        ("CONNECTOR_NAME", connector.name.clone()),
        ("CONNECTOR_CHANNEL", connector.channel.to_string()),
        ("CONNECTOR_CREDENTIALS_DIR", CREDENTIALS_DIR.to_owned()),
        ("CONNECTOR_ACCOUNT", json(&connector.account)),
        ("CONNECTOR_CIRCUIT_BREAKER", json(&connector.circuit_breaker)),
        ("CONNECTOR_RETRY", json(&connector.retry)),
        ("CONNECTOR_REQUEST_TIMEOUT_MS", connector.request_timeout.as_millis().to_string()),
        ("CONNECTOR_ON_UNKNOWN_OUTCOME", connector.on_unknown_outcome.as_str().to_owned()),
        ("CONNECTOR_HOLD_SECONDS", connector.hold.as_secs().to_string()),
    ]);
    let base_url = connector.base_url.as_ref().map(|url| config::literal([("CONNECTOR_BASE_URL", url.clone())]));
    let budget = connector.budget.as_ref().map(|budget| config::literal([("CONNECTOR_BUDGET", json(budget))]));
    let credentials = Volume {
        name: "credentials".to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(connector.credentials.name.clone()),
            items: Some(pod::items(&connector.credentials.keys, str::to_owned)),
            default_mode: Some(SECRET_FILE_MODE),
            ..Default::default()
        }),
        ..Default::default()
    };
    pod::deployment(
        model,
        Workload {
            part: Component::Connector(connector.name.clone()),
            replicas: Some(connector.replicas),
            resources: &connector.resources,
            env: [Some(config::from_config_map(model, &keys)), Some(own), base_url, budget, longer]
                .into_iter()
                .flatten()
                .flatten()
                .collect(),
            volumes: vec![credentials],
            mounts: vec![pod::mount("credentials", CREDENTIALS_DIR)],
            hash: ConfigHash::default()
                .with(config::values(environment, &keys))
                .with([connector.credentials.content_hash.as_str()]),
            grace,
        },
    )
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data can be written as JSON")
}
