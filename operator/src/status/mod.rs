//! Last step of a reconcile: what the resource shows. From findings and the former status to the next
//! status, pure; it is written only when it differs, and its transitions become events.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Client};
use serde_json::json;

use crate::api::{Chat4AllCluster, Chat4AllClusterStatus, ConnectorStatus, RouterStatus};
use crate::findings::{Aspect, Findings, Rollouts, Shown, Verdict};
use crate::model::Identity;
use crate::names::{Component, FIELD_MANAGER, selector_line};
use crate::rollout::Rollout;

/// The condition that sums up the others.
pub const READY: &str = "Ready";

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
        // until it is true. What scaling waits for changes all the time; each change that it makes has an
        // event of its own.
        let news = verdict.warning || before.is_some();
        let repeated = type_ == READY && !verdict.holds && findings.failure.is_none();
        let passing = type_ == Aspect::RouterScaling.type_() && !verdict.warning;
        if changed && news && !repeated && !passing {
            transitions.push(Transition {
                condition: type_,
                warning: verdict.warning,
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
        router: router_status(identity, rollouts, former, findings.scaling.as_ref()),
        connectors: match rollouts {
            Some(rollouts) => rollouts.connectors.iter().map(connector_status).collect(),
            None => former.map(|status| status.connectors.clone()).unwrap_or_default(),
        },
    };
    (status, transitions)
}

/// What the scaling shows stays until it shows something else.
fn router_status(
    identity: &Identity,
    rollouts: Option<&Rollouts>,
    former: Option<&Chat4AllClusterStatus>,
    scaling: Option<&Shown>,
) -> Option<RouterStatus> {
    let former = former.and_then(|status| status.router.clone());
    let mut status = match rollouts {
        Some(rollouts) => RouterStatus {
            replicas: rollouts.router.as_ref().map_or(0, |r| r.existing),
            selector: selector_line(&Component::Router.selector(&identity.name)),
            ..former.unwrap_or_default()
        },
        None => former?,
    };
    if let Some(Shown { desired, lag_seconds, replicas_before_scaling, learned }) = scaling.cloned() {
        status = RouterStatus { desired, lag_seconds, replicas_before_scaling, learned, ..status };
    }
    Some(status)
}

fn connector_status((name, rollout): &(String, Option<Rollout>)) -> ConnectorStatus {
    ConnectorStatus {
        name: name.clone(),
        replicas: rollout.as_ref().map_or(0, |r| r.existing),
        available_replicas: rollout.as_ref().map_or(0, |r| r.available),
        ailing: rollout.as_ref().and_then(|r| r.ailing.as_ref()).map(|ailing| ailing.reason.to_owned()),
    }
}

/// Everything that the resource asks for runs, at the version that it asks for.
fn ready<'a>(findings: &Findings, version: Option<&str>, former: impl Fn(&str) -> Option<&'a Condition>) -> Verdict {
    if let Some(failure) = &findings.failure {
        return failure.clone();
    }
    for aspect in Aspect::ALL.into_iter().filter(|aspect| *aspect != Aspect::RouterScaling) {
        let type_ = aspect.type_();
        match findings.verdicts.get(&aspect) {
            Some(verdict) if !verdict.complete => {
                let message = format!("{type_}: {}", verdict.message);
                return Verdict { holds: false, message, ..verdict.clone() };
            }
            Some(_) => {}
            None => {
                let message = former(type_).map_or("was not looked at yet", |c| c.message.as_str());
                return Verdict::pending("Waiting", format!("{type_}: {message}"));
            }
        }
    }
    Verdict::good("Running", format!("everything runs at version {}", version.unwrap_or_default()))
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
