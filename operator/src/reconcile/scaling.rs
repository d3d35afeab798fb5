//! Hands the number of routers from one owner to the other without a jump, and notes what the scaler
//! found.

use std::borrow::Cow;

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{Context, Error};
use crate::api::{Chat4AllCluster, Router, RouterStatus};
use crate::findings::{Aspect, Findings, Shown, Verdict};
use crate::model::{Identity, Model};
use crate::names::{Component, FIELD_MANAGER};
use crate::owned::Kind;
use crate::scaler::act;

/// Notes what the scaler shows of a cluster. Before its first look the status keeps what it says.
pub(super) fn note(
    router: &Router,
    former: Option<&RouterStatus>,
    identity: &Identity,
    context: &Context,
    findings: &mut Findings,
) {
    let mut shown = match context.scalers.view(&identity.namespace, &identity.name) {
        Some(view) => {
            findings.note(Aspect::RouterScaling, view.verdict);
            Shown { desired: view.desired, lag_seconds: view.lag_seconds, learned: view.learned, ..Shown::default() }
        }
        None => Shown {
            desired: former.and_then(|router| router.desired),
            lag_seconds: former.and_then(|router| router.lag_seconds),
            ..Shown::default()
        },
    };
    // That nothing was learned yet is no reason to forget.
    shown.learned = shown.learned.or_else(|| former.and_then(|router| router.learned.clone()));
    shown.replicas_before_scaling = match router.autoscaling.enabled {
        true => Some(router.replicas),
        // Until the number is handed back.
        false => former.and_then(|router| router.replicas_before_scaling),
    };
    findings.scaling = Some(shown);
}

/// Ends the scaling of a cluster whose resource cannot be built, for nobody knows what it should be by.
pub(super) fn end(former: Option<&RouterStatus>, identity: &Identity, context: &Context, findings: &mut Findings) {
    context.scalers.forget(&identity.namespace, &identity.name);
    let message = "the number of routers stays, and nobody looks at what waits, until the resource can be built: see the condition SpecValid";
    findings.note(Aspect::RouterScaling, Verdict::pending("SpecInvalid", message));
    findings.scaling = Some(Shown {
        desired: None,
        lag_seconds: None,
        replicas_before_scaling: former.and_then(|router| router.replicas_before_scaling),
        learned: former.and_then(|router| router.learned.clone()),
    });
}

/// When scaling was switched off: writes the number of routers that there are into the resource, as an
/// autoscaler would, so that nothing changes but who may change it. Unless the resource was given
/// another number in the same breath: then that is meant. Says whether it wrote.
pub(super) async fn hand_back(
    model: &Model,
    former: Option<&RouterStatus>,
    context: &Context,
    findings: &mut Findings,
) -> Result<bool, Error> {
    let (identity, router) = (&model.identity, &model.router);
    let Some(before) = former.and_then(|former| former.replicas_before_scaling).filter(|_| !router.scaling.enabled)
    else {
        return Ok(false);
    };
    // The watch may be behind the last change that the scaler made.
    let deployment = Component::Router.object_name(&identity.name);
    let present = act::present(&context.client, &identity.namespace, &deployment).await;
    let present = present.map_err(not_handed_over("Deployment", identity, &deployment))?;
    // Somebody else may have set more than the resource may say.
    let present = present.map(|present| present.min(model.kafka.partitions));
    let Some(present) = present.filter(|present| before == router.replicas && *present != router.replicas) else {
        if let Some(shown) = &mut findings.scaling {
            shown.replicas_before_scaling = None;
        }
        return Ok(false);
    };
    let api: Api<Chat4AllCluster> = Api::namespaced(context.client.clone(), &identity.namespace);
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
    let body = json!({"metadata": {"uid": identity.uid}, "spec": {"replicas": present}});
    let written = api.patch_scale(&identity.name, &params, &Patch::Merge(&body)).await;
    written.map_err(not_handed_over("Chat4AllCluster", identity, &identity.name))?;
    tracing::info!(
        namespace = identity.namespace,
        cluster = identity.name,
        replicas = present,
        "scaling is off: wrote the number of routers into the resource"
    );
    Ok(true)
}

/// A Deployment with the number of pods that is to be applied with it. The routers' is not ours while it
/// follows the work: before our apply leaves it out, the scaler's field manager must own it, since the
/// API server takes away what nobody owns and then puts its default of 1 there.
pub(super) async fn with_its_replicas<'a>(
    deployment: &'a Deployment,
    model: &Model,
    context: &Context,
) -> Result<Cow<'a, Deployment>, Error> {
    let identity = &model.identity;
    let name = Component::Router.object_name(&identity.name);
    if !model.router.scaling.enabled || deployment.metadata.name.as_deref() != Some(&name) {
        return Ok(Cow::Borrowed(deployment));
    }
    if context.owned.deployment(&identity.namespace, &name).is_none() {
        let view = context.scalers.view(&identity.namespace, &identity.name);
        let before = view.and_then(|view| view.desired).unwrap_or_else(|| model.router.initial_replicas());
        let mut new = deployment.clone();
        new.spec.get_or_insert_default().replicas = Some(before);
        return Ok(Cow::Owned(new));
    }
    if !context.applier.has(&context.owned, identity, Kind::Deployment, deployment) {
        let claimed = act::claim(&context.client, &identity.namespace, &name).await;
        claimed.map_err(not_handed_over("Deployment", identity, &name))?;
    }
    Ok(Cow::Borrowed(deployment))
}

fn not_handed_over(kind: &str, identity: &Identity, name: &str) -> impl FnOnce(kube::Error) -> Error {
    let object = format!("{kind} {}/{name}", identity.namespace);
    |source| Error::HandOver { object, source }
}
