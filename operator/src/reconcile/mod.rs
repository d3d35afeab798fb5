//! One reconcile, as the design tells it: dereference, validate, build, apply, status. What a step
//! finds goes into the status whether the next one is reached or not.

mod migrate;
mod report;
mod scaling;
mod vanished;
mod workloads;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use kube::api::{DynamicObject, ObjectMeta};
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::Store;
use serde::Deserialize;

use self::migrate::migrate;
use self::report::{failure, note_refusal, refusal, report};
use self::workloads::{apply, ensure, look_for_trouble, prune, rollouts};
use crate::api::{Chat4AllCluster, Chat4AllClusterSpec, RouterStatus};
use crate::apply::Applier;
use crate::backoff::Backoff;
use crate::build::build;
use crate::connectors::Connectors;
use crate::dereference::{dereference, secret_names};
use crate::findings::{Aspect, Findings, Verdict};
use crate::kafka::Topics;
use crate::kube_error::{namespace_is_ending, plain};
use crate::metrics::{Metrics, Outcome};
use crate::model::Identity;
use crate::neighbours::Neighbour;
use crate::owned::{Kind, Owned};
use crate::references::References;
use crate::scaler::{Plan, Scalers};
use crate::validate::{self, validate};

/// When a cluster without events is looked at again. Everything that matters comes as an event but
/// what happens at Kafka.
const CALM: Duration = Duration::from_secs(300);

/// When a cluster of which something does not run yet is looked at again, for what keeps its pods
/// from running; Deployments do not change with that.
const UNDER_WAY: Duration = Duration::from_secs(15);

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
    /// Sets the number of routers.
    pub scalers: Scalers,
    /// What ails the connectors.
    pub connectors: Connectors,
    /// Waits between attempts.
    pub backoff: Backoff<(String, String)>,
}

