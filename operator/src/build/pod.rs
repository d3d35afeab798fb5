//! What all workloads have in common: how a pod is secured, probed, spread, rolled and ended.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, HTTPGetAction, KeyToPath, PodSecurityContext, PodSpec,
    PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile, SecurityContext, TopologySpreadConstraint, Volume,
    VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use sha2::{Digest, Sha256};

use crate::api::Resources;
use crate::model::Model;
use crate::names::Component;

/// Annotation of pod templates: changes when a Secret or a setting that the pod reads does, and so
/// rolls the pods.
pub const CONFIG_HASH: &str = "chat4all.io/config-hash";

/// Where the workloads serve their health, their metrics and (the API) their API.
pub(super) const HTTP_LISTEN: &str = "0.0.0.0:8080";
const HTTP_PORT: i32 = 8080;

/// How long a workload may take to stop by itself.
pub(super) const SHUTDOWN_GRACE_SECONDS: i64 = 25;
/// So much longer Kubernetes waits between SIGTERM and SIGKILL, for the way of the signal.
const SIGNAL_SECONDS: i64 = 5;

/// The user of the image, as in distroless images ("nonroot").
const USER: i64 = 65532;

/// Owner and group may read: the files of a Secret belong to root and to the pod's group.
pub(super) const SECRET_FILE_MODE: i32 = 0o440;

/// Seconds without progress after which a rollout counts as stuck; a start takes a few seconds, a
/// pull rarely minutes.
const PROGRESS_DEADLINE_SECONDS: i32 = 300;

/// Old ReplicaSets kept for `kubectl rollout undo`; ten by default is much with hundreds of clusters.
const REVISIONS: i32 = 3;

/// What differs between the workloads.
pub(super) struct Workload<'a> {
    pub part: Component,
    /// `None` leaves the number to somebody else.
    pub replicas: Option<i32>,
    pub resources: &'a Resources,
    pub env: Vec<EnvVar>,
    pub volumes: Vec<Volume>,
    pub mounts: Vec<VolumeMount>,
    pub hash: ConfigHash,
    /// What it is given to stop, in seconds.
    pub grace: i64,
}

/// Collects what a pod reads when it starts.
#[derive(Default)]
pub(super) struct ConfigHash(Sha256);

impl ConfigHash {
    pub(super) fn with<'a>(mut self, values: impl IntoIterator<Item = &'a str>) -> Self {
        for value in values {
            // The length keeps neighbours apart: "ab", "c" is not "a", "bc".
            self.0.update(value.len().to_be_bytes());
            self.0.update(value.as_bytes());
        }
        self
    }
}

/// The Deployment of a workload.
pub(super) fn deployment(model: &Model, workload: Workload<'_>) -> Deployment {
    let identity = &model.identity;
    let selector = workload.part.selector(&identity.name);
    let mut labels = workload.part.labels(&identity.name);
    labels.insert("app.kubernetes.io/version".to_owned(), version_label(&model.image.version));
    let annotations = BTreeMap::from([(CONFIG_HASH.to_owned(), super::short_hash(workload.hash.0))]);
    let container = Container {
        ports: Some(vec![ContainerPort {
            name: Some("http".to_owned()),
            container_port: HTTP_PORT,
            ..Default::default()
        }]),
        volume_mounts: none_if_empty(workload.mounts),
        // Up to a minute to start; from then on the two below count.
        startup_probe: Some(Probe { failure_threshold: Some(60), ..probe("/livez", 1) }),
        // The process does its work: its loops advance. Half a minute of standstill restarts it.
        liveness_probe: Some(Probe { failure_threshold: Some(3), ..probe("/livez", 10) }),
        // It may be asked and has what it needs; lag plays no part.
        readiness_probe: Some(Probe { failure_threshold: Some(2), ..probe("/readyz", 3) }),
        ..container(model, &workload.part, workload.resources, workload.env)
    };
    Deployment {
        metadata: super::metadata(identity, &workload.part),
        spec: Some(DeploymentSpec {
            replicas: workload.replicas,
            selector: LabelSelector { match_labels: Some(selector.clone()), ..Default::default() },
            strategy: Some(one_at_a_time()),
            progress_deadline_seconds: Some(PROGRESS_DEADLINE_SECONDS),
            revision_history_limit: Some(REVISIONS),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels),
                    annotations: Some(annotations),
                    ..Default::default()
                }),
                spec: Some(PodSpec {
                    topology_spread_constraints: Some(spread(&selector)),
                    volumes: none_if_empty(workload.volumes),
                    ..pod(model, &workload.part, container, workload.grace)
                }),
            },
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A container of the workloads' image, with the `restricted` security profile.
pub(super) fn container(model: &Model, part: &Component, resources: &Resources, env: Vec<EnvVar>) -> Container {
    Container {
        name: part.label().to_owned(),
        image: Some(model.image.reference.clone()),
        image_pull_policy: Some(model.image.pull_policy.as_str().to_owned()),
        args: Some(vec![part.label().to_owned()]),
        env: Some(env),
        resources: Some(ResourceRequirements {
            requests: Some(resources.requests.clone()),
            limits: Some(resources.limits.clone()),
            ..Default::default()
        }),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Default::default() }),
            ..Default::default()
        }),
        // The last lines of the log become the reason in `kubectl describe pod`.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Default::default()
    }
}

/// A pod with this container, with the `restricted` security profile.
pub(super) fn pod(model: &Model, part: &Component, container: Container, grace: i64) -> PodSpec {
    PodSpec {
        containers: vec![container],
        service_account_name: Some(part.object_name(&model.identity.name)),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(grace + SIGNAL_SECONDS),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..Default::default() }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A new pod must be ready before an old one goes. For the API nobody finds the door closed; for
/// consumers the others never carry more than usual. One at a time, so that a consumer group sees
/// one member come and one go.
fn one_at_a_time() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_unavailable: Some(IntOrString::Int(0)),
            max_surge: Some(IntOrString::Int(1)),
        }),
    }
}

/// Over nodes and zones, where there are several. The hash of the template is part of the match, or
/// the pods of the former version would count while they are replaced.
fn spread(selector: &BTreeMap<String, String>) -> Vec<TopologySpreadConstraint> {
    ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
        .map(|key| TopologySpreadConstraint {
            max_skew: 1,
            topology_key: key.to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(LabelSelector { match_labels: Some(selector.clone()), ..Default::default() }),
            match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
            ..Default::default()
        })
        .into()
}

fn probe(path: &str, period_seconds: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("http".to_owned()),
            ..Default::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(2),
        ..Default::default()
    }
}

/// Mounts `name` at `path`, read-only.
pub(super) fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.to_owned(), mount_path: path.to_owned(), read_only: Some(true), ..Default::default() }
}

/// Keys of a Secret as files, each at `path(key)`.
pub(super) fn items(keys: &[String], path: impl Fn(&str) -> String) -> Vec<KeyToPath> {
    keys.iter().map(|key| KeyToPath { key: key.clone(), path: path(key), mode: None }).collect()
}

/// A label value has at most 63 characters and ends with a letter or digit; a tag may be longer.
fn version_label(version: &str) -> String {
    let cut: String = version.chars().take(63).collect();
    cut.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

fn none_if_empty<T>(items: Vec<T>) -> Option<Vec<T>> {
    if items.is_empty() { None } else { Some(items) }
}
