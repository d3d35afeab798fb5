//! One reconcile, as the design tells it: dereference, validate, build, apply, status. What a step
//! finds goes into the status whether the next one is reached or not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use kube::api::DynamicObject;
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::Store;
use kube::{Client, Resource};
use serde::{Deserialize, Serialize};

use crate::api::Chat4AllCluster;
use crate::apply::{self, Applier};
use crate::backoff::Backoff;
use crate::build::{ATTEMPT, Objects, build};
use crate::dereference::{self, dereference, secret_names};
use crate::kafka::Topics;
use crate::kube_error::plain;
use crate::metrics::{Metrics, Outcome};
use crate::migration::{self, Step};
use crate::model::{Identity, Model};
use crate::names::Component;
use crate::neighbours::Neighbour;
use crate::owned::{Kind, Owned};
use crate::references::References;
use crate::rollout::Rollout;
use crate::status::{self, Aspect, Findings, Rollouts, Verdict};
use crate::validate::{self, Refusal, validate};

/// When a cluster without events is looked at again. Everything that matters comes as an event but
/// what happens at Kafka.
const CALM: Duration = Duration::from_secs(300);

/// When a refused resource is looked at again; most causes come as events, except another cluster
/// that gives up a topic prefix.
const REFUSED: Duration = Duration::from_secs(60);

/// What reconciles share.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// Every Chat4AllCluster, as the watch sees it.
    pub clusters: Store<DynamicObject>,
    /// Everything that clusters own, as the watches see it.
    pub owned: Owned,
    /// Which cluster names which Secret.
    pub references: Arc<References>,
    /// Applies, and remembers what it applied.
    pub applier: Applier,
    /// Kafka.
    pub topics: Arc<dyn Topics>,
    /// Publishes events.
    pub recorder: Recorder,
    /// Counts.
    pub metrics: Metrics,
    /// Waits between attempts.
    pub backoff: Backoff<(String, String)>,
}

