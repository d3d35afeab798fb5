//! The Job that migrates the schema. It carries everything that it reads, so that its name can be a
//! hash of its content: another version or another store is another Job, and an equal one is known
//! to be done.

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest, Sha256};

use super::{config, pod};
use crate::api::Resources;
use crate::model::Model;
use crate::names::Component;

/// Annotation of the Job: how many attempts failed before it.
pub const ATTEMPT: &str = "chat4all.io/attempt";

/// A migration that hangs is ended and tried again; ours take seconds, on a busy cluster minutes.
const DEADLINE_SECONDS: i64 = 600;

pub(super) fn job(model: &Model) -> Job {
    let identity = &model.identity;
    let spec = spec(model);
    let mut hasher = Sha256::new();
    hasher.update(serde_json::to_vec(&spec).expect("a Job is plain data"));
    let hash = super::short_hash(hasher);
    Job {
        metadata: ObjectMeta {
            name: Some(format!("{}-{}", Component::Migrate.object_name(&identity.name), &hash[..10])),
            ..super::metadata(identity, &Component::Migrate)
        },
        spec: Some(spec),
        ..Default::default()
    }
}

fn spec(model: &Model) -> JobSpec {
    let part = Component::Migrate;
    let resources = Resources::default();
    let env = config::literal([
        ("STORE_CONTACT_POINTS", model.store.contact_points.clone()),
        ("STORE_KEYSPACE", model.store.keyspace.clone()),
        ("STORE_REPLICATION", serde_json::to_string(&model.store.replication).expect("a map of texts is plain data")),
        ("RUST_LOG", "info".to_owned()),
    ]);
    JobSpec {
        // One pod is one attempt. When the next one comes is for the operator to say: the Job's own
        // backoff grows to minutes and ends, and a store that is back should be used soon.
        backoff_limit: Some(0),
        active_deadline_seconds: Some(DEADLINE_SECONDS),
        template: PodTemplateSpec {
            metadata: Some(ObjectMeta { labels: Some(part.labels(&model.identity.name)), ..Default::default() }),
            spec: Some(PodSpec {
                restart_policy: Some("Never".to_owned()),
                ..pod::pod(model, &part, pod::container(model, &part, &resources, env), pod::SHUTDOWN_GRACE_SECONDS)
            }),
        },
        ..Default::default()
    }
}
