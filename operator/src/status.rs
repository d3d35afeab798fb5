//! Last step of a reconcile: what the resource shows. From findings and the former status to the next
//! status, pure; it is written only when it differs, and its transitions become events.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Client};
use serde_json::json;

use crate::api::{Chat4AllCluster, Chat4AllClusterStatus, ConnectorStatus, RouterStatus};
use crate::model::Identity;
use crate::names::{Component, FIELD_MANAGER, selector_line};
use crate::rollout::Rollout;

/// The conditions, in the order in which one depends on the other.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Aspect {
    /// The resource itself makes sense.
    SpecValid,
    /// The Secrets that it names are there and complete.
    SecretsAvailable,
    /// Kafka answers and has the topics.
    KafkaReachable,
    /// The schema is migrated to this version.
    SchemaReady,
    /// The API's pods run.
    ApiAvailable,
    /// The routers run.
    RouterAvailable,
    /// The connectors run.
    ConnectorsHealthy,
}

impl Aspect {
    /// Every condition but Ready.
    pub const ALL: [Self; 7] = [
        Self::SpecValid,
        Self::SecretsAvailable,
        Self::KafkaReachable,
        Self::SchemaReady,
        Self::ApiAvailable,
        Self::RouterAvailable,
        Self::ConnectorsHealthy,
    ];

    /// The type of the condition.
    pub fn type_(self) -> &'static str {
        match self {
            Self::SpecValid => "SpecValid",
            Self::SecretsAvailable => "SecretsAvailable",
            Self::KafkaReachable => "KafkaReachable",
            Self::SchemaReady => "SchemaReady",
            Self::ApiAvailable => "APIAvailable",
            Self::RouterAvailable => "RouterAvailable",
            Self::ConnectorsHealthy => "ConnectorsHealthy",
        }
    }
}

/// The condition that sums up the others.
pub const READY: &str = "Ready";

/// What was found about one aspect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    tone: Tone,
    /// Why, as one word in PascalCase.
    pub reason: String,
    /// Why, for people: the field, the reason and the remedy.
    pub message: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tone {
    Good,
    /// Not yet, and nobody need do anything.
    Pending,
    /// Someone must do something, here or elsewhere.
    Bad,
}

impl Verdict {
    /// It is as it should be.
    pub fn good(reason: &str, message: impl Into<String>) -> Self {
        Self { tone: Tone::Good, reason: reason.to_owned(), message: shortened(message.into()) }
    }

    /// It will be as it should be; nobody need do anything.
    pub fn pending(reason: &str, message: impl Into<String>) -> Self {
        Self { tone: Tone::Pending, reason: reason.to_owned(), message: shortened(message.into()) }
    }

    /// It is not as it should be.
    pub fn bad(reason: &str, message: impl Into<String>) -> Self {
        Self { tone: Tone::Bad, reason: reason.to_owned(), message: shortened(message.into()) }
    }

    fn status(&self) -> &'static str {
        if self.tone == Tone::Good { "True" } else { "False" }
    }
}

/// What one reconcile found. An aspect that it did not get to is not in `verdicts`.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// By aspect.
    pub verdicts: BTreeMap<Aspect, Verdict>,
    /// Why the reconcile broke off, when no aspect says it.
    pub failure: Option<Verdict>,
    /// The Deployments that there are; `None` for one that does not exist.
    pub rollouts: Option<Rollouts>,
}

/// The Deployments of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Rollouts {
    /// The API's.
    pub api: Option<Rollout>,
    /// The routers'.
    pub router: Option<Rollout>,
    /// The connectors', by name, in the order of the resource.
    pub connectors: Vec<(String, Option<Rollout>)>,
}

impl Findings {
    /// Notes what was found about an aspect.
    pub fn note(&mut self, aspect: Aspect, verdict: Verdict) {
        self.verdicts.insert(aspect, verdict);
    }

    /// Notes the Deployments.
    pub fn note_rollouts(&mut self, rollouts: Rollouts) {
        self.note(Aspect::ApiAvailable, workload(rollouts.api.as_ref(), "spec.api"));
        self.note(Aspect::RouterAvailable, workload(rollouts.router.as_ref(), "spec.router"));
        self.note(Aspect::ConnectorsHealthy, connectors(&rollouts.connectors));
        self.rollouts = Some(rollouts);
    }
}

