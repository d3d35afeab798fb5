//! What a reconcile tells: the status, the events, and which failures are worth either.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::events::Event;

use super::{Context, Error};
use crate::api::Chat4AllCluster;
use crate::findings::{Aspect, Findings, Verdict};
use crate::kube_error::plain;
use crate::model::Identity;
use crate::status::{self, Transition};
use crate::validate::{self, Problem, Refusal};
use crate::{apply, dereference};

/// Writes the status when it differs, and tells what changed.
pub(super) async fn report(
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

/// Notes what is wrong with the resource and with its Secrets.
pub(super) fn note_refusal(findings: &mut Findings, refusal: &Refusal) {
    let verdict = |problems: &[Problem], bad: &str, good: &str, well: &str| match problems {
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

/// A failure worth showing in the status: one that stays. An API server that is busy or away is not;
/// it is tried again, and could hardly be told.
pub(super) fn failure(error: &Error) -> Option<Verdict> {
    let stays = |source: &kube::Error| match source {
        kube::Error::Api(status) => (400..500).contains(&status.code) && ![404, 409, 429].contains(&status.code),
        _ => false,
    };
    let reason = match error {
        Error::Apply(apply::Error::NotOurs { .. }) => return Some(Verdict::bad("NameTaken", error.to_string())),
        Error::Apply(_) => "ApplyFailed",
        _ => "ReadFailed",
    };
    refusal(error).filter(|source| stays(source)).map(|_| Verdict::bad(reason, error.to_string()))
}

/// What the API server said, when that is what failed.
pub(super) fn refusal(error: &Error) -> Option<&kube::Error> {
    match error {
        Error::Apply(
            apply::Error::Apply { source, .. }
            | apply::Error::Read { source, .. }
            | apply::Error::Delete { source, .. },
        )
        | Error::Dereference(dereference::Error::ReadSecret { source, .. })
        | Error::HandOver { source, .. }
        | Error::Pods(source) => Some(source),
        Error::Apply(apply::Error::NotOurs { .. }) | Error::Status(_) | Error::Panicked | Error::Unanswered(_) => None,
    }
}

async fn tell(context: &Context, object: &DynamicObject, transition: &Transition) {
    tracing::info!(
        namespace = object.metadata.namespace,
        cluster = object.metadata.name,
        condition = transition.condition,
        reason = transition.reason,
        detail = transition.message,
        "condition changed"
    );
    let reference = object.object_ref(&ApiResource::erase::<Chat4AllCluster>(&()));
    publish(context, &transition.event(), &reference).await;
}

/// Publishes an event, which is no reason to fail.
pub(super) async fn publish(context: &Context, event: &Event, about: &ObjectReference) {
    if let Err(error) = context.recorder.publish(event, about).await {
        tracing::warn!(error = plain(&error), "could not publish an event");
    }
}
