//! The API: its Deployment, and the Service that leads to it.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{
    EmptyDirVolumeSource, ProjectedVolumeSource, SecretProjection, SecretVolumeSource, Service, ServicePort,
    ServiceSpec, Volume, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::config;
use super::pod::{self, ConfigHash, SECRET_FILE_MODE, Workload};
use crate::model::{Exposure, Model};
use crate::names::Component;

/// Where the API finds its users and the key that signs tokens.
pub(super) const AUTH_DIR: &str = "/etc/chat4all/auth";
/// Where the API finds what it checks webhooks with, a folder for each connector.
pub(super) const WEBHOOKS_DIR: &str = "/etc/chat4all/webhooks";

pub(super) fn deployment(model: &Model, environment: &BTreeMap<String, String>) -> Deployment {
    let keys = config::api();
    let hash = ConfigHash::default()
        .with(config::values(environment, &keys))
        .with([model.api.auth.content_hash.as_str()])
        .with(model.connectors.iter().map(|connector| connector.webhook.content_hash.as_str()));
    pod::deployment(
        model,
        Workload {
            part: Component::Api,
            replicas: Some(model.api.replicas),
            resources: &model.api.resources,
            env: config::from_config_map(model, &keys),
            volumes: vec![auth(model), webhooks(model)],
            mounts: vec![pod::mount("auth", AUTH_DIR), pod::mount("webhooks", WEBHOOKS_DIR)],
            hash,
            grace: pod::SHUTDOWN_GRACE_SECONDS,
        },
    )
}

fn auth(model: &Model) -> Volume {
    Volume {
        name: "auth".to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(model.api.auth.name.clone()),
            items: Some(pod::items(&model.api.auth.keys, str::to_owned)),
            default_mode: Some(SECRET_FILE_MODE),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Of each connector's Secret only what checks webhooks; what it sends with never reaches the API.
fn webhooks(model: &Model) -> Volume {
    let sources: Vec<_> = model
        .connectors
        .iter()
        // A projection without items would take every key.
        .filter(|connector| !connector.webhook.keys.is_empty())
        .map(|connector| VolumeProjection {
            secret: Some(SecretProjection {
                name: connector.webhook.name.clone(),
                items: Some(pod::items(&connector.webhook.keys, |key| format!("{}/{key}", connector.name))),
                ..Default::default()
            }),
            ..Default::default()
        })
        .collect();
    let volume = Volume { name: "webhooks".to_owned(), ..Default::default() };
    if sources.is_empty() {
        return Volume { empty_dir: Some(EmptyDirVolumeSource::default()), ..volume };
    }
    Volume {
        projected: Some(ProjectedVolumeSource { default_mode: Some(SECRET_FILE_MODE), sources: Some(sources) }),
        ..volume
    }
}

pub(super) fn service(model: &Model) -> Service {
    let (type_, node_port) = match model.api.exposure {
        Exposure::ClusterIp => ("ClusterIP", None),
        Exposure::NodePort(port) => ("NodePort", port),
        Exposure::LoadBalancer => ("LoadBalancer", None),
    };
    Service {
        metadata: super::metadata(&model.identity, &Component::Api),
        spec: Some(ServiceSpec {
            type_: Some(type_.to_owned()),
            selector: Some(Component::Api.selector(&model.identity.name)),
            ports: Some(vec![ServicePort {
                name: Some("http".to_owned()),
                port: 80,
                target_port: Some(IntOrString::String("http".to_owned())),
                node_port,
                protocol: Some("TCP".to_owned()),
                ..Default::default()
            }]),
            ..Default::default()
        }),
        ..Default::default()
    }
}