fn workload(rollout: Option<&Rollout>, field: &str) -> Verdict {
    let Some(rollout) = rollout else {
        return Verdict::pending("NotCreated", "waits for what comes before it: see the other conditions");
    };
    let Rollout { name, wanted, available, updated, .. } = rollout;
    match &rollout.stuck {
        Some(why) if !rollout.is_complete() => Verdict::bad(
            "Stuck",
            format!(
                "{field}: Deployment {name} has {available} of {wanted} pods available ({why}); see `kubectl describe deployment {name}` and `kubectl logs deployment/{name}`, then correct {field}, spec.image or spec.version"
            ),
        ),
        _ if rollout.is_complete() => Verdict::good("Available", format!("{available} of {wanted} pods are available")),
        _ if rollout.is_available() => {
            Verdict::good("RollingOut", format!("{updated} of {wanted} pods are of the current version"))
        }
        _ => Verdict::pending(
            "PodsNotAvailable",
            format!("Deployment {name} has {available} of {wanted} pods available"),
        ),
    }
}

fn connectors(connectors: &[(String, Option<Rollout>)]) -> Verdict {
    if connectors.is_empty() {
        return Verdict::good("NoConnectors", "spec.connectors is empty");
    }
    let verdicts: Vec<_> = connectors
        .iter()
        .map(|(name, rollout)| (name, workload(rollout.as_ref(), &format!("spec.connectors[{name}]"))))
        .collect();
    let worst = |tone| verdicts.iter().find(|(_, verdict)| verdict.tone == tone);
    let Some((_, first)) = worst(Tone::Bad).or_else(|| worst(Tone::Pending)) else {
        let rolling = verdicts.iter().find(|(_, verdict)| verdict.reason == "RollingOut");
        return match rolling {
            Some((name, verdict)) => Verdict::good("RollingOut", format!("{name}: {}", verdict.message)),
            None => Verdict::good("Available", format!("all pods of {} connectors are available", verdicts.len())),
        };
    };
    let messages: Vec<_> = verdicts
        .iter()
        .filter(|(_, verdict)| verdict.tone != Tone::Good)
        .map(|(name, verdict)| format!("{name}: {}", verdict.message))
        .collect();
    Verdict { message: shortened(messages.join(" | ")), ..first.clone() }
}

/// What changed from one status to the next, for an event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transition {
    /// The type of the condition.
    pub condition: &'static str,
    /// Whether someone must do something.
    pub warning: bool,
    /// The reason of the condition.
    pub reason: String,
    /// The message of the condition.
    pub message: String,
}

impl Transition {
    /// The event that tells of it.
    pub fn event(&self) -> Event {
        Event {
            type_: if self.warning { EventType::Warning } else { EventType::Normal },
            reason: self.reason.clone(),
            note: Some(format!("{}: {}", self.condition, self.message)),
            action: self.condition.to_owned(),
            secondary: None,
        }
    }
}

/// The next status, and what changed to it. An aspect that the reconcile did not get to keeps its
/// former condition, with the generation that it is about.
pub fn of(
    identity: &Identity,
    version: Option<&str>,
    former: Option<&Chat4AllClusterStatus>,
    findings: &Findings,
    now: Timestamp,
) -> (Chat4AllClusterStatus, Vec<Transition>) {
    let mut conditions = Vec::new();
    let mut transitions = Vec::new();
    let former_conditions = former.map(|status| status.conditions.as_slice()).unwrap_or_default();
    let find = |type_: &str| former_conditions.iter().find(|condition| condition.type_ == type_);

    let ready = ready(findings, version, find);
    let judged = Aspect::ALL.into_iter().map(|aspect| (aspect.type_(), findings.verdicts.get(&aspect)));
    for (type_, verdict) in std::iter::once((READY, Some(&ready))).chain(judged) {
        let before = find(type_);
        let Some(verdict) = verdict else {
            conditions.push(before.cloned().unwrap_or_else(|| not_reached(type_, identity, now)));
            continue;
        };
        let changed = before.is_none_or(|b| b.status != verdict.status() || b.reason != verdict.reason);
        // What is well or under way from the start is no news, and Ready repeats another condition
        // until it is true.
        let news = verdict.tone == Tone::Bad || before.is_some();
        let repeated = type_ == READY && verdict.tone != Tone::Good && findings.failure.is_none();
        if changed && news && !repeated {
            transitions.push(Transition {
                condition: type_,
                warning: verdict.tone == Tone::Bad,
                reason: verdict.reason.clone(),
                message: verdict.message.clone(),
            });
        }
        conditions.push(condition(type_, verdict, identity, before, now));
    }

    let rollouts = findings.rollouts.as_ref();
    let status = Chat4AllClusterStatus {
        observed_generation: Some(identity.generation),
        conditions,
        router: match rollouts {
            Some(rollouts) => Some(RouterStatus {
                replicas: rollouts.router.as_ref().map_or(0, |r| r.existing),
                selector: selector_line(&Component::Router.selector(&identity.name)),
            }),
            None => former.and_then(|status| status.router.clone()),
        },
        connectors: match rollouts {
            Some(rollouts) => rollouts.connectors.iter().map(connector_status).collect(),
            None => former.map(|status| status.connectors.clone()).unwrap_or_default(),
        },
    };
    (status, transitions)
}

