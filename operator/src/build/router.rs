//! The routers' Deployment. While their number follows the work, it is not ours to apply: the scaler
//! owns it under a field manager of its own.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;

use super::config;
use super::pod::{self, ConfigHash, Workload};
use crate::model::Model;
use crate::names::Component;

pub(super) fn deployment(model: &Model, environment: &BTreeMap<String, String>) -> Deployment {
    let keys = config::router();
    pod::deployment(
        model,
        Workload {
            part: Component::Router,
            replicas: (!model.router.scaling.enabled).then_some(model.router.replicas),
            resources: &model.router.resources,
            env: config::from_config_map(model, &keys),
            volumes: Vec::new(),
            mounts: Vec::new(),
            hash: ConfigHash::default().with(config::values(environment, &keys)),
            grace: pod::SHUTDOWN_GRACE_SECONDS,
        },
    )
}