/// A step failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// See [`dereference`](crate::dereference).
    #[error(transparent)]
    Dereference(#[from] crate::dereference::Error),
    /// See [`apply`](crate::apply).
    #[error(transparent)]
    Apply(#[from] crate::apply::Error),
    /// Pods could not be looked at.
    #[error("could not list pods: {}", plain(.0))]
    Pods(#[source] kube::Error),
    /// The number of routers could not be handed over.
    #[error("could not hand over the number of routers in {object}: {}", plain(.source))]
    HandOver {
        /// In what.
        object: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// The status could not be written.
    #[error("could not write the status: {}", plain(.0))]
    Status(#[source] kube::Error),
    /// A defect of the operator; the others are served all the same.
    #[error("the reconcile panicked, which is a defect of the operator; please report it with the lines before")]
    Panicked,
    /// Somebody does not answer.
    #[error("the reconcile had no end after {} s: the API server or Kafka does not answer; it is tried again", .0.as_secs())]
    Unanswered(Duration),
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
    let former = validate::read_status(&object).and_then(|status| status.router);
    let (cluster, reached) = match validate::read(&object) {
        Ok(cluster) => {
            let reached = pursue(&cluster, former.as_ref(), &identity, &context, &mut findings).await;
            (Some(cluster), reached)
        }
        Err(problem) => {
            findings.note(Aspect::SpecValid, Verdict::bad("Malformed", problem.to_string()));
            scaling::end(former.as_ref(), &identity, &context, &mut findings);
            (None, Ok(Reached { outcome: Outcome::Refused, look_again: CALM }))
        }
    };
    if reached.as_ref().is_err_and(|error| refusal(error).is_some_and(namespace_is_ending)) {
        // The resource goes next.
        return Ok(Action::await_change());
    }
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

/// The steps. What they find goes into `findings`.
async fn pursue(
    cluster: &Chat4AllCluster,
    former: Option<&RouterStatus>,
    identity: &Identity,
    context: &Context,
    findings: &mut Findings,
) -> Result<Reached, Error> {
    findings.note_rollouts(rollouts(cluster, identity, context, &[]));
    if !cluster.spec.router.autoscaling.enabled {
        // Whatever else keeps the resource from being followed.
        context.scalers.switch_off(&identity.namespace, &identity.name);
    }
    scaling::note(&cluster.spec.router, former, identity, context, findings);
    let secrets = secret_names(&cluster.spec);
    // Before they are read: a Secret that appears in between then still brings on a reconcile.
    context.references.set(&identity.namespace, &identity.name, &secrets);
    let referenced = dereference(&context.client, &identity.namespace, &secrets).await?;
    let model = match validate(cluster, &referenced, &neighbours(cluster, context)) {
        Ok(model) => model,
        Err(refusal) => {
            note_refusal(findings, &refusal);
            if !refusal.spec.is_empty() {
                scaling::end(former, identity, context, findings);
            }
            return Ok(Reached { outcome: Outcome::Refused, look_again: REFUSED });
        }
    };
    findings.note(Aspect::SpecValid, Verdict::good("Valid", "the resource can be built"));
    findings.note(Aspect::SecretsAvailable, Verdict::good("Available", "every Secret is there with its keys"));

    if scaling::hand_back(&model, former, context, findings).await? {
        // The changed resource brings on the next reconcile.
        return Ok(Reached { outcome: Outcome::Waiting, look_again: UNDER_WAY });
    }
    let objects = build(&model);
    let ensured = context.topics.ensure(&model.kafka.bootstrap_servers_from_afar, &model.topics()).await;
    if let Some(rollouts) = &findings.rollouts {
        vanished::tell(&vanished::vanished(&ensured.missing, &model, rollouts), cluster, context).await;
    }
    if let Err(error) = ensured.done {
        findings.note(Aspect::KafkaReachable, Verdict::bad(error.reason(), error.to_string()));
        return Ok(waiting(context, identity));
    }
    findings.note(Aspect::KafkaReachable, Verdict::good("Reachable", "Kafka answers and has every topic"));
    context.scalers.set(Plan::of(&model), former.and_then(|router| router.learned.as_ref()));

    for account in &objects.service_accounts {
        ensure(context, identity, Kind::ServiceAccount, account).await?;
    }
    if let Some(reached) = migrate(&objects, identity, context, findings).await? {
        return Ok(reached);
    }
    findings.note(Aspect::SchemaReady, Verdict::good("Migrated", "the schema is that of spec.version"));

    let applied = apply(&objects, &model, context).await?;
    prune(&objects, identity, context).await?;
    let mut rollouts = rollouts(cluster, identity, context, &applied);
    let complete = look_for_trouble(&mut rollouts, identity, context).await?;
    findings.note_rollouts(rollouts);
    Ok(Reached { outcome: Outcome::Applied, look_again: if complete { CALM } else { UNDER_WAY } })
}

/// The clusters that were there before this one.
fn neighbours(cluster: &Chat4AllCluster, context: &Context) -> Vec<Neighbour> {
    let age =
        |meta: &ObjectMeta| (meta.creation_timestamp.as_ref().map(|time| time.0), meta.uid.clone().unwrap_or_default());
    let mine = age(&cluster.metadata);
    let earlier =
        |other: &Arc<DynamicObject>| other.metadata.uid != cluster.metadata.uid && age(&other.metadata) < mine;
    let all = context.clusters.state().into_iter().filter(earlier);
    all.filter_map(|other| {
        let spec = Chat4AllClusterSpec::deserialize(other.data.get("spec")?).ok()?;
        let meta = &other.metadata;
        Some(Neighbour::new(meta.namespace.as_deref()?, meta.name.as_deref()?, &spec))
    })
    .collect()
}

fn waiting(context: &Context, identity: &Identity) -> Reached {
    let wait = context.backoff.failed((identity.namespace.clone(), identity.name.clone()));
    Reached { outcome: Outcome::Waiting, look_again: wait }
}