fn connector_status((name, rollout): &(String, Option<Rollout>)) -> ConnectorStatus {
    ConnectorStatus {
        name: name.clone(),
        replicas: rollout.as_ref().map_or(0, |r| r.existing),
        available_replicas: rollout.as_ref().map_or(0, |r| r.available),
    }
}

/// Everything that the resource asks for runs, at the version that it asks for.
fn ready<'a>(findings: &Findings, version: Option<&str>, former: impl Fn(&str) -> Option<&'a Condition>) -> Verdict {
    if let Some(failure) = &findings.failure {
        return failure.clone();
    }
    for aspect in Aspect::ALL {
        let type_ = aspect.type_();
        match findings.verdicts.get(&aspect) {
            Some(verdict) if verdict.tone != Tone::Good => {
                return Verdict { message: format!("{type_}: {}", verdict.message), ..verdict.clone() };
            }
            Some(_) => {}
            None => {
                let message = former(type_).map_or("was not looked at yet", |c| c.message.as_str());
                return Verdict::pending("Waiting", format!("{type_}: {message}"));
            }
        }
    }
    let rolling = Aspect::ALL.into_iter().find_map(|aspect| {
        findings.verdicts.get(&aspect).filter(|v| v.reason == "RollingOut").map(|v| (aspect.type_(), v))
    });
    match rolling {
        Some((type_, verdict)) => Verdict::pending("RollingOut", format!("{type_}: {}", verdict.message)),
        None => Verdict::good("Running", format!("everything runs at version {}", version.unwrap_or_default())),
    }
}

fn condition(
    type_: &str,
    verdict: &Verdict,
    identity: &Identity,
    before: Option<&Condition>,
    now: Timestamp,
) -> Condition {
    let since = before.filter(|b| b.status == verdict.status()).map(|b| b.last_transition_time.clone());
    Condition {
        type_: type_.to_owned(),
        status: verdict.status().to_owned(),
        reason: verdict.reason.clone(),
        message: verdict.message.clone(),
        observed_generation: Some(identity.generation),
        last_transition_time: since.unwrap_or_else(|| whole_seconds(now)),
    }
}

fn not_reached(type_: &str, identity: &Identity, now: Timestamp) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status: "Unknown".to_owned(),
        reason: "NotReached".to_owned(),
        message: "waits for what comes before it: see the other conditions".to_owned(),
        observed_generation: Some(identity.generation),
        last_transition_time: whole_seconds(now),
    }
}

/// The API server keeps whole seconds; a finer time would differ from what it gives back.
fn whole_seconds(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}

/// A condition's message has at most 32768 characters, an event's note 1024 bytes; longer ones help
/// nobody.
fn shortened(message: String) -> String {
    const MOST: usize = 900;
    if message.len() <= MOST {
        return message;
    }
    let cut = message.floor_char_boundary(MOST);
    format!("{} ...", &message[..cut])
}

/// Writes the status. A merge patch, because it also works on a resource whose spec has fields of
/// wrong types, which server-side apply cannot merge.
///
/// # Errors
/// When the API server refuses it.
pub async fn publish(client: &Client, identity: &Identity, status: &Chat4AllClusterStatus) -> Result<(), kube::Error> {
    let resource = ApiResource::erase::<Chat4AllCluster>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &identity.namespace, &resource);
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
    // Only on this very resource, not on a later one of the same name.
    let patch = json!({"metadata": {"uid": identity.uid}, "status": status});
    api.patch_status(&identity.name, &params, &Patch::Merge(&patch)).await.map(|_| ())
}

#[cfg(test)]
mod tests;
