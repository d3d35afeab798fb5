//! What a reconcile found, aspect by aspect, with a verdict on each. Pure; [`crate::status`] makes
//! conditions of it.

use std::collections::BTreeMap;

use crate::api::LearnedStatus;
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
    /// The connectors run, and their providers let them work. Where only a provider keeps one from it, the
    /// cluster is ready all the same.
    ConnectorsHealthy,
    /// The number of routers follows the work, where that is asked for. Whatever keeps it from doing so,
    /// the cluster is ready.
    RouterScaling,
}

impl Aspect {
    /// Every condition but Ready.
    pub const ALL: [Self; 8] = [
        Self::SpecValid,
        Self::SecretsAvailable,
        Self::KafkaReachable,
        Self::SchemaReady,
        Self::ApiAvailable,
        Self::RouterAvailable,
        Self::ConnectorsHealthy,
        Self::RouterScaling,
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
            Self::RouterScaling => "RouterScaling",
        }
    }
}

/// What was found about one aspect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// The status of the condition.
    pub(crate) holds: bool,
    /// Nothing is left to do for this aspect; Ready waits for it.
    pub(crate) complete: bool,
    /// Someone must do something, here or elsewhere.
    pub(crate) warning: bool,
    /// Why, as one word in PascalCase.
    pub reason: String,
    /// Why, for people: the field, the reason and the remedy.
    pub message: String,
}

impl Verdict {
    /// It is as it should be.
    pub fn good(reason: &str, message: impl Into<String>) -> Self {
        Self {
            holds: true,
            complete: true,
            warning: false,
            reason: reason.to_owned(),
            message: shortened(message.into()),
        }
    }

    /// It works, but is not yet what the resource asks for.
    pub fn rolling(reason: &str, message: impl Into<String>) -> Self {
        Self { complete: false, ..Self::good(reason, message) }
    }

    /// It will be as it should be; nobody need do anything.
    pub fn pending(reason: &str, message: impl Into<String>) -> Self {
        Self { holds: false, ..Self::rolling(reason, message) }
    }

    /// It is not as it should be, and somebody must do something.
    pub fn bad(reason: &str, message: impl Into<String>) -> Self {
        Self { warning: true, ..Self::pending(reason, message) }
    }

    /// The status of the condition.
    pub(crate) fn status(&self) -> &'static str {
        if self.holds { "True" } else { "False" }
    }

    /// The worse, the greater.
    fn badness(&self) -> (bool, bool, bool) {
        (self.warning, !self.holds, !self.complete)
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
    /// How the number of routers follows the work; `None` until that was looked at.
    pub scaling: Option<Shown>,
}

/// What the status shows of the scaling, beside the condition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// Router pods that the work asks for, while scaling is on.
    pub desired: Option<i32>,
    /// The lag, as a step in seconds.
    pub lag_seconds: Option<i32>,
    /// spec.router.replicas, while scaling is on.
    pub replicas_before_scaling: Option<i32>,
    /// What was learned about the routers.
    pub learned: Option<LearnedStatus>,
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
    if rollout.is_complete() {
        return Verdict::good("Available", format!("{available} of {wanted} pods are available"));
    }
    let works = |verdict: Verdict| Verdict { holds: rollout.is_available(), ..verdict };
    if let Some(trouble) = &rollout.trouble {
        return works(Verdict::bad(trouble.reason, format!("{field}: {}; {}", trouble.message, trouble.remedy)));
    }
    if let Some(why) = &rollout.stuck {
        let text = format!(
            "{field}: Deployment {name} has {available} of {wanted} pods available ({why}); see `kubectl describe deployment {name}` and `kubectl logs deployment/{name}`"
        );
        return works(Verdict::bad("Stuck", text));
    }
    if updated < wanted && rollout.is_available() {
        return Verdict::rolling("RollingOut", format!("{updated} of {wanted} pods are of the current version"));
    }
    let text = format!("Deployment {name} has {available} of {wanted} pods available");
    works(Verdict::pending("PodsNotAvailable", text))
}

/// A connector that runs may be kept from its work by its provider. That is told, and does not make the
/// cluster less ready: everything that the resource asks for runs, and messages wait.
fn connector(rollout: Option<&Rollout>, field: &str) -> Verdict {
    let runs = workload(rollout, field);
    match rollout.and_then(|rollout| rollout.ailing.as_ref()) {
        Some(ailing) if !runs.warning && runs.holds => {
            let bad = Verdict::bad(ailing.reason, format!("{field}: {}; {}", ailing.message, ailing.remedy));
            Verdict { complete: runs.complete, ..bad }
        }
        _ => runs,
    }
}

fn connectors(connectors: &[(String, Option<Rollout>)]) -> Verdict {
    let verdicts: Vec<_> = connectors
        .iter()
        .map(|(name, rollout)| (name, connector(rollout.as_ref(), &format!("spec.connectors[{name}]"))))
        .collect();
    let Some((_, worst)) = verdicts.iter().max_by_key(|(_, verdict)| verdict.badness()) else {
        return Verdict::good("NoConnectors", "spec.connectors is empty");
    };
    // The worst may be one that runs, with a provider that fails, beside another that does not run.
    let complete = verdicts.iter().all(|(_, verdict)| verdict.complete);
    if complete && worst.holds {
        return Verdict::good("Available", format!("all pods of {} connectors are available", verdicts.len()));
    }
    let concerned = verdicts.iter().filter(|(_, verdict)| !(verdict.complete && verdict.holds));
    let messages: Vec<_> = concerned.map(|(name, verdict)| format!("{name}: {}", verdict.message)).collect();
    Verdict { complete, message: shortened(messages.join(" | ")), ..worst.clone() }
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