/// A step failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// See [`dereference`].
    #[error(transparent)]
    Dereference(#[from] dereference::Error),
    /// See [`apply`].
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// The status could not be written.
    #[error("could not write the status: {}", plain(.0))]
    Status(#[source] kube::Error),
    /// A defect of the operator; the others are served all the same.
    #[error("the reconcile panicked, which is a defect of the operator; please report it with the lines before")]
    Panicked,
}

/// How far a reconcile came, and when to look again without an event.
struct Reached {
    outcome: Outcome,
    look_again: Duration,
}

/// Brings one cluster closer to what its resource asks for.
///
/// # Errors
/// When a step failed that may succeed later. The status says so, where that could be written.
pub async fn reconcile(object: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, Error> {
    if object.metadata.deletion_timestamp.is_some() {
        // What it owns goes with it.
        return Ok(Action::await_change());
    }
    let started = Instant::now();
    let identity = Identity::of(&object.metadata);
    let mut findings = Findings::default();
    let (cluster, reached) = match validate::read(&object) {
        Ok(cluster) => {
            let reached = pursue(&cluster, &identity, &context, &mut findings).await;
            (Some(cluster), reached)
        }
        Err(problem) => {
            findings.note(Aspect::SpecValid, Verdict::bad("Malformed", problem.to_string()));
            (None, Ok(Reached { outcome: Outcome::Refused, look_again: CALM }))
        }
    };
    findings.failure = reached.as_ref().err().and_then(failure);
    let reported = match &reached {
        // A step failed in a way that says nothing about the cluster.
        Err(_) if findings.failure.is_none() => Ok(()),
        _ => report(&object, &identity, cluster.as_ref(), &findings, &context).await,
    };
    let outcome = reported.and(reached);
    context.metrics.reconciled(outcome.as_ref().map_or(Outcome::Failed, |reached| reached.outcome), started.elapsed());
    let reached = outcome?;
    if reached.outcome != Outcome::Waiting {
        context.backoff.reset(&(identity.namespace, identity.name));
    }
    Ok(Action::requeue(reached.look_again))
}

/// Writes the status when it differs, and tells what changed.
async fn report(
    object: &DynamicObject,
    identity: &Identity,
    cluster: Option<&Chat4AllCluster>,
    findings: &Findings,
    context: &Context,
) -> Result<(), Error> {
    let former = validate::read_status(object);
    let version = cluster.map(|cluster| cluster.spec.version.as_str());
    let (status, transitions) = status::of(identity, version, former.as_ref(), findings, Timestamp::now());
    let ready = status.conditions.iter().any(|c| c.type_ == status::READY && c.status == "True");
    context.metrics.cluster(&identity.namespace, &identity.name, Some(ready));
    for transition in &transitions {
        tell(context, object, transition).await;
    }
    if former.as_ref() == Some(&status) {
        return Ok(());
    }
    status::publish(&context.client, identity, &status).await.map_err(Error::Status)
}

/// The steps. What they find goes into `findings`.
async fn pursue(
    cluster: &Chat4AllCluster,
    identity: &Identity,
    context: &Context,
    findings: &mut Findings,
) -> Result<Reached, Error> {
    findings.note_rollouts(rollouts(cluster, identity, context, &[]));
    let secrets = secret_names(&cluster.spec);
    // Before they are read: a Secret that appears in between then still brings on a reconcile.
    context.references.set(&identity.namespace, &identity.name, &secrets);
    let referenced = dereference(&context.client, &identity.namespace, &secrets).await?;
    let model = match validate(cluster, &referenced, &neighbours(cluster, context)) {
        Ok(model) => model,
        Err(refusal) => {
            note_refusal(findings, &refusal);
            return Ok(Reached { outcome: Outcome::Refused, look_again: REFUSED });
        }
    };
    findings.note(Aspect::SpecValid, Verdict::good("Valid", "the resource can be built"));
    findings.note(Aspect::SecretsAvailable, Verdict::good("Available", "every Secret is there with its keys"));

    let objects = build(&model);
    if let Err(error) = context.topics.ensure(&model.kafka.bootstrap_servers_from_afar, &model.topics()).await {
        findings.note(Aspect::KafkaReachable, Verdict::bad(error.reason(), error.to_string()));
        return Ok(waiting(context, identity));
    }
    findings.note(Aspect::KafkaReachable, Verdict::good("Reachable", "Kafka answers and has every topic"));

    for account in &objects.service_accounts {
        ensure(context, identity, Kind::ServiceAccount, account).await?;
    }
    if let Some(reached) = migrate(&objects, identity, context, findings).await? {
        return Ok(reached);
    }
    findings.note(Aspect::SchemaReady, Verdict::good("Migrated", "the schema is that of spec.version"));

    let applied = apply(&objects, identity, context).await?;
    findings.note_rollouts(rollouts(cluster, identity, context, &applied));
    prune(&objects, &model, context).await?;
    Ok(Reached { outcome: Outcome::Applied, look_again: CALM })
}

/// Configuration before workloads. Gives the Deployments that were changed, as the API server has
/// them now.
async fn apply(objects: &Objects, identity: &Identity, context: &Context) -> Result<Vec<Deployment>, Error> {
    ensure(context, identity, Kind::ConfigMap, &objects.config_map).await?;
    ensure(context, identity, Kind::Service, &objects.service).await?;
    for budget in &objects.disruption_budgets {
        ensure(context, identity, Kind::PodDisruptionBudget, budget).await?;
    }
    let mut applied = Vec::new();
    for deployment in &objects.deployments {
        let answer = ensure(context, identity, Kind::Deployment, deployment).await?;
        applied.extend(answer.and_then(|answer| answer.try_parse().ok()));
    }
    Ok(applied)
}

async fn ensure<T>(
    context: &Context,
    identity: &Identity,
    kind: Kind,
    object: &T,
) -> Result<Option<DynamicObject>, apply::Error>
where
    T: Resource + Serialize,
{
    context.applier.ensure(&context.client, &context.owned, identity, kind, object).await
}

/// Runs the migration; `None` when it is done and the workloads may follow.
async fn migrate(
    objects: &Objects,
    identity: &Identity,
    context: &Context,
    findings: &mut Findings,
) -> Result<Option<Reached>, Error> {
    let name = objects.migration.metadata.name.as_deref().unwrap_or_default();
    let existing = context.owned.job(&identity.namespace, name);
    let start = async |attempt: u32| {
        let mut job = objects.migration.clone();
        job.metadata.annotations = Some([(ATTEMPT.to_owned(), attempt.to_string())].into());
        apply::create(&context.client, Kind::Job, &job).await
    };
    let failed = |failure: &str| {
        Verdict::bad(
            "MigrationFailed",
            format!(
                "spec.store: Job {name} failed ({failure}) and is tried again; see `kubectl logs job/{name}`, and correct spec.store or bring the store back"
            ),
        )
    };
    let (verdict, look_again) = match migration::next(existing.as_ref(), Timestamp::now()) {
        Step::Done => return Ok(None),
        Step::Start { attempt } => {
            start(attempt).await?;
            (Verdict::pending("Migrating", format!("Job {name} was started")), CALM)
        }
        Step::Running => (Verdict::pending("Migrating", format!("Job {name} runs")), CALM),
        Step::Wait { remaining, failure } => (failed(&failure), remaining),
        Step::Replace { attempt, failure } => {
            if let Some(job) = &existing {
                apply::remove(&context.client, Kind::Job, &job.metadata).await?;
            }
            start(attempt).await?;
            (failed(&failure), CALM)
        }
    };
    findings.note(Aspect::SchemaReady, verdict);
    Ok(Some(Reached { outcome: Outcome::Waiting, look_again }))
}

/// Takes away what the resource no longer names: connectors, and migrations of former versions.
async fn prune(objects: &Objects, model: &Model, context: &Context) -> Result<(), Error> {
    let mut wanted = vec![
        (Kind::ConfigMap, &objects.config_map.metadata),
        (Kind::Service, &objects.service.metadata),
        (Kind::Job, &objects.migration.metadata),
    ];
    wanted.extend(objects.service_accounts.iter().map(|o| (Kind::ServiceAccount, &o.metadata)));
    wanted.extend(objects.disruption_budgets.iter().map(|o| (Kind::PodDisruptionBudget, &o.metadata)));
    wanted.extend(objects.deployments.iter().map(|o| (Kind::Deployment, &o.metadata)));
    for name in context.applier.prune(&context.client, &context.owned, &model.identity, &wanted).await? {
        tracing::info!(cluster = model.identity.name, object = %name, "removed what the resource no longer names");
    }
    Ok(())
}

/// The Deployments of the cluster: those just applied, and the others as the watch sees them.
fn rollouts(cluster: &Chat4AllCluster, identity: &Identity, context: &Context, applied: &[Deployment]) -> Rollouts {
    let of = |part: &Component| {
        let name = part.object_name(&identity.name);
        let fresh = applied.iter().find(|d| d.metadata.name.as_deref() == Some(&name));
        match fresh {
            Some(deployment) => Some(Rollout::of(deployment)),
            None => context.owned.deployment(&identity.namespace, &name).map(|d| Rollout::of(&d)),
        }
    };
    let connectors = cluster.spec.connectors.iter();
    Rollouts {
        api: of(&Component::Api),
        router: of(&Component::Router),
        connectors: connectors.map(|c| (c.name.clone(), of(&Component::Connector(c.name.clone())))).collect(),
    }
}

/// The clusters that were there before this one.
fn neighbours(cluster: &Chat4AllCluster, context: &Context) -> Vec<Neighbour> {
    let age = |meta: &kube::api::ObjectMeta| {
        (meta.creation_timestamp.as_ref().map(|time| time.0), meta.uid.clone().unwrap_or_default())
    };
    let mine = age(&cluster.metadata);
    let earlier =
        |other: &Arc<DynamicObject>| other.metadata.uid != cluster.metadata.uid && age(&other.metadata) < mine;
    let all = context.clusters.state().into_iter().filter(earlier);
    all.filter_map(|other| {
        let spec = crate::api::Chat4AllClusterSpec::deserialize(other.data.get("spec")?).ok()?;
        let meta = &other.metadata;
        Some(Neighbour::new(meta.namespace.as_deref()?, meta.name.as_deref()?, &spec))
    })
    .collect()
}

fn note_refusal(findings: &mut Findings, refusal: &Refusal) {
    let verdict = |problems: &[validate::Problem], bad: &str, good: &str, well: &str| match problems {
        [] => Verdict::good(good, well),
        problems => {
            let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
            Verdict::bad(bad, texts.join(" | "))
        }
    };
    findings.note(Aspect::SpecValid, verdict(&refusal.spec, "Invalid", "Valid", "the resource can be built"));
    findings.note(
        Aspect::SecretsAvailable,
        verdict(&refusal.secrets, "SecretMissing", "Available", "every Secret is there with its keys"),
    );
}

fn waiting(context: &Context, identity: &Identity) -> Reached {
    let wait = context.backoff.failed((identity.namespace.clone(), identity.name.clone()));
    Reached { outcome: Outcome::Waiting, look_again: wait }
}

/// A failure worth showing in the status: one that stays. An API server that is busy or away is not;
/// it is tried again, and could hardly be told.
fn failure(error: &Error) -> Option<Verdict> {
    let refused = |source: &kube::Error| match source {
        kube::Error::Api(status) => (400..500).contains(&status.code) && ![404, 409, 429].contains(&status.code),
        _ => false,
    };
    match error {
        Error::Apply(apply::Error::NotOurs { .. }) => Some(Verdict::bad("NameTaken", error.to_string())),
        Error::Apply(
            apply::Error::Apply { source, .. }
            | apply::Error::Read { source, .. }
            | apply::Error::Delete { source, .. },
        ) if refused(source) => Some(Verdict::bad("ApplyFailed", error.to_string())),
        Error::Dereference(dereference::Error::ReadSecret { source, .. }) if refused(source) => {
            Some(Verdict::bad("ReadFailed", error.to_string()))
        }
        _ => None,
    }
}

async fn tell(context: &Context, object: &DynamicObject, transition: &status::Transition) {
    tracing::info!(
        namespace = object.metadata.namespace,
        cluster = object.metadata.name,
        condition = transition.condition,
        reason = transition.reason,
        detail = transition.message,
        "condition changed"
    );
    let reference = object.object_ref(&kube::api::ApiResource::erase::<Chat4AllCluster>(&()));
    if let Err(error) = context.recorder.publish(&transition.event(), &reference).await {
        tracing::warn!(error = plain(&error), "could not publish an event");
    }
}
